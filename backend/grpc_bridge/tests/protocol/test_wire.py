"""What the bytes of an answer are, compared with bytes that were written down."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest

from grpc_bridge.protocol.frames import FrameReader
from grpc_bridge.protocol.status import StatusCode
from grpc_bridge.protocol.wire import BINARY, TEXT, BinaryWire
from grpc_bridge.tests.protocol.bodies import FIXTURES, frame

WIRES = pytest.mark.parametrize("wire", [BINARY, TEXT], ids=["binary", "text"])
Parts = Callable[[BinaryWire], list[bytes]]

PAIRS = (("retry-after", "5"), ("details-bin", "CAUSAg"))

# What a server writes for one call, flush by flush. The payloads leave 0, 1 and 2 bytes over in a group of base64.
ANSWERS: dict[str, Parts] = {
    "text_answer_unary": lambda wire: [wire.unary_ok(b"\n\x05hello")],
    "text_answer_empty_message": lambda wire: [wire.unary_ok(b"")],
    "text_answer_stream": lambda wire: [
        wire.message(b"\n\x02hi"),
        wire.message(b"\x10\x01"),
        wire.message(b"\n\x05hello\x10\x02"),
        wire.trailers(StatusCode.OK),
    ],
    "text_answer_stream_without_messages": lambda wire: [wire.trailers(StatusCode.OK)],
    "text_answer_error": lambda wire: [wire.trailers(StatusCode.NOT_FOUND, "50 % of \u00fc\r\n", PAIRS)],
    "text_answer_message_and_error": lambda wire: [wire.message(b"x"), wire.trailers(StatusCode.ABORTED, "", PAIRS)],
}


@pytest.mark.parametrize("name", ANSWERS)
def test_text_answers_are_as_written_down(name: str) -> None:
    assert b"".join(ANSWERS[name](TEXT)) == (FIXTURES / f"{name}.bin").read_bytes()


@pytest.mark.parametrize("name", ANSWERS)
def test_every_flush_can_be_decoded_when_it_arrives(name: str) -> None:
    """The browser's client decodes all whole groups of what it has and waits with the rest."""
    for text, binary in zip(ANSWERS[name](TEXT), ANSWERS[name](BINARY), strict=True):
        assert len(text) % 4 == 0
        groups = [text[at : at + 4] for at in range(0, len(text), 4)]
        assert b"".join(b64decode(group, validate=True) for group in groups) == binary


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_ends_with_its_only_trailer_frame(name: str) -> None:
    data = b"".join(ANSWERS[name](BINARY))
    flags = []
    while data:
        flags.append(data[0])
        data = data[5 + int.from_bytes(data[1:5], "big") :]
    assert flags == [0] * (len(flags) - 1) + [0x80]


@WIRES
@pytest.mark.parametrize("payload", [b"", b"a", b"ab", b"abc", bytes(range(256)) * 300])
def test_a_prepared_answer_is_the_same_as_one_made_up(wire: BinaryWire, payload: bytes) -> None:
    assert wire.unary_ok(payload) == wire.message(payload) + wire.trailers(StatusCode.OK)


def test_a_binary_message_is_its_frame() -> None:
    assert BINARY.message(b"ab") == frame(b"ab")
    assert TEXT.message(b"ab") == b64encode(frame(b"ab"))


def test_a_text_answer_tells_its_content_type_from_a_binary_one() -> None:
    assert BINARY.content_type == "application/grpc-web+proto"
    assert TEXT.content_type == "application/grpc-web-text+proto"


@WIRES
def test_every_body_has_a_reader_of_its_own(wire: BinaryWire) -> None:
    half, other = wire.reader(8), wire.reader(8)
    half.receive_data(wire.message(b"abcdef")[:8])
    assert other.receive_data(wire.message(b"xyz")) == [b"xyz"]
    other.end()


@WIRES
def test_a_reader_has_the_limit_that_it_was_given(wire: BinaryWire) -> None:
    assert isinstance(wire.reader(8)._frames, FrameReader)
    assert wire.reader(8)._frames._max_message_bytes == 8
