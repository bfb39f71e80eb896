"""The request side of the ASGI transport: messages as they arrive, and the caller's disconnect."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import islice
from typing import Any

from grpc_bridge.call import Call
from grpc_bridge.protocol.status import StatusCode, StatusError

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]

READ_AHEAD_BYTES = 64 * 1024
"""While so many bytes of request messages wait for the handler, no more are received unless it asks."""

MESSAGE_OVERHEAD_BYTES = 64
"""What a waiting message counts for beyond its length, so that empty ones are not free."""


ASK_AGAIN_SECONDS = 5.0
"""How long gunicorn is asked for the next piece of a stream before it is asked anew. It takes a caller that sends
nothing for its `timeout` for gone, and over HTTP/2 it forgets who waits for a piece of a connection that is lost; both
only as long as it is not asked again."""


def patiently(receive: Receive) -> Receive:
    """Gives a `receive` for the pieces of a stream, which may be far apart. Not for what follows them."""
    if not getattr(receive, "__module__", "").startswith("gunicorn."):
        return receive

    async def ask() -> Event:
        while True:
            try:
                async with asyncio.timeout(ASK_AGAIN_SECONDS):
                    return await receive()
            except TimeoutError:
                continue

    return ask


class RequestBody:
    """The messages of a request. Only one coroutine receives at a time: ASGI has one queue for body and disconnect."""

    def __init__(self, call: Call, receive: Receive) -> None:
        self._call = call
        self._receive = receive
        self._receive_piece = patiently(receive) if call.method.request_streaming else receive
        self.ended = False
        """Whether the body has been received to its end, or nobody is there any more to send the rest."""
        self._closed = False
        self._watcher: asyncio.Task[None] | None = None
        if call.method.request_streaming:
            self._messages: deque[bytes] = deque()
            self._waiting_bytes = 0
            self._asked = False
            self._may_receive = asyncio.Event()
            self._arrived = asyncio.Event()
            self._error: StatusError | None = None

    async def only_message(self) -> bytes:
        """Gives the one message of a method whose requests do not stream, once the body has ended.

        Raises `StatusError` for bad input, and for a caller that has gone before the end.
        """
        call = self._call
        data, more = await self._receive_chunk()
        if not more:
            return call.one_message(call.read_body(data))
        reader = call.reader()
        messages = list(islice(reader.receive_data(data), 2))
        while more and len(messages) < 2:
            # A cancellation does not always get here, see `watch`.
            if not call.context.active:
                raise asyncio.CancelledError
            data, more = await self._receive_chunk()
            messages.extend(islice(reader.receive_data(data), 2 - len(messages)))
        if len(messages) < 2:
            reader.end()
        return call.one_message(messages)

    async def _receive_chunk(self) -> tuple[bytes, bool]:
        event = await self._receive_piece()
        if event["type"] == "http.disconnect":
            self.ended = True
            self._call.context.disconnect()
            raise StatusError(StatusCode.CANCELLED, "The caller has disconnected")
        more = event.get("more_body", False)
        self.ended = not more
        return event.get("body", b""), more

    async def watch(self) -> None:
        """Receives the messages of a stream, no faster than they are taken, and ends the call when its caller goes."""
        self._watcher = asyncio.current_task()
        if self._call.method.request_streaming:
            await self._receive_messages()
        # What still arrives of a body is dropped. A cancellation does not always get here: before Python 3.12 a server
        # that waits by asyncio.wait_for() swallows it when a piece of the body arrives at the same time.
        while not self._closed:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                self.ended = True
                self._call.context.disconnect()
                return
            self.ended = not event.get("more_body", False)

    async def watch_ended(self) -> None:
        """Waits until `watch` has ended, if it ever began: servers cannot take two `receive()` at the same time."""
        if self._watcher is not None:
            await asyncio.wait((self._watcher,))

    async def _receive_messages(self) -> None:
        reader = self._call.reader()
        try:
            while not self.ended and not self._closed:
                while self._waiting_bytes >= READ_AHEAD_BYTES and not self._asked:
                    self._may_receive.clear()
                    await self._may_receive.wait()
                data, _ = await self._receive_chunk()
                for message in reader.receive_data(data):
                    self._asked = False
                    if self._call.clock is not None:
                        self._call.clock.message_passed()
                    self._messages.append(message)
                    self._waiting_bytes += len(message) + MESSAGE_OVERHEAD_BYTES
                if self.ended:
                    reader.end()
                self._arrived.set()
        except StatusError as error:
            self._error = error
            self._arrived.set()

    async def next(self) -> bytes | None:
        """Gives the next message of a stream, None after the last.

        Raises `StatusError` for bad input and `CancelledError` when the call is over.
        """
        while not self._messages:
            if self._closed:
                raise asyncio.CancelledError
            if self._error is not None:
                raise self._error
            if self.ended:
                return None
            self._asked = True
            self._may_receive.set()
            self._arrived.clear()
            await self._arrived.wait()
        message = self._messages.popleft()
        self._waiting_bytes -= len(message) + MESSAGE_OVERHEAD_BYTES
        self._may_receive.set()
        return message

    def close(self) -> None:
        """The call is over: whoever waits for a message stops waiting."""
        self._closed = True
        if self._call.method.request_streaming:
            self._messages.clear()
            self._arrived.set()
