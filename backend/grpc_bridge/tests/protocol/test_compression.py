"""Message encodings: which there are, and what is refused."""

from __future__ import annotations

import gzip
import zlib

import pytest

from grpc_bridge.protocol.compression import DEFLATE, GZIP, Encoding, is_accepted, request_encoding
from grpc_bridge.protocol.frames import FrameReader, encode_frame
from grpc_bridge.protocol.status import StatusCode, StatusError

ENCODINGS = pytest.mark.parametrize("encoding", [GZIP, DEFLATE], ids=lambda encoding: encoding.name)
MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        *((name, None) for name in ("", " ", "identity", "Identity", " IDENTITY ")),
        *((name, GZIP) for name in ("gzip", "GZIP", " gzip ")),
        ("deflate", DEFLATE),
    ],
)
def test_a_request_names_its_encoding(name: str, encoding: Encoding | None) -> None:
    assert request_encoding(name) is encoding


@pytest.mark.parametrize("name", ["br", "identity, gzip", "gzip2", "\u00e4", "a\r\nb: c", "snappy"])
def test_other_encodings_are_refused_with_those_that_can(name: str) -> None:
    with pytest.raises(StatusError) as caught:
        request_encoding(name)
    assert caught.value.code is StatusCode.UNIMPLEMENTED
    assert caught.value.headers == (("grpc-accept-encoding", "identity,gzip,deflate"),)
    assert repr(name) in caught.value.message


@pytest.mark.parametrize(
    ("accept_encoding", "accepted"),
    [
        (None, False), ("", False), ("identity", False), ("deflate", False), ("xgzip, gzipx", False),
        ("gzip", True), ("identity,deflate,gzip", True), (" GZip ,identity", True),
    ],
)  # fmt: skip
def test_an_answer_is_compressed_for_those_only_who_say_that_they_can_read_it(
    accept_encoding: str | None, accepted: bool
) -> None:
    assert is_accepted(GZIP, accept_encoding) is accepted


def test_others_read_what_is_compressed() -> None:
    assert gzip.decompress(GZIP.compress(b"message")) == b"message"
    assert zlib.decompress(DEFLATE.compress(b"message")) == b"message"


@ENCODINGS
@pytest.mark.parametrize("message", [b"", b"a", b"a" * MEBIBYTE], ids=["empty", "short", "long"])
def test_a_message_survives(encoding: Encoding, message: bytes) -> None:
    assert encoding.decompress(encoding.compress(message), len(message)) == message


@ENCODINGS
@pytest.mark.parametrize(
    "spoil",
    [
        lambda payload: b"",
        lambda payload: payload[:-1],
        lambda payload: payload + b"x",
        lambda payload: payload + payload,
        lambda payload: b"\xff" + payload,
        lambda payload: payload[:-4] + b"\0\0\0\0",
    ],
    ids=["empty", "truncated", "something behind", "twice", "something before", "wrong checksum"],
)
def test_what_is_not_one_whole_compressed_message_is_refused(encoding: Encoding, spoil: object) -> None:
    with pytest.raises(StatusError) as caught:
        encoding.decompress(spoil(encoding.compress(b"message")), MEBIBYTE)  # type: ignore[operator]
    assert (caught.value.code, caught.value.message) == (
        StatusCode.INTERNAL, f"Message is not {encoding.name}"
    )  # fmt: skip


@ENCODINGS
def test_a_small_payload_cannot_become_a_large_message(encoding: Encoding) -> None:
    bomb = encoding.compress(bytes(64 * MEBIBYTE))
    assert len(bomb) < MEBIBYTE / 8
    with pytest.raises(StatusError) as caught:
        encoding.decompress(bomb, MEBIBYTE)
    assert caught.value.code is StatusCode.RESOURCE_EXHAUSTED


@ENCODINGS
def test_each_frame_says_whether_it_is_compressed(encoding: Encoding) -> None:
    body = encode_frame(b"a") + encode_frame(encoding.compress(b"b"), 1) + encode_frame(b"c")
    reader = FrameReader(100, encoding)
    assert [message for byte in body for message in reader.receive_data(bytes((byte,)))] == [b"a", b"b", b"c"]
    assert FrameReader(100, encoding).receive_data(body) == [b"a", b"b", b"c"]


@pytest.mark.parametrize("flags", [0x02, 0x03, 0x80, 0x81, 0xFF])
def test_an_encoding_allows_no_other_flags(flags: int) -> None:
    with pytest.raises(StatusError, match=f"{flags:#04x}"):
        list(FrameReader(100, GZIP).receive_data(encode_frame(GZIP.compress(b"a"), flags)))
