"""How the two sides of a call meet that run apart, in an event loop and in a thread. No more moves than is asked for.

Nothing here knows a protocol or a handler.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor, Future
from contextvars import Context
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

from grpc_bridge.loops import (
    LOOP_CHECK_SECONDS,
    Outcome,
    callers_thread,
    outcome,
    run_on_loop,
    set_result,
    settle,
    tell_loop,
    wait_for,
)

T = TypeVar("T")


class MessageStream(Protocol):
    """The request messages of a call as they arrive."""

    async def next(self) -> bytes | None:
        """Gives the next message, None after the last. Raises `StatusError` for bad input."""


class LoopMessages:
    """The messages of a stream on `loop` for a thread: asks for one when the handler does, and waits for it.

    Iteration raises `grpc.RpcError` when the loop has given the call up meanwhile.
    """

    def __init__(self, next_message: Callable[[], Awaitable[Any]], loop: asyncio.AbstractEventLoop) -> None:
        self._next_message = next_message
        self.loop = loop

    def __iter__(self) -> LoopMessages:
        return self

    def __next__(self) -> Any:
        """Gives the next message. The end of a stream is None, as in `MessageStream`."""
        message = wait_for(run_on_loop(self.next(), self.loop), self.loop)
        if message is None:
            raise StopIteration
        return message

    async def next(self) -> Any:
        """From the loop: gives the next message, None after the last."""
        return await self._next_message()


class ServingThread(Executor):
    """A thread at the service of a call: it runs what the call's tasks submit, and carries what they send to it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._inbox: queue.SimpleQueue[_Job | _Item | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._ended = False
        self._arrived: Future[None] = Future()
        self._at_end: list[Callable[[], object]] = []

    def serve(self) -> Iterator[Any]:
        """In the thread: runs what is submitted and gives what is sent, until `end`, or the end of the loop."""
        try:
            while (entry := self._next()) is not None:
                if isinstance(entry, _Item):
                    yield entry.value
                elif entry.future.set_running_or_notify_cancel():
                    entry.run()
        finally:
            self._give_up()
            for function in self._at_end:
                function()

    def at_end(self, function: Callable[[], object]) -> None:
        """From anywhere, while the thread serves: has it call `function`, which must not raise, when it is through."""
        self._at_end.append(function)

    def _next(self) -> _Job | _Item | None:
        caller = callers_thread.get()
        while True:
            if caller is not None:
                caller.serve_until(self._arrival())
            try:
                return self._inbox.get(timeout=LOOP_CHECK_SECONDS)
            except queue.Empty:
                if self._loop.is_closed():
                    return None

    def _arrival(self) -> Future[None]:
        """Gives what is done as soon as the inbox is not empty."""
        with self._lock:
            self._arrived = Future()
            if not self._inbox.empty():
                self._arrived.set_result(None)
            return self._arrived

    def _put(self, entry: _Job | _Item | None) -> None:
        with self._lock:
            if self._ended and isinstance(entry, _Job):
                raise RuntimeError("the thread has left the call")
            self._inbox.put(entry)
            if not self._arrived.done():
                self._arrived.set_result(None)

    def _give_up(self) -> None:
        """Nobody shall wait for what is not run any more."""
        with self._lock:
            self._ended = True
        while not self._inbox.empty():
            entry = self._inbox.get()
            if isinstance(entry, _Job):
                entry.future.cancel()

    def submit(self, function: Callable[..., T], /, *arguments: Any, **keywords: Any) -> Future[T]:
        """From anywhere: has the thread run `function`. Raises `RuntimeError` when it serves no more."""
        job = _Job(Future(), partial(function, *arguments, **keywords))
        self._put(job)
        return job.future

    def end(self) -> None:
        """From anywhere: the thread is free after what it has been given before."""
        self._put(None)

    async def run(self, context: Context, function: Callable[..., T], *arguments: Any) -> T:
        """From the loop: runs `function` in the thread and gives its result, or raises its error."""
        settled: asyncio.Future[Outcome[T]] = self._loop.create_future()
        self.submit(settle, self._loop, settled, context, function, *arguments)
        return outcome(await settled)

    async def send(self, value: object) -> None:
        """From the loop: hands `value` to `serve`, and waits until the thread comes back for more."""
        taken: asyncio.Future[None] = self._loop.create_future()
        self._put(_Item(value))
        self.submit(tell_loop, self._loop, set_result, taken, None)
        await taken


class _Job(NamedTuple):
    future: Future[Any]
    function: Callable[[], Any]

    def run(self) -> None:
        try:
            result = self.function()
        except BaseException as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class _Item(NamedTuple):
    value: object


class FrameQueue:
    """Frames from a thread to an event loop. The thread waits while more than `max_bytes` are not taken.

    Whoever takes frames comes back for more when these are sent.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, max_bytes: int = 64 * 1024) -> None:
        self._loop = loop
        self._max_bytes = max_bytes
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._ended = False
        self._closed = False
        self._waiter: asyncio.Future[None] | None = None
        self._idle = asyncio.Event()

    def put(self, frame: bytes) -> bool:
        """From the thread: adds a frame, once there is room. Gives False when nobody takes frames any more."""
        with self._changed:
            while self._bytes > self._max_bytes and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            self._frames.append(frame)
            self._bytes += len(frame)
            if len(self._frames) == 1 and not tell_loop(self._loop, self._wake):
                self._closed = True
            return not self._closed

    def end(self) -> None:
        """From the loop: no frame follows."""
        self._ended = True
        self._wake()

    def close(self) -> None:
        """From the loop: frames are not wanted any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._idle.set()

    async def sent(self) -> None:
        """From the loop: waits until what was put before is sent, or not wanted any more."""
        with self._changed:
            if self._frames and not self._closed:
                self._idle.clear()
        await self._idle.wait()

    async def take(self) -> bytes:
        """From the loop: gives all frames that are ready, joined; waits for one if none is. Gives b"" after the end."""
        while True:
            with self._changed:
                if self._frames:
                    ready = b"".join(self._frames)
                    self._frames.clear()
                    self._bytes = 0
                    self._changed.notify_all()
                    self._idle.clear()
                    return ready
                self._idle.set()
                if self._ended:
                    return b""
                self._waiter = self._loop.create_future()
            await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
