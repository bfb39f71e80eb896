"""Handlers that WSGI cannot run itself: `async def` ones, and those with a deadline to be held.

They run on the process's background loop, served by the ASGI transport; the WSGI server's thread only carries bytes. It
alone touches `wsgi.input` and gives the answer, so nothing of the server is used from two threads.
"""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Iterator
from typing import Any

from grpc_bridge.call import Call
from grpc_bridge.executors import background_loop
from grpc_bridge.protocol.status import StatusError
from grpc_bridge.transports.asgi import serve_call
from grpc_bridge.transports.asgi_request import Event
from grpc_bridge.transports.wsgi_body import WsgiBody

_DISCONNECT: Event = {"type": "http.disconnect"}
_READ: Event = {"type": "read"}


def serve_on_loop(call: Call, body: WsgiBody, start_response: Callable[..., Any]) -> Iterator[bytes]:
    """Gives the answer of a call that runs on the background loop. Closed early, it has lost its caller."""
    exchange = _Exchange(background_loop())
    exchange.start(call)
    try:
        for event in exchange.events():
            if event is _READ:
                exchange.give(_read(body))
            elif event["type"] == "http.response.start":
                headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event["headers"]]
                start_response(f"{event['status']} OK", headers)
            else:
                yield event["body"]
                exchange.taken()
        body.discard()
    finally:
        exchange.disconnect()


def _read(body: WsgiBody) -> Event:
    try:
        data = body.read()
    except StatusError:
        return _DISCONNECT
    return {"type": "http.request", "body": data, "more_body": bool(data)}


class _Exchange:
    """One call on the loop, seen from the server's thread: it takes events in turn and answers those that ask."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._asked: asyncio.Future[Event] | None = None
        self._sent: asyncio.Future[None] | None = None
        self._body_ended = False
        self._disconnected = False

    # In the server's thread.

    def start(self, call: Call) -> None:
        """Starts the call on the loop."""
        # Nothing is read ahead: while the thread waits for the caller to send, it cannot give him an answer.
        serving = serve_call(call, self._receive, self._send, read_ahead_bytes=0)
        self._future = asyncio.run_coroutine_threadsafe(serving, self._loop)
        self._future.add_done_callback(lambda _: self._events.put(None))

    def events(self) -> Iterator[Event]:
        """Gives what the loop sends or asks for, until the call is over. Raises what the call on the loop raised."""
        while (event := self._events.get()) is not None:
            yield event
        self._future.result()

    def give(self, event: Event) -> None:
        """Gives the loop the piece of the request that it has asked for."""
        self._loop.call_soon_threadsafe(self._on_given, event)

    def taken(self) -> None:
        """Tells the loop that the server has taken the bytes of the answer."""
        self._loop.call_soon_threadsafe(self._on_taken)

    def disconnect(self) -> None:
        """Tells the loop that the caller has gone. After the end of the call it changes nothing."""
        self._loop.call_soon_threadsafe(self._on_disconnect)

    # On the loop.

    async def _receive(self) -> Event:
        if self._disconnected:
            return _DISCONNECT
        self._asked = self._loop.create_future()
        if not self._body_ended:
            self._events.put(_READ)
        event = await self._asked
        self._body_ended = not event.get("more_body", False)
        return event

    async def _send(self, event: Event) -> None:
        if self._disconnected:
            return
        self._events.put(event)
        if event.get("more_body"):
            self._sent = self._loop.create_future()
            await self._sent

    def _on_given(self, event: Event) -> None:
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(event)

    def _on_taken(self) -> None:
        if self._sent is not None and not self._sent.done():
            self._sent.set_result(None)

    def _on_disconnect(self) -> None:
        self._disconnected = True
        self._on_given(_DISCONNECT)
        self._on_taken()
