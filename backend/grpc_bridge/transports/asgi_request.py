"""The request side of the ASGI transport: messages as they arrive, and the caller's disconnect."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from itertools import islice
from typing import Any

from grpc_bridge.admission import peer_address
from grpc_bridge.call import Call
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.limits import too_much_metadata
from grpc_bridge.protocol.metadata import Metadatum, decode_metadata
from grpc_bridge.protocol.status import StatusCode, StatusError

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]

READ_AHEAD_BYTES = 64 * 1024
"""While so many bytes of request messages wait for the handler, no more are received unless it asks."""

DISCARD_BYTES = 64 * 1024 * 1024
DISCARD_SECONDS = 5.0
"""How much of a refused request's body is read after the answer. A client that still sends does not see an answer on a
connection that is reset under it; one that sends for ever must not hold the connection."""

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


async def discard(receive: Receive) -> None:
    """Reads what is left of a body, within limits."""
    received = 0
    try:
        async with asyncio.timeout(DISCARD_SECONDS):
            while received < DISCARD_BYTES:
                event = await receive()
                received += len(event.get("body", b""))
                if not event.get("more_body", False):
                    return
    except TimeoutError:
        return


class RequestBody:
    """The messages of a request. Only one coroutine receives at a time: ASGI has one queue for body and disconnect.

    It is made without arguments and then given `receive`, for the same reason as a context.
    """

    receive: Receive

    ended = False
    """Whether the body has been received to its end, or nobody is there any more to send the rest."""

    _closed = False
    _watcher: asyncio.Task[None] | None = None

    def begin(self, call: Call) -> None:
        """Says which call it is whose request this is."""
        self._call = call
        if call.method.request_streaming:
            self._receive_piece = patiently(self.receive)
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
        event = await self.receive()
        if event["type"] != "http.request" or event.get("more_body"):
            return await self.message_in_pieces(self._call, event)
        self.ended = True
        return self._call.message_of(event.get("body", b""))

    async def message_in_pieces(self, call: Call, event: Event) -> bytes:
        """Does the same where the first event is there and not the whole body."""
        reader = call.reader()
        data, more = self._chunk(call, event)
        messages = list(islice(reader.receive_data(data), 2))
        while more and len(messages) < 2:
            # A cancellation does not always get here, see `watch`.
            if not call.context.active:
                raise asyncio.CancelledError
            data, more = self._chunk(call, await self.receive())
            messages.extend(islice(reader.receive_data(data), 2 - len(messages)))
        if len(messages) < 2:
            reader.end()
        return call.one_message(messages)

    def _chunk(self, call: Call, event: Event) -> tuple[bytes, bool]:
        if event["type"] == "http.disconnect":
            self.ended = True
            call.context.disconnect()
            raise StatusError(StatusCode.CANCELLED, "The caller has disconnected")
        more = event.get("more_body", False)
        self.ended = not more
        return event.get("body", b""), more

    async def watch(self) -> None:
        """Receives the messages of a stream, no faster than they are taken, and ends the call when its caller goes."""
        self._watcher = asyncio.current_task()
        try:
            if self._call.method.request_streaming:
                await self._receive_messages()
            # What still arrives of a body is dropped. A cancellation does not always get here: before Python 3.12 a
            # server that waits by asyncio.wait_for() swallows it when a piece of the body arrives at the same time.
            while not self._closed:
                event = await self.receive()
                if event["type"] == "http.disconnect":
                    self.ended = True
                    self._call.context.disconnect()
                    break
                self.ended = not event.get("more_body", False)
        except Exception:
            self._call.context.disconnect()  # a server whose receive() fails has no caller for us any more
        finally:
            self._watcher = None  # whose context variables know the call
            if self._closed:
                self._let_go()

    async def discard(self) -> None:
        """The call is over: reads what is left of the body, within limits."""
        if self._watcher is not None:  # servers cannot take two `receive()` at the same time
            await asyncio.wait((self._watcher,))
        await discard(self.receive)

    async def _receive_messages(self) -> None:
        reader = self._call.reader()
        try:
            while not self.ended and not self._closed:
                while self._waiting_bytes >= READ_AHEAD_BYTES and not self._asked:
                    self._may_receive.clear()
                    await self._may_receive.wait()
                data, _ = self._chunk(self._call, await self._receive_piece())
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
        if self._watcher is None:
            self._let_go()

    def _let_go(self) -> None:
        del self._call  # whose context knows the request: they would keep each other until a garbage collection


class AsgiRequest(RequestBody):
    """A request that an ASGI server hands over: its body, and what a call asks of its head."""

    scope: Scope

    is_taken = False
    """Whether its one message has been received. Then the handler runs."""

    on_taken: Callable[[], None] | None = None
    """Called when it is, where the call has had to wait for it."""

    response: bytes | None = None
    """The message that answers it, where there is one alone."""

    def metadata(self) -> tuple[Metadatum, ...]:
        """Gives the invocation metadata."""
        return decode_metadata(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in self.scope["headers"]
        )

    def check_metadata_size(self, settings: BridgeSettings) -> None:
        """Raises `StatusError` RESOURCE_EXHAUSTED for more headers, or larger ones, than the settings allow."""
        headers = self.scope["headers"]
        size = 0
        for name, value in headers:  # in half the time of sum() and a generator
            size += len(name) + len(value)
        if size > settings.max_metadata_bytes or len(headers) > settings.max_metadata_entries:
            raise too_much_metadata(len(headers), size, settings)

    def peer(self) -> str:
        """Gives the caller's address as grpcio writes it."""
        return peer_address(*(self.scope.get("client") or (None, None)))

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        """Gives nothing: TLS ends in the server or before it."""
        return {}

    def meta(self, key: str) -> str | None:
        """Gives what Django's ASGI handler would put into `request.META`."""
        if key.startswith("HTTP_"):
            return text(joined(self.scope["headers"], key[5:].replace("_", "-").lower().encode("ascii")))
        server, port = self.scope.get("server") or ("unknown", 0)
        return {"SERVER_NAME": str(server), "SERVER_PORT": str(port)}.get(key)

    def scheme(self) -> str:
        """Gives `http` or `https`."""
        scheme: str = self.scope.get("scheme") or "http"
        return scheme


def asgi_request(scope: Scope, receive: Receive) -> AsgiRequest:
    """Gives a request. `begin` follows when it is known to be a call that may have to wait."""
    request = AsgiRequest()
    request.scope = scope
    request.receive = receive
    return request


def joined(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """Gives all values of a header as one, None without any. HTTP/2 may split a cookie header into several."""
    values = [value for key, value in headers if key == name]
    return (b"; " if name == b"cookie" else b",").join(values) if values else None


def timeout_of(scope: Scope) -> str | None:
    """Gives the header that says how long the call may take, None without one."""
    return text(joined(scope["headers"], b"grpc-timeout"))


def text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
