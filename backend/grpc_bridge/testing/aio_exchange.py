"""One request of the async test client through the ASGI application, in a task of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any

from grpc_bridge.testing.calls import Answer, Outcome
from grpc_bridge.transports.asgi_request import Event, Scope

UNREAD_BYTES = 64 * 1024
"""While so many bytes of responses have not been read, the handler waits, as for a caller that is slow."""

UNSENT_EVENTS = 16
"""While the bridge has not received so many messages, a write waits."""


class Exchange:
    """What stands for the server: the request's events for the application, and the answer that it sends."""

    def __init__(
        self,
        application: Callable[..., Awaitable[None]],
        scope: Scope,
        answer: Answer,
        keep_cookie: Callable[[str], object],
    ) -> None:
        self._application = application
        self._scope = scope
        self._keep_cookie = keep_cookie
        self._events: deque[Event] = deque()
        self._changed = asyncio.Event()
        self._is_open = True
        self._on_end: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self.answer = answer
        self.reads_to_end = False
        """Whether somebody waits for the status, so that responses that nobody takes must not stop the handler."""

    def start(self, context: Context) -> asyncio.Task[None]:
        """Starts the application, in a task that it gives."""
        self._task = asyncio.get_running_loop().create_task(self._run(), context=context)
        return self._task

    async def _run(self) -> None:
        try:
            await self._application(self._scope, self._receive, self._send)
        finally:
            self.end(None)

    def add_end_callback(self, callback: Callable[[], None]) -> None:
        """Calls `callback` as soon as the call has its outcome."""
        self._on_end.append(callback)

    def end(self, outcome: Outcome | None) -> None:
        """Ends the call, with `outcome` if the answer has no other: what it still sends is dropped."""
        self.answer.end(outcome)
        self._is_open = False
        self._notify()

    def _notify(self) -> None:
        """Wakes whoever waits for a change, and nobody who comes later."""
        self._changed.set()
        self._changed.clear()
        if self.answer.outcome is not None:
            callbacks, self._on_end = self._on_end, []
            for callback in callbacks:
                callback()

    async def change(self) -> None:
        """Waits for a change of the answer."""
        await self._changed.wait()

    async def finished(self) -> None:
        """Waits for the end of the application. Raises what it raises, which is an error of the bridge."""
        self.reads_to_end = True
        self._notify()
        if self._task is not None:
            await asyncio.wait((self._task,))
            if not self._task.cancelled():
                self._task.result()

    def taken(self) -> None:
        """A response has been taken."""
        self._notify()

    async def write(self, frame: bytes) -> None:
        """Sends a piece of the request."""
        self.write_last(frame, more=True)
        while len(self._events) >= UNSENT_EVENTS and self._is_open:
            await self.change()

    def write_last(self, frame: bytes = b"", *, more: bool = False) -> None:
        """Sends the last piece of the request."""
        self._events.append({"type": "http.request", "body": frame, "more_body": more})
        self._notify()

    async def _receive(self) -> Event:
        while self._is_open and not self._events:
            await self.change()
        if not self._is_open:
            return {"type": "http.disconnect"}
        event = self._events.popleft()
        self._notify()
        return event

    async def _send(self, event: dict[str, Any]) -> None:
        if not self._is_open:
            return
        if event["type"] == "http.response.start":
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event["headers"]]
            self.answer.start(event["status"], headers)
            for cookie in self.answer.cookies:
                self._keep_cookie(cookie)
        else:
            self.answer.receive_data(event.get("body", b""))
            if self.answer.outcome is not None or not event.get("more_body", False):
                self.end(None)
        self._notify()
        while self.answer.waiting_bytes > UNREAD_BYTES and self._is_open and not self.reads_to_end:
            await self.change()
