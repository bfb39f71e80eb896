"""What carries a call of the async test client: one request through the ASGI application, in a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any

from grpc_bridge.calling.aio_exchange import AioExchange
from grpc_bridge.calling.answer import Answer
from grpc_bridge.transports.asgi_request import Event, Scope


class Exchange(AioExchange):
    """What stands for the server: the request's events for the application, and the answer that it sends."""

    def __init__(
        self,
        application: Callable[..., Awaitable[None]],
        scope: Scope,
        answer: Answer,
        keep_cookie: Callable[[str], object],
        context: Context,
    ) -> None:
        super().__init__(answer, context)
        self._application = application
        self._scope = scope
        self._keep_cookie = keep_cookie
        self._reads_to_end = False

    async def run(self) -> None:
        try:
            await self._application(self._scope, self._receive, self._send)
        finally:
            self.answer.end_of_body()
            self.notify()

    async def finished(self) -> None:
        """Waits for the end of the application. Raises what it raises, which is an error of the bridge.

        Responses that nobody takes do not stop the handler from now on: somebody waits for the status.
        """
        self._reads_to_end = True
        self.notify()
        if self._task is not None:
            await asyncio.wait((self._task,))
            if not self._task.cancelled():
                self._task.result()
        await super().finished()

    @property
    def has_too_much(self) -> bool:
        return super().has_too_much and not self._reads_to_end

    async def _receive(self) -> Event:
        piece = await self.next_piece()
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece.data, "more_body": piece.more}

    async def _send(self, event: dict[str, Any]) -> None:
        if not self.is_open:
            return
        if event["type"] == "http.response.start":
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event["headers"]]
            self.answer.start(event["status"], headers)
            for cookie in self.answer.cookies:
                self._keep_cookie(cookie)
        else:
            self.answer.receive_data(event.get("body", b""))
            if not event.get("more_body", False):
                self.answer.end_of_body()
        self.notify()
        await self.room_for_responses()
