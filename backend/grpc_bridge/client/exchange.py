"""What carries a sync call over HTTP/1.1: a request on the channel's event loop, as the caller's threads see it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from grpc_bridge.calling.aio_exchange import UNSENT_FRAMES
from grpc_bridge.calling.answer import Outcome, call_all, request_failed
from grpc_bridge.calling.method import RequestError, StubMethod, request_frame
from grpc_bridge.calling.sync_exchange import SyncExchange
from grpc_bridge.client.http import HttpExchange
from grpc_bridge.protocol.compression import Encoding
from grpc_bridge.protocol.status import StatusError

if TYPE_CHECKING:
    from grpc_bridge.client.loop_thread import LoopThread


class LoopExchange(SyncExchange):
    """A request on an event loop. The condition guards what threads share, and tells them of changes.

    A stream of requests is taken from its iterator in a thread of its own, because it may wait for responses.
    """

    def __init__(
        self,
        channel: object,
        thread: LoopThread,
        http: HttpExchange,
        method: StubMethod,
        request: Any,
        encoding: Encoding | None,
    ) -> None:
        super().__init__(http.answer)
        self._channel = channel  # which closes itself when nobody has it
        self._thread = thread
        self._http = http
        self._method = method
        self._request = request
        self._encoding = encoding
        self._condition = threading.Condition()
        self._callbacks: list[Callable[[], object]] | None = []  # None when they have been called
        http.on_change = self._tell
        http.add_end_callback(self.call_back)

    def begin(self, *, to_the_end: bool) -> None:
        if self._method.request_streaming:
            run = copy_context().run
            threading.Thread(target=run, args=(self._pull,), name="grpc-web-requests", daemon=True).start()
        else:
            try:
                self._http.write_last(request_frame(self._method, self._request, self._encoding))
            except (RequestError, StatusError) as error:
                self._http.answer.end(request_failed(error))
        self._thread.start(self._http)

    def _pull(self) -> None:
        """Sends the requests as their iterator gives them, not many more than the server takes."""
        http, call_soon = self._http, self._thread.call_soon
        try:
            requests: Iterable[Any] = self._request
            for number, request in enumerate(requests, 1):
                frame = request_frame(self._method, request, self._encoding)
                call_soon(http.put, frame)
                self.wait_for(lambda: number - http.sent_frames < UNSENT_FRAMES or not http.is_open)  # noqa: B023
                if not http.is_open:
                    return
            call_soon(http.write_last)
        except Exception as error:
            self.end(request_failed(error))

    def wait_for(self, condition: Callable[[], bool], timeout: float | None = None) -> bool:
        with self._condition:
            return self._condition.wait_for(condition, timeout)

    def take_message(self) -> Any:
        with self._condition:
            message = super().take_message()
        if self._http.is_held and not self._http.has_too_much:
            self._thread.call_soon(self._http.notify)
        return message

    def end(self, outcome: Outcome) -> bool:
        is_new = self._http.end(outcome)
        self._tell()
        return is_new

    def add_end_callback(self, callback: Callable[[], object]) -> bool:
        with self._condition:
            if self._callbacks is None:
                return False
            self._callbacks.append(callback)
            return True

    def _tell(self) -> None:
        with self._condition:
            self._condition.notify_all()

    def call_back(self) -> None:
        """In a thread of their own, because callbacks may make calls, which the event loop has to carry."""
        with self._condition:
            callbacks, self._callbacks = self._callbacks, None
            self._condition.notify_all()
        self._http.on_change = None  # the call is over, and nobody needs to hold the other any more
        if callbacks:
            threading.Thread(target=call_all, args=(callbacks,), name="grpc-web-callbacks", daemon=True).start()
