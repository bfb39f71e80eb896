"""HTTP/2 under gunicorn's WSGI workers: waiting for a request and for an answer at once.

gunicorn is played here, over a real socket; `tests/contract/test_http2.py` has the real one.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from grpc_bridge.transports.wsgi_http2 import Http2Stream, Mailbox, http2_stream

SECONDS = 10.0


class Connection:
    """What gunicorn has for a connection and its one stream. It takes bytes for frames."""

    stream_id = 1
    is_closed = False
    disconnected = False
    body_complete = False
    expect_continue = False
    unacked_size = 0
    pending_requests: list[bytes] = []

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._arrived = b""
        self._deferred_events: list[bytes] = []
        self.connection = self
        self._stream = self
        self.pending_requests = []
        self.reads = 0

    def pump(self, stream_id: int) -> None:
        assert stream_id == self.stream_id
        queue = self.pending_requests
        data = self._deferred_events.pop() if self._deferred_events else self._socket.recv(100)
        if data == b"broken":
            raise ValueError("not a frame")
        if data.endswith(b" comes"):  # what gunicorn 27.0.1 does with it, and with a caller that leaves
            self.pending_requests = [] if b"leaves" in data else queue
            queue.append(data)
            return
        self.disconnected = data == b"reset"
        self.is_closed = not data
        self.body_complete = data == b"end"
        if not (self.disconnected or self.is_closed or self.body_complete or data == b"another stream's"):
            self._arrived += data
            self.unacked_size = len(self._arrived)

    def read(self, size: int) -> bytes:
        assert self.body_complete or self.unacked_size >= size, "this read would have waited"
        self.reads += 1
        data, self._arrived = self._arrived[:size], self._arrived[size:]
        self.unacked_size = len(self._arrived)
        return data


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The server's end of a connection and the caller's."""
    server, caller = socket.socketpair()
    with server, caller:
        yield server, caller


@pytest.fixture
def connection(ends: tuple[socket.socket, socket.socket]) -> Connection:
    return Connection(ends[0])


@pytest.fixture
def caller(ends: tuple[socket.socket, socket.socket]) -> socket.socket:
    return ends[1]


def environ(connection: Connection, end: Any, protocol: str = "HTTP/2.0") -> dict[str, Any]:
    return {"SERVER_PROTOCOL": protocol, "wsgi.input": connection, "gunicorn.socket": end}


@pytest.fixture
def stream(connection: Connection, ends: tuple[socket.socket, socket.socket]) -> Http2Stream:
    stream = http2_stream(environ(connection, ends[0]))
    assert stream is not None
    return stream


def later(call: Any, *arguments: Any) -> None:
    """Has something done while the test waits for it."""
    threading.Timer(0.05, call, arguments).start()


def test_what_has_arrived_is_read_without_waiting(stream: Http2Stream, caller: socket.socket) -> None:
    caller.sendall(b"abcdef")
    assert stream.wait(SECONDS)
    assert [stream.read(4), stream.read(4)] == [b"abcd", b"ef"]
    assert not stream.is_readable
    caller.sendall(b"end")
    assert stream.wait(SECONDS)
    assert stream.read(4) == b""
    assert not stream.is_abandoned


def test_a_wait_has_an_end(stream: Http2Stream) -> None:
    begun = time.monotonic()
    assert not stream.wait(0.1)
    assert time.monotonic() - begun >= 0.1


def test_a_wait_goes_on_after_what_another_stream_gets(stream: Http2Stream, caller: socket.socket) -> None:
    caller.sendall(b"another stream's")
    later(caller.sendall, b"ours")
    assert stream.wait(SECONDS)
    assert stream.read(10) == b"ours"


def test_what_the_server_has_put_aside_is_not_waited_for(stream: Http2Stream, connection: Connection) -> None:
    connection._deferred_events.append(b"early")
    assert stream.wait(SECONDS)
    assert stream.read(10) == b"early"


@pytest.mark.parametrize("word", [b"reset", b"broken", b""], ids=["reset", "broken", "closed"])
def test_a_caller_that_leaves_is_noticed(stream: Http2Stream, caller: socket.socket, word: bytes) -> None:
    stream.look(0)
    assert not stream.is_abandoned
    caller.sendall(word)
    if not word:
        caller.close()
    stream.look(SECONDS)
    assert stream.is_abandoned
    assert stream.is_readable  # so that nobody waits for more, and a read raises


def test_a_bell_ends_the_look(stream: Http2Stream, connection: Connection) -> None:
    mailbox: Mailbox[str] = Mailbox()
    bell = mailbox.bell()
    later(mailbox.put, "event")
    begun = time.monotonic()
    stream.look(SECONDS, bell)
    assert time.monotonic() - begun < SECONDS
    assert mailbox.get() == "event"
    assert not stream.is_readable
    mailbox.close()


def test_a_bell_rings_once_however_much_is_put(stream: Http2Stream) -> None:
    mailbox: Mailbox[int] = Mailbox()
    mailbox.bell()
    for number in range(100_000):  # a pipe would be full before
        mailbox.put(number)
    bell = mailbox.bell()
    begun = time.monotonic()
    stream.look(0.05, bell)
    assert time.monotonic() - begun >= 0.05  # it is silent now
    assert [mailbox.get() for _ in range(100_000)] == list(range(100_000))
    assert mailbox.is_empty()
    mailbox.close()


def test_what_is_put_after_the_end_goes_nowhere() -> None:
    mailbox: Mailbox[str] = Mailbox()
    mailbox.bell()
    mailbox.close()
    mailbox.put("late")
    assert mailbox.get() == "late"
    mailbox.close()


@pytest.mark.parametrize("protocol", ["HTTP/1.1", "HTTP/1.0"])
def test_http_1_has_no_streams(connection: Connection, ends: Any, protocol: str) -> None:
    assert http2_stream(environ(connection, ends[0], protocol)) is None


def test_a_caller_that_waits_to_be_asked_for_its_body_is_served_as_any_other(connection: Connection, ends: Any) -> None:
    connection.expect_continue = True
    assert http2_stream(environ(connection, ends[0])) is None


def test_a_request_is_not_lost_that_comes_with_the_end_of_another(
    stream: Http2Stream, connection: Connection, caller: socket.socket
) -> None:
    for news in (b"one comes", b"another comes", b"each leaves, a third comes"):
        caller.sendall(news)
        stream.look(SECONDS)
    assert len(connection.pending_requests) == 1
    assert connection.pending_requests[0].endswith(b"a third comes")


@pytest.mark.parametrize("missing", ["pending_requests", "pump", "unacked_size"])
def test_a_server_that_shows_something_else_is_served_as_any_other(ends: Any, missing: str) -> None:
    class Another:
        _stream = None

    another: Any = Another()
    assert http2_stream(environ(another, ends[0])) is None
    shown = {name: None for name in dir(Connection) if not name.startswith("_") and name != missing}
    another._stream = type("Stream", (), shown)()
    another._stream.connection = another._stream
    assert http2_stream(environ(another, ends[0])) is None
