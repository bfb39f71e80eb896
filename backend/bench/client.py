"""The client of all measurements: prepared bytes over kept connections, in one thread, by nothing but sockets.

It looks at every answer: the first is decoded, and all that follow have to have the same body.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

from bench.wire import HOST, WrongAnswerError

RECEIVE_BYTES = 1024 * 1024
TIMEOUT_SECONDS = 30.0

LAST_CHUNK = b"\r\n0\r\n\r\n"
"""It has a line before it, or the trailers `grpc-status: 0` at the end of a chunk would look the same."""

Check = Callable[[bytes], None]
"""Raises `WrongAnswerError` for a body that is not the right answer."""


class Request(NamedTuple):
    """What is asked, again and again, and what tells whether the answer is right."""

    data: bytes
    check: Check


class Answer:
    """An HTTP/1.1 answer as it arrives."""

    __slots__ = ("_end", "_is_chunked", "_pieces", "_size", "body_start")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._end = 0
        self._is_chunked = False
        self.body_start = 0

    def receive(self, data: bytes) -> bool:
        """Takes what has arrived. Gives whether the answer is whole. Raises `WrongAnswerError` for a failure."""
        self._pieces.append(data)
        self._size += len(data)
        if not self.body_start and not self._read_head():
            return False
        if self._is_chunked:
            return (data if len(data) >= len(LAST_CHUNK) else self._joined()).endswith(LAST_CHUNK)
        return self._size >= self._end

    def _joined(self) -> bytes:
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0]

    def _read_head(self) -> bool:
        data = self._joined()
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = data[:end].lower()
        if not head.startswith(b"http/1.1 200"):
            raise WrongAnswerError(f"not the answer 200: {data[:500]!r}")
        self.body_start = end + 4
        self._is_chunked = b"\r\ntransfer-encoding: chunked" in head
        if not self._is_chunked:
            _, _, rest = head.partition(b"\r\ncontent-length:")
            self._end = self.body_start + int(rest.partition(b"\r\n")[0])
        return True

    @property
    def received(self) -> int:
        """How many bytes of the body have arrived, with the lengths of chunks if there are any."""
        return self._size - self.body_start if self.body_start else 0

    def raw_body(self) -> bytes:
        """Gives the body as it came over the connection."""
        return self._joined()[self.body_start :]

    def body(self) -> bytes:
        """Gives the body, which has to be whole."""
        return without_chunks(self.raw_body()) if self._is_chunked else self.raw_body()


def without_chunks(raw: bytes) -> bytes:
    """Gives the content of a body in chunks (RFC 9112, section 7.1)."""
    pieces: list[bytes] = []
    at = 0
    while True:
        line = raw.index(b"\r\n", at)
        length = int(raw[at:line].partition(b";")[0], 16)
        if not length:
            return b"".join(pieces)
        pieces.append(raw[line + 2 : line + 2 + length])
        at = line + 2 + length + 2


def connected(port: int) -> socket.socket:
    """Gives a connection to a server on this machine."""
    connection = socket.create_connection((HOST, port), timeout=TIMEOUT_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def call(port: int, request: Request) -> bytes:
    """Makes one call and gives the body of its answer, which has been checked."""
    with connected(port) as connection:
        connection.sendall(request.data)
        answer = Answer()
        while not answer.receive(_received(connection)):
            pass
    body = answer.body()
    request.check(body)
    return body


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(RECEIVE_BYTES)
    if not data:
        raise WrongAnswerError("the server has closed the connection")
    return data


class Load:
    """So many connections, each of which asks as soon as it is answered."""

    def __init__(self, port: int, request: Request, connections: int) -> None:
        self._request = request
        self._good_body = b""
        self._selector = selectors.DefaultSelector()
        self._answers: dict[socket.socket, Answer] = {}
        for _ in range(connections):
            connection = connected(port)
            self._answers[connection] = Answer()
            self._selector.register(connection, selectors.EVENT_READ)

    def start(self) -> None:
        """Asks once on each connection."""
        for connection in self._answers:
            connection.sendall(self._request.data)

    def run(self, seconds: float) -> int:
        """Goes on for so long. Gives the number of answers."""
        count = 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            count += self._step(goes_on=True)
        return count

    def finish(self) -> int:
        """Waits for the answers that are due, and asks for no more. Gives their number."""
        count = 0
        while self._selector.get_map():
            count += self._step(goes_on=False)
        return count

    def _step(self, *, goes_on: bool) -> int:
        count = 0
        ready = self._selector.select(TIMEOUT_SECONDS)
        if not ready:
            raise WrongAnswerError(f"no answer within {TIMEOUT_SECONDS:g} s")
        for key, _ in ready:
            connection: socket.socket = key.fileobj  # type: ignore[assignment]
            answer = self._answers[connection]
            if not answer.receive(_received(connection)):
                continue
            count += 1
            self._check(answer)
            if goes_on:
                self._answers[connection] = Answer()
                connection.sendall(self._request.data)
            else:
                self._selector.unregister(connection)
        return count

    def _check(self, answer: Answer) -> None:
        raw = answer.raw_body()
        if raw != self._good_body:
            self._request.check(answer.body())
            self._good_body = raw

    def close(self) -> None:
        """Closes the connections."""
        self._selector.close()
        for connection in self._answers:
            connection.close()


def open_streams(port: int, request: Request, number: int) -> list[socket.socket]:
    """Opens streams that stay open, and waits until each has had the first piece of its body."""
    with contextlib.ExitStack() as opened:
        streams = [_open_stream(opened.enter_context(connected(port)), request) for _ in range(number)]
        opened.pop_all()  # they stay open, unless one of them could not be opened
    return streams


def _open_stream(connection: socket.socket, request: Request) -> socket.socket:
    connection.sendall(request.data)
    answer = Answer()
    while not answer.received:
        if answer.receive(_received(connection)):
            raise WrongAnswerError("the stream has ended")
    return connection
