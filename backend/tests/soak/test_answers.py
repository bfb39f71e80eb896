"""The client's own reader, by answers that are cut everywhere."""

from __future__ import annotations

import pytest

from grpc_bridge.protocol.frames import encode_frame
from grpc_bridge.protocol.status import StatusCode
from grpc_bridge.protocol.text import encode_text
from grpc_bridge.protocol.trailers import encode_trailers
from tests.soak.answers import BY_HEADERS, BY_TRAILERS, CONNECTION_LOST, CUT, PUSHBACK, AnswerReader, Outcome

MESSAGES = [b"first", b"", b"x" * 300]


def head(*headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


def body(is_text: bool, trailers: bytes = encode_trailers(StatusCode.OK)) -> list[bytes]:
    frames = [*(encode_frame(message) for message in MESSAGES), *([trailers] if trailers else [])]
    return [encode_text(frame) for frame in frames] if is_text else frames


def chunked(pieces: list[bytes]) -> bytes:
    chunks = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces)
    return head("Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n"


def with_length(pieces: list[bytes]) -> bytes:
    data = b"".join(pieces)
    return head(f"Content-Length: {len(data)}") + data


def read(answer: bytes, size: int, is_text: bool = False) -> tuple[AnswerReader, list[bytes]]:
    reader, messages = AnswerReader(is_text=is_text), []
    for start in range(0, len(answer), size):
        assert not reader.is_over
        messages += reader.receive_data(answer[start : start + size])
    return reader, messages


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
@pytest.mark.parametrize("is_text", [False, True], ids=["binary", "text"])
@pytest.mark.parametrize("framed", [chunked, with_length])
def test_an_answer_in_pieces_of_any_size(framed, is_text: bool, size: int):
    reader, messages = read(framed(body(is_text)), size, is_text)
    assert messages == MESSAGES
    assert reader.outcome == Outcome(StatusCode.OK, "", BY_TRAILERS)
    assert reader.is_over
    assert reader.keeps_open


def test_an_error_with_the_time_to_come_back():
    trailers = encode_trailers(StatusCode.UNAVAILABLE, "later", [(PUSHBACK, "1500")])
    reader, messages = read(chunked(body(False, trailers)), 50)
    assert messages == MESSAGES
    assert reader.outcome == Outcome(StatusCode.UNAVAILABLE, "later", BY_TRAILERS, 1.5)


def test_a_body_without_a_status():
    reader, messages = read(chunked(body(False, b"")), 50)
    assert messages == MESSAGES
    assert reader.outcome is not None
    assert (reader.outcome.code, reader.outcome.cause) == (StatusCode.UNAVAILABLE, CUT)


@pytest.mark.parametrize("size", [0, 10, 60, 100])
def test_a_connection_that_is_lost(size: int):
    reader, _ = read(chunked(body(False))[:size], 10)
    reader.connection_lost()
    assert reader.outcome is not None
    assert (reader.outcome.code, reader.outcome.cause) == (StatusCode.UNAVAILABLE, CONNECTION_LOST)
    assert reader.is_over
    assert not reader.keeps_open


def test_a_status_in_the_headers():
    reader, _ = read(head("grpc-status: 14", "grpc-message: no%20way", "content-length: 0"), 1000)
    assert reader.outcome == Outcome(StatusCode.UNAVAILABLE, "no way", BY_HEADERS)
    assert reader.is_over


@pytest.mark.parametrize(
    ("status", "code"),
    [("503 Service Unavailable", StatusCode.UNAVAILABLE), ("403 Forbidden", StatusCode.PERMISSION_DENIED)],
)
def test_an_answer_of_http(status: str, code: StatusCode):
    reader, _ = read(head("content-length: 3", status=status) + b"why", 1000)
    assert reader.outcome is not None
    assert reader.outcome.code is code
    assert not reader.keeps_open
