"""Bodies that are no gRPC-Web request. Each is answered with a status, no handler runs, and the server goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from tests.contract.case import Answer, check
from tests.contract.cases.messages import texts
from tests.contract.control import Control
from tests.contract.grpc_web import BINARY, MODES, GrpcWebTransport, Mode, Reply
from tests.contract.http_client import Connection, chunk
from tests.contract.literals import HELLO
from tests.contract.methods import path
from tests.contract.servicers.lifetime import CALLBACK, STARTED
from tests.servers import Server

Code = grpc.StatusCode
BINARY_MODE, TEXT_MODE = MODES

ONE_MESSAGE = (Code.UNIMPLEMENTED, "requires exactly one request message.")
TRUNCATED = (Code.INTERNAL, "Request body ends inside a frame")
NOT_BASE64 = (Code.INTERNAL, "Request body is not base64")
TOO_LARGE = (Code.RESOURCE_EXHAUSTED, "SERVER: Received message larger than max (2147483648 vs. 4194304)")
UNREADABLE = (Code.INTERNAL, "Exception deserializing request!")


def flags(number: int) -> tuple[grpc.StatusCode, str]:
    """What is said of a frame that is no message."""
    return Code.INTERNAL, f"Frame with flags {number:#04x} is not a message"


BINARY_BODIES = {
    "empty": (b"", *ONE_MESSAGE),
    "one byte": (b"\0", *TRUNCATED),
    "header without its last byte": (b"\0\0\0\0", *TRUNCATED),
    "header only": (b"\0\0\0\0\7", *TRUNCATED),
    "payload without its last byte": (HELLO[:-1], *TRUNCATED),
    "one byte too many": (HELLO + b"\0", *TRUNCATED),
    "two messages": (HELLO * 2, *ONE_MESSAGE),
    "2 GiB announced": (b"\0\x80\0\0\0" + b"x" * 2000, *TOO_LARGE),
    "one byte above the limit announced": (
        b"\0\0\x40\0\1",
        Code.RESOURCE_EXHAUSTED,
        "SERVER: Received message larger than max (4194305 vs. 4194304)",
    ),
    "compressed": (
        b"\1" + HELLO[1:],
        Code.INTERNAL,
        "Compressed flag set in a frame, but there is no grpc-encoding",
    ),
    "reserved flag": (b"\2" + HELLO[1:], *flags(2)),
    "all flags": (b"\xff" + HELLO[1:], *flags(255)),
    "trailers": (b"\x80\0\0\0\x10grpc-status: 0\r\n", *flags(128)),
    "compressed trailers": (b"\x81\0\0\0\x10grpc-status: 0\r\n", *flags(129)),
    "trailers after the message": (HELLO + b"\x80\0\0\0\x10grpc-status: 0\r\n", *flags(128)),
    "reserved flag of an empty frame": (b"\x40\0\0\0\0", *flags(64)),
    "text where binary was said": (b"AAAAAAcKBWhlbGxv", *flags(0x41)),
    "a web form": (b"user=me&action=delete", *flags(0x75)),
    "protobuf with a wrong length": (b"\0\0\0\0\3\n\x7fx", *UNREADABLE),
    "protobuf with a wrong wire type": (b"\0\0\0\0\1\x0f", *UNREADABLE),
    "random bytes as protobuf": (b"\0\0\0\0\x08\xde\xad\xbe\xef\xde\xad\xbe\xef", *UNREADABLE),
}

TEXT_BODIES = {
    "empty": (b"", *ONE_MESSAGE),
    "not the alphabet": (b"!!!!", *NOT_BASE64),
    "garbage after a message": (b"AAAAAAcKBWhlbGxv????", *NOT_BASE64),
    "alphabet of URLs": (b"AAAAAAMKAf__", *NOT_BASE64),
    "bytes beyond ASCII": (b"AAAA\xff\xfe\xfd\xfc", *NOT_BASE64),
    "NUL": (b"AAAA\0\0\0\0", *NOT_BASE64),
    "spaces": (b"AAAA AAAcKBWhlbGxv"[:16], *NOT_BASE64),
    "padding at the start": (b"====", *NOT_BASE64),
    "padding inside a group": (b"AA=AAAcKBWhlbGxv", *NOT_BASE64),
    "too much padding": (b"A===", *NOT_BASE64),
    "group without its last character": (b"AAAAAAcKBWhlbGx", Code.INTERNAL, "Request body ends inside a base64 group"),
    "truncated frame": (b"AAAAAAcKBWhlbGw=", *TRUNCATED),
    "two messages": (b"AAAAAAcKBWhlbGxvAAAAAAcKBWhlbGxv", *ONE_MESSAGE),
    "2 GiB announced": (b"AIAAAAA=" + b"AAAA" * 500, *TOO_LARGE),
    "reserved flag": (b"AgAAAAcKBWhlbGxv", *flags(2)),
    "trailers": (b"gAAAABBncnBjLXN0YXR1czogMA0K", *flags(128)),
    "binary where text was said": (HELLO, *NOT_BASE64),
}

BODIES = {f"binary: {name}": (BINARY_MODE, *body) for name, body in BINARY_BODIES.items()} | {
    f"text: {name}": (TEXT_MODE, *body) for name, body in TEXT_BODIES.items()
}


@pytest.fixture(params=["Echo", "Repeat"])
def method(request: pytest.FixtureRequest, control: Control, flavour: str) -> Iterator[str]:
    """A unary and a streaming method that take one message. Neither may have run at the end."""
    before = control.invocations(flavour, request.param)
    yield request.param
    assert control.invocations(flavour, request.param) == before


Send = Callable[[Connection, str, list[tuple[str, str]], bytes], None]


def send_in_one_piece(connection: Connection, target: str, headers: list[tuple[str, str]], body: bytes) -> None:
    """The usual way."""
    connection.send_head("POST", target, [*headers, ("content-length", str(len(body)))])
    connection.send(body)


def send_in_small_chunks(connection: Connection, target: str, headers: list[tuple[str, str]], body: bytes) -> None:
    """The way that finds out whether a piece is taken for the whole."""
    connection.send_head("POST", target, [*headers, ("transfer-encoding", "chunked")])
    connection.send(b"".join(chunk(body[start : start + 3]) for start in range(0, len(body), 3)) + chunk(b""))


@pytest.mark.parametrize("send", [send_in_one_piece, send_in_small_chunks])
@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_no_request(server: Server, flavour: str, method: str, name: str, send: Send) -> None:
    mode, body, code, details = BODIES[name]
    with Connection(server) as connection:
        send(connection, path(flavour, method), mode.headers(), body)
        answer = Reply(connection.response(), StringValue, mode).answer()
    assert answer.code is code
    assert str(answer.details).endswith(details)
    assert not answer.messages


@pytest.mark.parametrize("send", [send_in_one_piece, send_in_small_chunks])
def test_a_stream_of_requests_is_good_up_to_the_bad_one(
    server: Server, mode: Mode, flavour: str, control: Control, key: str, send: Send
) -> None:
    """However the body was cut: what the handler sees is no matter of the network."""
    body = mode.request_body(texts(key, "one", "two")) + mode.encode(b"\2\0\0\0\0")
    with Connection(server) as connection:
        send(connection, path(flavour, "Drain"), mode.headers(), body)
        answer = Reply(connection.response(), StringValue, mode).answer()
    check(Answer((), *flags(2)), answer)
    control.assert_noted(key, STARTED, "one", "two", CALLBACK)
    assert "end of requests" not in control.events(key)


def test_text_that_is_no_utf8(server: Server, control: Control, flavour: str) -> None:
    before = control.invocations(flavour, "Echo")
    with Connection(server) as connection:
        send_in_one_piece(connection, path(flavour, "Echo"), BINARY_MODE.headers(), b"\0\0\0\0\4\n\2\xff\xfe")
        check(Answer((), *UNREADABLE), Reply(connection.response(), StringValue, BINARY_MODE).answer())
    assert control.invocations(flavour, "Echo") == before


@pytest.mark.parametrize("encoding", ["br", "snappy", "gzip2", "identity,gzip", "x" * 1000])
def test_an_encoding_that_there_is_not(server: Server, control: Control, flavour: str, encoding: str) -> None:
    before = control.invocations(flavour, "Echo")
    headers = [("content-type", BINARY), ("grpc-encoding", encoding)]
    with Connection(server) as connection:
        response = connection.request("POST", path(flavour, "Echo"), headers, HELLO)
        assert (response.status, response.headers["grpc-accept-encoding"]) == (200, "identity,gzip,deflate")
        assert b"grpc-status: 12\r\n" in response.read()
    assert control.invocations(flavour, "Echo") == before


@pytest.mark.parametrize(
    ("method_name", "sent", "code", "details"),
    [
        ("Collect", b"\2\0\0\0\0", *flags(2)),
        ("Collect", HELLO + b"\2\0\0\0\0", *flags(2)),
        ("Collect", HELLO[:-1], *TRUNCATED),
        ("Collect", HELLO + b"\0\0\0\0\1\x0f", *UNREADABLE),
        ("Chat", b"\2\0\0\0\0", *flags(2)),
        ("Chat", HELLO[:-1], *TRUNCATED),
        ("Gather", HELLO + b"\0\0\0\0\1\x0f", *UNREADABLE),
        ("Gather", HELLO + HELLO[:-1], *TRUNCATED),
        ("ChatByReading", b"\0\0\0\0\1\x0f", *UNREADABLE),
    ],
)
def test_a_stream_of_requests_that_goes_wrong(
    binary_transport: GrpcWebTransport, flavour: str, method_name: str, sent: bytes, code: grpc.StatusCode, details: str
) -> None:
    """The handler of a stream runs before its requests are there; it never sees the bad one nor a good end."""
    with Connection(binary_transport.server) as connection:
        send_in_one_piece(connection, path(flavour, method_name), BINARY_MODE.headers(), sent)
        answer = Reply(connection.response(), StringValue, BINARY_MODE).answer()
    check(Answer((), code, details), answer)


def test_many_tiny_messages_in_one_chunk(transport: GrpcWebTransport, flavour: str) -> None:
    body = transport.mode.request_body(texts(*"x" * 1000))
    with transport.open(flavour, "Collect") as call:
        call.start_chunked()
        call.connection.send(chunk(body) + chunk(b""))
        check(Answer(texts(",".join("x" * 1000))), call.reply().answer())


def test_a_body_byte_by_byte(transport: GrpcWebTransport, flavour: str) -> None:
    body = transport.mode.request_body(texts("hello"))
    with transport.open(flavour, "Echo") as call:
        call.connection.send_head(
            "POST", path(flavour, "Echo"), [*transport.mode.headers(), ("content-length", str(len(body)))]
        )
        for byte in body:
            call.connection.send(bytes([byte]))
        check(Answer(texts("hello")), call.reply().answer())


def test_a_chunk_for_every_byte(transport: GrpcWebTransport, flavour: str) -> None:
    body = transport.mode.request_body(texts("one", "two"))
    with transport.open(flavour, "Gather") as call:
        call.start_chunked()
        for byte in body:
            call.connection.send(chunk(bytes([byte])))
        call.end_messages()
        check(Answer(texts("one", "two")), call.reply().answer())
