"""What is checked of one path to the site. A check gives a few words on what it saw, and raises when it is not so."""

from __future__ import annotations

import contextlib
import queue
import re
import socket
import time
from collections.abc import Iterator

import grpc
from google.protobuf.duration_pb2 import Duration

from generated.echo.v1 import echo_pb2, echo_pb2_grpc
from tests.contract.grpc_web import Mode
from tests.smoke.site import SECONDS, Server, Skipped, Visitor, call, opened

ECHO = "/echo.v1.EchoService/"
TEXT = "grüße, 世界"

MESSAGES = 4
PAUSE_SECONDS = 0.25

HASHED = re.compile(r'(?:src|href)="([^"]*/static/[^"]*)"')
HASH = re.compile(r"\.[0-9a-f]{12}\.[a-z]+$")

# RFC 9113, section 3.4: what a client begins with, an empty SETTINGS frame included.
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
SETTINGS_FRAME_TYPE = 4


def page(server: Server) -> str:
    """The page with its scripts and styles, which may be kept for ever because their names have a hash."""
    visitor = Visitor(server)
    document = visitor.get("/")
    assert document.status == 200, f"/ was answered with {document.status}"
    assert "content-security-policy" in document.headers, "the page has no Content-Security-Policy"
    files = HASHED.findall(document.body.decode())
    assert any(file.endswith(".js") for file in files), "the page has no script"
    assert any(file.endswith(".css") for file in files), "the page has no style sheet"
    for file in files:
        path = re.sub(r"^https?://[^/]+", "", file)
        assert HASH.search(path), f"{path} has no hash in its name"
        got = visitor.get(path, [("accept-encoding", "gzip")])
        assert got.status == 200, f"{path} was answered with {got.status}"
        assert got.body, f"{path} is empty"
        assert "immutable" in got.headers.get("cache-control", ""), f"{path} may not be kept"
    return f"{len(files)} static files"


def health(server: Server) -> str:
    """What load balancers ask."""
    answer = Visitor(server).get("/healthz")
    assert (answer.status, answer.body) == (200, b"ok\n"), f"{answer.status} {answer.body[:80]!r}"
    return "ok"


def unary(server: Server, mode: Mode) -> str:
    """One message there and back."""
    request = echo_pb2.EchoRequest(message=TEXT)
    answer = call(server, mode, f"{ECHO}Echo", request, echo_pb2.EchoResponse)
    assert answer == echo_pb2.EchoResponse(message=TEXT, message_count=1), answer
    return "echoed"


def status(server: Server, mode: Mode) -> str:
    """An error, as the servicer has put it."""
    request = echo_pb2.EchoAbortRequest(message=TEXT, code=grpc.StatusCode.NOT_FOUND.value[0])
    with opened(server, mode, f"{ECHO}EchoAbort", request, echo_pb2.EchoAbortResponse) as reply:
        answer = reply.answer()
    assert (answer.code, answer.details) == (grpc.StatusCode.NOT_FOUND, TEXT), f"{answer.code} {answer.details!r}"
    return "NOT_FOUND, as asked for"


def stream(server: Server, mode: Mode) -> str:
    """Messages that come one by one, and not all together at the end."""
    request = _stream_request()
    method = f"{ECHO}ServerStreamingEcho"
    with opened(server, mode, method, request, echo_pb2.ServerStreamingEchoResponse) as reply:
        arrivals = _arrivals(iter(reply))
    assert reply.status is not None, "no status"
    assert reply.status.code is grpc.StatusCode.OK, f"{reply.status.code}: {reply.status.details}"
    return arrivals


def native_unary(channel: grpc.Channel) -> str:
    """The same by a gRPC client."""
    stub = echo_pb2_grpc.EchoServiceStub(channel)
    answer = stub.Echo(echo_pb2.EchoRequest(message=TEXT), timeout=SECONDS)
    assert answer == echo_pb2.EchoResponse(message=TEXT, message_count=1), answer
    return "echoed"


def native_stream(channel: grpc.Channel) -> str:
    """Messages that come one by one."""
    return _arrivals(echo_pb2_grpc.EchoServiceStub(channel).ServerStreamingEcho(_stream_request(), timeout=SECONDS))


def native_bidi(channel: grpc.Channel) -> str:
    """A conversation: each message is sent when the answer to the one before is there."""
    requests: queue.SimpleQueue[echo_pb2.FullDuplexEchoRequest | None] = queue.SimpleQueue()
    answers = echo_pb2_grpc.EchoServiceStub(channel).FullDuplexEcho(iter(requests.get, None), timeout=SECONDS)
    try:
        for number in range(1, MESSAGES + 1):
            requests.put(echo_pb2.FullDuplexEchoRequest(message=f"{TEXT} {number}"))
            expected = echo_pb2.FullDuplexEchoResponse(message=f"{TEXT} {number}", sequence=number)
            answer = next(answers)
            assert answer == expected, answer
    finally:
        requests.put(None)
    assert next(answers, None) is None, "a message after the end"
    return f"{MESSAGES} messages each way"


def speaks_http2(server: Server) -> bool:
    """Whether a connection may begin with HTTP/2, which native gRPC does. By TLS it may ask for that."""
    if server.tls is not None:
        return True
    with contextlib.suppress(OSError), socket.create_connection(server.address, SECONDS) as connection:
        connection.sendall(HTTP2_PREFACE)
        begin = connection.recv(4)
        return len(begin) == 4 and begin[3] == SETTINGS_FRAME_TYPE
    return False


def native_channel(server: Server) -> grpc.Channel:
    """A gRPC client of this port."""
    if server.tls is not None:
        return grpc.secure_channel(server.authority, grpc.ssl_channel_credentials())
    return grpc.insecure_channel(server.authority)


def no_native() -> str:
    """Says so."""
    raise Skipped("this port takes no HTTP/2 without TLS")


def _stream_request() -> echo_pb2.ServerStreamingEchoRequest:
    interval = Duration(nanos=int(PAUSE_SECONDS * 1e9))
    return echo_pb2.ServerStreamingEchoRequest(message=TEXT, message_count=MESSAGES, message_interval=interval)


def _arrivals(messages: Iterator[echo_pb2.ServerStreamingEchoResponse]) -> str:
    """Says when the messages came. Raises AssertionError if they came together."""
    start = time.monotonic()
    times = []
    for number, message in enumerate(messages, 1):
        times.append(time.monotonic() - start)
        assert message == echo_pb2.ServerStreamingEchoResponse(message=TEXT, sequence=number), message
    assert len(times) == MESSAGES, f"{len(times)} messages instead of {MESSAGES}"
    seen = f"at {', '.join(f'{seconds:.2f}' for seconds in times)} s"
    # A busy machine may be late with the first one, and so bring it closer to the last.
    assert times[-1] - times[0] > PAUSE_SECONDS * (MESSAGES - 1) * 0.5, f"held back on their way: they came {seen}"
    return seen
