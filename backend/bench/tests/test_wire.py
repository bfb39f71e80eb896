"""A wrong answer is no measurement, however fast it is."""

from __future__ import annotations

import pytest

from bench import wire
from generated.echo.v1.echo_pb2 import EchoResponse, ServerStreamingEchoResponse

OK = wire.frame(b"grpc-status: 0\r\n", wire.TRAILER_FLAG)
FAILED = wire.frame(b"grpc-status: 13\r\n", wire.TRAILER_FLAG)


def echo(text: str) -> bytes:
    return wire.frame(EchoResponse(message=text).SerializeToString())


def stream(*numbers: int, text: str = "hello") -> bytes:
    messages = (ServerStreamingEchoResponse(message=text, sequence=number) for number in numbers)
    return b"".join(wire.frame(message.SerializeToString()) for message in messages)


def test_the_right_answers_are_taken():
    wire.check_echo(echo("hello") + OK, "hello")
    wire.check_echo(echo("hello") + wire.frame(b"Grpc-Status:0\r\ngrpc-message:\r\n", wire.TRAILER_FLAG), "hello")
    wire.check_stream(stream(1, 2, 3) + OK, "hello", 3)
    wire.check_stream(stream(1, 1, 1) + OK, "hello", 3, numbered=False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        OK,
        echo("hello"),
        echo("hello") + FAILED,
        echo("hello") + wire.frame(b"b'grpc-status': b'0'\r\n", wire.TRAILER_FLAG),
        echo("hello") + OK[:-1],
        echo("hello") + OK + b"\0",
        echo("hello") + OK + OK,
        echo("hello") * 2 + OK,
        echo("other") + OK,
        wire.frame(b"hello", 1) + OK,
    ],
)
def test_wrong_echoes_are_found(body: bytes):
    with pytest.raises(wire.WrongAnswerError):
        wire.check_echo(body, "hello")


@pytest.mark.parametrize(
    "body",
    [
        stream(1, 2, 3),
        stream(1, 2) + OK,
        stream(1, 2, 3, 4) + OK,
        stream(1, 3, 2) + OK,
        stream(1, 1, 1) + OK,
        stream(1, 2, 3, text="other") + OK,
        stream(1, 2, 3) + FAILED,
    ],
)
def test_wrong_streams_are_found(body: bytes):
    with pytest.raises(wire.WrongAnswerError):
        wire.check_stream(body, "hello", 3)
