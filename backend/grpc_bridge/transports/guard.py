"""What stops a handler that runs in a task: the deadline, the disconnect, `context.cancel()`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Protocol

from grpc_bridge.context import CallContext
from grpc_bridge.protocol.status import StatusCode, StatusError


class Closable(Protocol):
    """What has to be told that the call is over."""

    def close(self) -> None:
        """The call is over."""


class HandlerGuard:
    """Around the part of a task that belongs to the handler: cancels it when its call ends early.

    The handler shares its task with the server, so a cancellation of ours must not be taken for the server's, nor hit
    what the task does after the handler. No other task is made for a handler that never waits.
    """

    _over = False
    _cancelled = False
    _timer: asyncio.TimerHandle | None = None
    _watch_handle: asyncio.Handle | None = None
    _watcher: asyncio.Task[None] | None = None

    def __init__(self, context: CallContext, request: Closable) -> None:
        self._context = context
        self._request = request
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> HandlerGuard:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._context.on_terminate = self._terminated
        if self._context.deadline is not None:
            self._timer = self._loop.call_later(self._context.deadline - time.monotonic(), self._context.expire)
        return self

    def watch(self, watcher: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs `watcher` beside the handler from the first time that this task waits."""
        self._watch_handle = self._loop.call_soon(self._start_watcher, watcher)

    def _start_watcher(self, watcher: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._watcher = self._loop.create_task(watcher())
        self._watcher.add_done_callback(self._watcher_done)

    def _watcher_done(self, watcher: asyncio.Task[None]) -> None:
        if not watcher.cancelled() and watcher.exception() is not None:
            self._context.disconnect()  # a server whose receive() fails has no caller for us any more

    def _terminated(self) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if not self._over:
            self._cancelled = True
            self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._over = True
        self._context.on_terminate = None  # or guard and context would keep each other until a garbage collection
        if self._timer is not None:
            self._timer.cancel()
        if self._watch_handle is not None:
            self._watch_handle.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        left = self._task.uncancel() if self._cancelled else self._task.cancelling()
        ours = kind is not None and issubclass(kind, asyncio.CancelledError) and left == 0
        if ours:  # a no-op if the call ended early; else the handler cancelled itself
            self._context.reject(StatusError(StatusCode.CANCELLED, "Cancelled on the server side"))
        elif kind is not None:
            self._context.disconnect()
        self._context.finish()
        self._request.close()
        return ours
