"""Frames: how they are written, what is refused by the header alone, how much a reader holds."""

from __future__ import annotations

import tracemalloc

import pytest

from grpc_bridge.protocol.compression import GZIP, Encoding
from grpc_bridge.protocol.frames import HEADER_BYTES, FrameReader, encode_frame, split_frames
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.tests.protocol.bodies import frame, header

MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("payload", "flags", "data"),
    [
        (b"", 0, b"\x00\x00\x00\x00\x00"),
        (b"abc", 0, b"\x00\x00\x00\x00\x03abc"),
        (b"abc", 0x80, b"\x80\x00\x00\x00\x03abc"),
        (b"x" * 0x0102, 0, b"\x00\x00\x00\x01\x02" + b"x" * 0x0102),
        (b"x" * 0x010203, 0x01, b"\x01\x00\x01\x02\x03" + b"x" * 0x010203),
    ],
)
def test_a_frame_is_flags_length_and_payload(payload: bytes, flags: int, data: bytes) -> None:
    assert encode_frame(payload, flags) == data


@pytest.mark.parametrize("flags", range(1, 256))
def test_no_flag_is_taken_on_a_request_message(flags: int) -> None:
    error = split_frames(header(flags, 0), MEGABYTE)[-1]
    assert error is not None
    assert error.code is StatusCode.INTERNAL
    assert ("Compressed" in error.message) == (flags == 0x01)


@pytest.mark.parametrize("kind", [bytes, bytearray])
@pytest.mark.parametrize(
    ("data", "messages", "taken", "needed"),
    [
        (b"", [], 0, 5),
        (b"\x00\x00\x00\x00", [], 0, 5),
        (header(0, 3), [], 0, 8),
        (header(0, 3) + b"ab", [], 0, 8),
        (frame(b"abc"), [b"abc"], 8, 5),
        (frame(b"abc") + b"\x00", [b"abc"], 8, 5),
        (frame(b"abc") + header(0, 7) + b"1", [b"abc"], 8, 12),
        (frame(b"") + frame(b"a"), [b"", b"a"], 11, 5),
    ],
)
def test_split_says_what_it_took_and_what_it_needs(
    kind: type[bytes | bytearray], data: bytes, messages: list[bytes], taken: int, needed: int
) -> None:
    split = split_frames(kind(data), MEGABYTE)
    assert split == (messages, taken, needed, None)
    assert all(type(message) is bytes for message in split[0])


def test_the_limit_itself_is_allowed() -> None:
    assert split_frames(frame(b"abc"), 3)[0] == [b"abc"]
    error = split_frames(frame(b"abc"), 2)[-1]
    assert error is not None
    assert error.code is StatusCode.RESOURCE_EXHAUSTED
    assert error.message == "SERVER: Received message larger than max (3 vs. 2)"


def test_a_reader_can_go_on_after_a_part() -> None:
    reader = FrameReader(MEGABYTE)
    assert reader.receive_data(frame(b"one") + frame(b"two")[:6]) == [b"one"]
    assert list(reader.receive_data(b"")) == []
    assert reader.receive_data(frame(b"two")[6:] + frame(b"")) == [b"two", b""]
    reader.end()


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"", 5),
        (b"\x00", 4),
        (b"\x00\x00\x00\x00", 1),
        (header(0, 3), 3),
        (header(0, 3) + b"ab", 1),
        (header(0, 0), 5),
        (frame(b"abc"), 5),
        (frame(b"abc") + b"\x00\x00", 3),
        (frame(b"abc") + header(0, 9), 9),
    ],
)
def test_a_reader_says_how_much_it_wants(data: bytes, wanted: int) -> None:
    reader = FrameReader(MEGABYTE)
    reader.receive_data(data)
    assert reader.wanted_bytes == wanted


def test_2_gib_announced_are_refused_before_anything_is_held() -> None:
    reader = FrameReader(MEGABYTE)
    assert list(reader.receive_data(header(0, 2**31)[:4])) == []
    with pytest.raises(StatusError, match="RESOURCE_EXHAUSTED"):
        list(reader.receive_data(header(0, 2**31)[4:]))
    assert len(reader._buffer) == HEADER_BYTES


def test_2_gib_announced_and_allowed_take_no_memory_before_they_come() -> None:
    reader = FrameReader(2**32 - 1)
    tracemalloc.start()
    try:
        assert list(reader.receive_data(header(0, 2**31))) == []
        for _ in range(16):
            assert list(reader.receive_data(b"x" * 65536)) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(reader._buffer) == HEADER_BYTES + MEGABYTE
    assert peak < 4 * MEGABYTE


@pytest.mark.parametrize("encoding", [None, GZIP])
def test_a_reader_that_has_refused_a_frame_gives_nothing_but_the_error_again(encoding: Encoding | None) -> None:
    reader = FrameReader(MEGABYTE, encoding)
    messages = iter(reader.receive_data(frame(b"one") + frame(b"two") + header(0x01, 2) + b"xx" + frame(b"three")))
    assert [next(messages), next(messages)] == [b"one", b"two"]
    with pytest.raises(StatusError, match="INTERNAL"):
        next(messages)
    with pytest.raises(StatusError, match="INTERNAL"):
        list(reader.receive_data(frame(b"four")))


def test_a_reader_lets_go_of_what_it_has_given() -> None:
    reader = FrameReader(MEGABYTE)
    reader.receive_data(frame(b"x" * MEGABYTE))
    assert reader._buffer == b""
