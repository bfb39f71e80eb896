"""Clients that hold servers up: they do not read what they have asked for, or send one byte after the other."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.message import Message

from tests.servers import HOST
from tests.soak.answers import AnswerReader
from tests.soak.caller import Method, Route

RECEIVE_BUFFER_BYTES = 4096
"""As little as the system lets a client have, so that what is not read waits in the server, or is not made."""

READING_BUFFER_BYTES = 1024 * 1024
PIECE_BYTES = 64 * 1024


class Crowd:
    """Some connections of such clients. They are closed with the block."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self._last = contextlib.ExitStack()

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        self._last.close()

    def __len__(self) -> int:
        return len(self._sockets)

    def ask(self, route: Route, method: Method[Any], message: Message, cookie: str = "") -> socket.socket:
        """Makes a call and reads nothing of its answer."""
        return self.connect(route, route.request(method.path, message, cookie))

    def connect(self, route: Route, data: bytes) -> socket.socket:
        """Opens a connection and sends something."""
        connection = self._last.enter_context(socket.socket())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        connection.connect((HOST, route.port))
        connection.sendall(data)
        connection.setblocking(False)
        self._sockets.append(connection)
        return connection

    async def drip(self, seconds: float, pause_seconds: float, byte: bytes) -> list[float | None]:
        """Sends a byte by each connection again and again. Gives after how many seconds each was ended by its server,
        in whichever way, None for those that were not."""
        began = time.monotonic()
        ended: dict[socket.socket, float] = {}
        while time.monotonic() - began < seconds and len(ended) < len(self._sockets):
            for connection in self._sockets:
                if connection not in ended and not _goes_on(connection, byte):
                    ended[connection] = time.monotonic() - began
            await asyncio.sleep(pause_seconds)
        return [ended.get(connection) for connection in self._sockets]


def _goes_on(connection: socket.socket, byte: bytes) -> bool:
    """Sends a byte. Gives whether the server has said nothing and still listens."""
    try:
        connection.send(byte)
    except BlockingIOError:
        pass
    except OSError:
        return False
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def read_on(connection: socket.socket, route: Route, seconds: float) -> Iterator[bytes]:
    """Begins to read after all. Gives the messages; raises `TimeoutError` when nothing comes any more for so long."""
    connection.settimeout(seconds)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, READING_BUFFER_BYTES)
    reader = AnswerReader(is_text=route.is_text)
    while reader.outcome is None:
        yield from reader.receive_data(connection.recv(PIECE_BYTES))


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return sorted(values)[len(values) // 2]
