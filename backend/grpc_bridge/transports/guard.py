"""What is around a handler that runs in a task, and what stops it: the deadline, the disconnect, `context.cancel()`."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Protocol

from grpc_bridge import call_id
from grpc_bridge.call import Call
from grpc_bridge.limits import StreamClock, leave, too_late


class Request(Protocol):
    """What is asked of the request's body."""

    async def watch(self) -> None:
        """Runs beside the handler and ends the call when its caller goes. Does not raise."""

    def close(self) -> None:
        """The call is over."""


class HandlerGuard:
    """Around the part of a task that belongs to a call: cancels it when the call ends early, lets the call go after it.

    The handler shares its task with the server, so a cancellation of ours must not be taken for the server's, nor hit
    what the task does after the handler. For a call that never waits neither a task nor a timer is made, unless it has
    a deadline.
    """

    __slots__ = (
        "_body_timer", "_call", "_cancelled", "_context", "_deadline", "_handle", "_loop", "_over", "_request",
        "_request_is_there", "_task", "_token", "_watcher",
    )  # fmt: skip

    def __init__(self, call: Call, request: Request) -> None:
        self._call = call
        self._context = call.context
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._over = self._cancelled = self._request_is_there = False
        self._handle: asyncio.Handle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._body_timer: asyncio.TimerHandle | None = None
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> HandlerGuard:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._token = call_id.begin(self._context)
        self._context.on_terminate = self._terminated
        if self._context.deadline is not None:
            self._deadline = self._loop.call_later(self._context.deadline - time.monotonic(), self._context.expire)
        method = self._call.method
        if (method.request_streaming or method.response_streaming) and self._call.settings.limits_stream_time:
            self._call.clock = StreamClock(self._call, self._loop)
        self._handle = self._loop.call_soon(self._task_waits)
        if not self._context.active:
            self._terminated()  # of a call that began before its guard: nobody could be told of its end
        return self

    def request_is_there(self) -> None:
        """The handler begins: the request is watched from now on, and no longer waited for."""
        self._request_is_there = True
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._handle = self._loop.call_soon(self._task_waits)

    def _task_waits(self) -> None:
        """Called when the task waits for the first time: for the request, or in the handler."""
        self._handle = None  # streams wait long, and there may be very many
        if self._request_is_there:
            self._watcher = self._loop.create_task(self._request.watch())
        else:
            self._body_timer = self._loop.call_later(self._call.settings.request_body_seconds, self._request_is_late)

    def _request_is_late(self) -> None:
        error = too_late(self._call)
        self._context.terminate(error.code, error.message)

    def _terminated(self) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if not self._over and not self._cancelled:
            self._cancelled = True
            self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        leave(self._context)
        self._over = True
        # Or context, guard and answer would keep each other until a garbage collection.
        self._context.on_terminate = self._context.on_initial_metadata = None
        if self._handle is not None:
            self._handle.cancel()
        if self._deadline is not None:
            self._deadline.cancel()
        if self._body_timer is not None:
            self._body_timer.cancel()
        if self._call.clock is not None:
            self._call.clock.stop()
        if self._watcher is not None:
            self._watcher.cancel()
        left = self._task.uncancel() if self._cancelled else self._task.cancelling()
        ours = kind is not None and issubclass(kind, asyncio.CancelledError) and left == 0
        if ours:  # a no-op if the call ended early; else the handler cancelled itself
            self._context.give_up()
        elif kind is not None:
            self._context.disconnect()
        self._context.finish()
        self._request.close()
        call_id.end(self._token)
        return ours
