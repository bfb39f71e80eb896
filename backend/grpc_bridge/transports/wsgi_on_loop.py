"""Handlers that WSGI cannot run itself: `async def` ones, and those with a deadline to be held.

They run on the process's background loop, as under ASGI; the WSGI server's thread only carries bytes. It alone touches
`wsgi.input` and gives the answer, so nothing of the server is used from two threads.
"""

from __future__ import annotations

import asyncio
import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any

from grpc_bridge.call import Call
from grpc_bridge.executors import background_loop
from grpc_bridge.loops import callers_thread
from grpc_bridge.protocol.status import StatusError
from grpc_bridge.transports.asgi import serve_call
from grpc_bridge.transports.asgi_request import Event
from grpc_bridge.transports.wsgi_body import WsgiBody
from grpc_bridge.transports.wsgi_reply import Reply

_READ = "read"


def serve_on_loop(call: Call, reply: Reply) -> Iterator[bytes]:
    """Gives the answer of a call that runs on the background loop. Closed early, it has lost its caller."""
    body = reply.body
    messages = body.messages(call) if call.method.request_streaming else _one(body, call)
    exchange = _Exchange(background_loop(), messages)
    exchange.start(call)
    trailers: list[tuple[str, str]] = []
    try:
        for event in exchange.events():
            if event["type"] == "http.response.start":
                reply.start(event["status"], _decoded(event["headers"]))
            elif event["type"] == "http.response.trailers":
                trailers = _decoded(event["headers"])
            else:
                yield event["body"]
                exchange.taken()
        reply.end(trailers)
    finally:
        exchange.disconnect()


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _one(body: WsgiBody, call: Call) -> Iterator[bytes]:
    yield body.only_message(call)


def _nothing() -> None:
    """An event that wakes the thread."""


class _Exchange:
    """One call between the loop and the server's thread, which takes events in turn and answers those that ask.

    To the call it is the request's body and the ASGI `send`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, messages: Iterator[bytes]) -> None:
        self._loop = loop
        self._messages = messages
        self._events: queue.SimpleQueue[Event | Callable[[], None] | None] = queue.SimpleQueue()
        self._put_off: deque[Event | None] = deque()
        self._asked: asyncio.Future[bytes | None] | None = None
        self._sent: asyncio.Future[None] | None = None
        self._gone = asyncio.Event()
        self._is_over = False

    # In the server's thread.

    def start(self, call: Call) -> None:
        """Starts the call on the loop."""
        self._call = call
        thread = callers_thread.get()
        if thread is not None:
            thread.waits(self._events.put, self._rest, self._serve_until)
        self._future = asyncio.run_coroutine_threadsafe(serve_call(call, self, self._send), self._loop)
        self._future.add_done_callback(lambda _: self._events.put(None))

    def events(self) -> Iterator[Event]:
        """Gives what the loop sends, until the call is over. Raises what the call on the loop raised."""
        while (event := self._next()) is not None:
            yield event
        self._is_over = True
        self._future.result()

    def _next(self) -> Event | None:
        """Gives the next event that is for the server, and does what the others ask for."""
        while not self._put_off:
            event = self._events.get()
            if callable(event):
                event()
            elif event is not None and event["type"] == _READ:
                self._read()
            else:
                return event
        return self._put_off.popleft()

    def _serve_until(self, future: Future[Any]) -> None:
        """The same for sync code that this thread runs as one of the events; what is for the server has to wait."""
        future.add_done_callback(lambda _: self._events.put(_nothing))
        while not future.done():
            event = self._events.get()
            if callable(event):
                event()
            elif event is not None and event["type"] == _READ:
                self._read()
            else:
                self._put_off.append(event)

    def _read(self) -> None:
        """Reads the next message and gives it to the loop, or the error that it was."""
        try:
            self._loop.call_soon_threadsafe(self._on_read, next(self._messages, None), None)
        except StatusError as error:
            self._loop.call_soon_threadsafe(self._on_read, None, error)

    def taken(self) -> None:
        """Tells the loop that the server has taken the bytes of the answer."""
        self._loop.call_soon_threadsafe(self._on_taken)

    def disconnect(self) -> None:
        """Tells the loop that the caller has gone. After the end of the call it changes nothing."""
        self._loop.call_soon_threadsafe(self._on_disconnect)

    def _rest(self) -> None:
        if not self._is_over:
            deque(self.events(), maxlen=0)

    # On the loop.

    async def only_message(self) -> bytes:
        """Gives the one message of the request. Raises `StatusError` for bad input."""
        message = await self.next()
        assert message is not None  # `WsgiBody.only_message` raises instead
        return message

    async def next(self) -> bytes | None:
        """Gives the next message, None after the last. Raises `StatusError` for bad input."""
        self._asked = self._loop.create_future()
        self._events.put({"type": _READ})
        return await self._asked

    async def watch(self) -> None:
        """Ends the call when its caller goes."""
        await self._gone.wait()
        self._call.context.disconnect()

    def close(self) -> None:
        """The call is over: whoever waits for a message stops waiting."""
        if self._asked is not None:
            self._asked.cancel()

    async def _send(self, event: Event) -> None:
        if self._gone.is_set():
            return
        self._events.put(event)
        if event.get("more_body"):
            self._sent = self._loop.create_future()
            await self._sent

    def _on_read(self, message: bytes | None, error: StatusError | None) -> None:
        if self._asked is None or self._asked.done():
            return
        if error is None:
            if self._call.clock is not None:
                self._call.clock.message_passed()
            self._asked.set_result(message)
        else:
            self._asked.set_exception(error)

    def _on_taken(self) -> None:
        if self._sent is not None and not self._sent.done():
            self._sent.set_result(None)

    def _on_disconnect(self) -> None:
        self._gone.set()
        self._on_taken()
