"""Large requests that are refused: the status reaches also a client that sends everything before it reads, and the
server does not keep what it refuses."""

from __future__ import annotations

import contextlib
import sys

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from tests.contract.cases.messages import LIMIT, MEBIBYTE, PREFIX_BYTES
from tests.contract.control import Control, resident_bytes
from tests.contract.grpc_web import GrpcWebTransport, Reply
from tests.contract.http_client import Connection, chunk
from tests.contract.methods import path

PIECE = b"\0" * (64 * 1024)
TWO_GIBIBYTES = 2**31
HELD_BACK_BYTES = 64 * MEBIBYTE
"""More than the operating system keeps on the way between two sockets."""

MISSING = "Missing"
"""A method that there is not."""


def announced(length: int) -> bytes:
    """Gives the header of a frame."""
    return b"\0" + length.to_bytes(4, "big")


def assert_too_large(reply: Reply, length: int) -> None:
    """The status says both sizes, so that somebody can do something about it."""
    answer = reply.answer()
    assert answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED, answer
    assert answer.details == f"SERVER: Received message larger than max ({length} vs. {LIMIT})"


@pytest.mark.parametrize("method", ["Echo", "Repeat", "Collect", "Chat", MISSING])
@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
def test_the_status_arrives_when_all_has_been_sent(
    transport: GrpcWebTransport, flavour: str, method: str, chunked: bool
) -> None:
    """What is refused on its first bytes is read to its end all the same. A reset would take the answer with it."""
    mode = transport.mode
    length = 5 * MEBIBYTE
    body = mode.encode(announced(length) + b"\0" * length)
    framing = ("transfer-encoding", "chunked") if chunked else ("content-length", str(len(body)))
    with Connection(transport.server) as connection:
        connection.send_head("POST", path(flavour, method), [*mode.headers(), framing])
        for start in range(0, len(body), len(PIECE)):
            piece = body[start : start + len(PIECE)]
            connection.send(chunk(piece) if chunked else piece)
        if chunked:
            connection.send(chunk(b""))
        reply = transport.reply_to(connection, StringValue)
        if method == MISSING:
            assert reply.answer().code is grpc.StatusCode.UNIMPLEMENTED
        else:
            assert_too_large(reply, length)


@pytest.mark.parametrize("method", ["Echo", "Collect", MISSING])
def test_a_client_may_go_on_sending_after_the_answer(transport: GrpcWebTransport, flavour: str, method: str) -> None:
    """And may use the connection for its next call then."""
    mode = transport.mode
    length = 9 * MEBIBYTE
    body = mode.encode(announced(length) + b"\0" * length)
    headers = [*mode.headers(), ("content-length", str(len(body)))]
    with Connection(transport.server) as connection:
        connection.send_head("POST", path(flavour, method), headers)
        connection.send(body[: len(PIECE)])
        reply = transport.reply_to(connection, StringValue)
        for start in range(len(PIECE), len(body), len(PIECE)):
            connection.send(body[start : start + len(PIECE)])
        assert reply.answer().code is not grpc.StatusCode.OK
        small = mode.encode(announced(0))
        response = connection.request("POST", path(flavour, "Echo"), mode.headers(), small)
        assert transport.reply_type(response, StringValue, mode).answer().code is grpc.StatusCode.OK


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("method", ["Echo", "Collect"])
@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
def test_two_gibibytes_are_refused_on_their_announcement(
    binary_transport: GrpcWebTransport, flavour: str, method: str, chunked: bool
) -> None:
    """The answer comes after the first piece, and the worker takes no memory for what it does not want."""
    server, mode = binary_transport.server, binary_transport.mode
    framing = ("transfer-encoding", "chunked") if chunked else ("content-length", str(TWO_GIBIBYTES + PREFIX_BYTES))
    before = resident_bytes(server)
    for _ in range(4):
        with Connection(server) as connection:
            connection.send_head("POST", path(flavour, method), [*mode.headers(), framing])
            piece = announced(TWO_GIBIBYTES) + PIECE
            connection.send(chunk(piece) if chunked else piece)
            assert_too_large(binary_transport.reply_to(connection, StringValue), TWO_GIBIBYTES)
            with contextlib.suppress(ConnectionError):  # the server may have had enough
                for _ in range(16 * MEBIBYTE // len(PIECE)):
                    connection.send(chunk(PIECE) if chunked else PIECE)
    assert resident_bytes(server) - before < 32 * MEBIBYTE


def test_messages_that_are_not_taken_hold_back_the_sender(
    asgi_transport: GrpcWebTransport, flavour: str, asgi_control: Control, key: str
) -> None:
    """The handler takes one message and waits: the server may not read the rest into memory."""
    piece = chunk(asgi_transport.mode.encode(announced(len(PIECE)) + PIECE))
    with asgi_transport.open(flavour, "TakeOneAndWait") as call:
        call.start_chunked()
        call.send_message(StringValue(value=key))
        asgi_control.assert_noted(key, "started")
        sent = call.connection.send_until_blocked(piece, at_most=HELD_BACK_BYTES)
        assert sent < HELD_BACK_BYTES
        asgi_control.open_gate(key)
        assert call.reply().answer().code is grpc.StatusCode.OK
