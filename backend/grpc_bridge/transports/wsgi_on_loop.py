"""Handlers that WSGI cannot run itself: `async def` ones, and those that stream and have a deadline to be held.

They run on the process's background loop, as under ASGI; the WSGI server's thread only carries bytes. It alone touches
`wsgi.input` and gives the answer, so nothing of the server is used from two threads. Over HTTP/2 it does both at once;
else a request that is waited for holds up what is to be sent.
"""

from __future__ import annotations

import asyncio
import time
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
from grpc_bridge.transports.wsgi_http2 import Http2Stream, Mailbox
from grpc_bridge.transports.wsgi_reply import Reply

_READ = "read"
_END = b"the end of the messages"  # which is told from all others by its identity


def serve_on_loop(call: Call, reply: Reply) -> Iterator[bytes]:
    """Gives the answer of a call that runs on the background loop. Closed early, it has lost its caller."""
    exchange = _Exchange(background_loop(), reply.body)
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
        if exchange.has_lost_caller:
            reply.start_stream(call)  # to a server an answer that never began would be a fault of the application
        else:
            reply.end(trailers)
    finally:
        exchange.disconnect()
        exchange.release()


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _one(body: WsgiBody, call: Call) -> Iterator[bytes | None]:
    yield body.only_message(call)


def _nothing() -> None:
    """An event that wakes the thread."""


class _Exchange:
    """One call between the loop and the server's thread, which takes events in turn and answers those that ask.

    To the call it is the request's body and the ASGI `send`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, body: WsgiBody) -> None:
        self._loop = loop
        self._body = body
        self._stream = body.stream
        self._is_reading = False
        self.has_lost_caller = False
        """Whether the caller is known to have gone."""
        self._events: Mailbox[Event | Callable[[], None] | None] = Mailbox()
        self._put_off: deque[Event | None] = deque()
        self._asked: asyncio.Future[bytes | None] | None = None
        self._sent: asyncio.Future[None] | None = None
        self._gone = asyncio.Event()
        self._is_over = False
        self._is_closed = False

    # In the server's thread.

    def start(self, call: Call) -> None:
        """Starts the call on the loop."""
        self._call = call
        self._messages = self._body.arriving(call) if call.method.request_streaming else _one(self._body, call)
        thread = callers_thread.get()
        if thread is not None:
            thread.waits(self._events.put, self._rest, self._serve_until)
        self._future = asyncio.run_coroutine_threadsafe(serve_call(call, self, self._send), self._loop)
        events = self._events  # a future keeps its callbacks, and this keeps the future: neither may keep the other
        self._future.add_done_callback(lambda _: events.put(None))

    def events(self) -> Iterator[Event]:
        """Gives what the loop sends, until the call is over. Raises what the call on the loop raised."""
        while (event := self._next()) is not None:
            yield event
        self._is_over = True
        self._future.result()

    def _next(self) -> Event | None:
        """Gives the next event that is for the server, and does what the others ask for."""
        while not self._put_off:
            if self._stream is not None:
                self._wait_beside(self._stream)
            event = self._events.get()
            if callable(event):
                event()
            elif event is not None and event["type"] == _READ:
                self._read()
            else:
                return event
        return self._put_off.popleft()

    def _wait_beside(self, stream: Http2Stream) -> None:
        """Waits for an event; reads meanwhile if that was asked for, and sees whether the caller has gone."""
        while not self.has_lost_caller:
            bell = self._events.bell()
            if not self._events.is_empty():
                return
            if stream.is_abandoned:
                self.has_lost_caller = True
                self.disconnect()
                return
            stream.look(max(self._body.give_up_at - time.monotonic(), 0.0) if self._is_reading else None, bell)
            if self._is_reading and not stream.is_abandoned:
                self._read()

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
        """Reads the next message and gives it to the loop, or the error that it was. If it is not there yet, it is read
        when it arrives."""
        message: bytes | None = None
        error: StatusError | None = None
        try:
            message = next(self._messages, _END)
            self._is_reading = message is None
        except StatusError as caught:
            error = caught.with_traceback(None)  # which has this frame: each would keep the other
            self._is_reading = False
        if not self._is_reading:
            self._loop.call_soon_threadsafe(self._on_read, None if message is _END else message, error)

    def taken(self) -> None:
        """Tells the loop that the server has taken the bytes of the answer."""
        self._loop.call_soon_threadsafe(self._on_taken)

    def disconnect(self) -> None:
        """Tells the loop that the caller has gone. After the end of the call it changes nothing."""
        self._loop.call_soon_threadsafe(self._on_disconnect)

    def release(self) -> None:
        """The thread waits no more."""
        self._events.close()

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
        """Gives the next message, None after the last.

        Raises `StatusError` for bad input and `CancelledError` when the call is over.
        """
        if self._is_closed:
            raise asyncio.CancelledError
        self._asked = self._loop.create_future()
        self._events.put({"type": _READ})
        return await self._asked

    async def watch(self) -> None:
        """Ends the call when its caller goes."""
        await self._gone.wait()
        self._call.context.disconnect()

    def close(self) -> None:
        """The call is over: whoever waits for a message stops waiting."""
        self._is_closed = True
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
