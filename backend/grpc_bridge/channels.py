"""How the two sides of a call meet that run apart: bytes between an event loop and a thread, no more than asked for.

Nothing here knows a protocol or a handler.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError
from typing import Protocol

import grpc


class MessageStream(Protocol):
    """The request messages of a call as they arrive."""

    async def next(self) -> bytes | None:
        """Gives the next message, None after the last. Raises `StatusError` for bad input."""


def iterate_from_thread(
    next_message: Callable[[], Awaitable[bytes | None]], loop: asyncio.AbstractEventLoop
) -> Iterator[bytes]:
    """Gives the messages of a stream on `loop` to a thread: asks for one when the handler does, and waits for it.

    Raises `grpc.RpcError` when the loop has given the call up meanwhile.
    """

    async def ask() -> bytes | None:
        return await next_message()

    while True:
        try:
            message = asyncio.run_coroutine_threadsafe(ask(), loop).result()
        except CancelledError:
            raise grpc.RpcError from None
        if message is None:
            return
        yield message


class FrameQueue:
    """Frames from a thread to an event loop. The thread waits while more than `max_bytes` are not taken."""

    def __init__(self, loop: asyncio.AbstractEventLoop, max_bytes: int = 64 * 1024) -> None:
        self._loop = loop
        self._max_bytes = max_bytes
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._ended = False
        self._closed = False
        self._waiter: asyncio.Future[None] | None = None

    def put(self, frame: bytes) -> bool:
        """From the thread: adds a frame, once there is room. Gives False when nobody takes frames any more."""
        with self._changed:
            while self._bytes > self._max_bytes and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            self._frames.append(frame)
            self._bytes += len(frame)
            if len(self._frames) == 1:
                self._loop.call_soon_threadsafe(self._wake)
            return True

    def end(self) -> None:
        """From the loop: no frame follows."""
        self._ended = True
        self._wake()

    def close(self) -> None:
        """From the loop: frames are not wanted any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def take(self) -> bytes:
        """From the loop: gives all frames that are ready, joined; waits for one if none is. Gives b"" after the end."""
        while True:
            with self._changed:
                if self._frames:
                    ready = b"".join(self._frames)
                    self._frames.clear()
                    self._bytes = 0
                    self._changed.notify_all()
                    return ready
                if self._ended:
                    return b""
                self._waiter = self._loop.create_future()
            await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
