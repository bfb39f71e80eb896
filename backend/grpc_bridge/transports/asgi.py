"""The ASGI transport: RPCs are answered here, everything else goes to the application that it wraps, untouched."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import nullcontext
from typing import Any, Protocol

from grpc_bridge.admission import Admission, RequestHead, peer_address
from grpc_bridge.call import Call
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.dispatch import run_stream_async, run_unary_async
from grpc_bridge.lifecycle import AsyncCallThread
from grpc_bridge.limits import enter, too_much_metadata
from grpc_bridge.protocol.metadata import Metadatum, decode_metadata
from grpc_bridge.protocol.negotiation import HttpAnswer
from grpc_bridge.protocol.status import StatusError
from grpc_bridge.registry import Registry
from grpc_bridge.shutdown import drain_at_signals
from grpc_bridge.transports.asgi_request import Event, Receive, RequestBody
from grpc_bridge.transports.guard import HandlerGuard

Scope = MutableMapping[str, Any]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI application. Frameworks disagree on the types of its arguments."""

WRITES_PER_TURN = 64
"""After so many writes in a row that the server took at once, the event loop gets a turn: other calls go on, and the
deadline and the disconnect of this one are noticed."""

DISCARD_BYTES = 64 * 1024 * 1024
DISCARD_SECONDS = 5.0
"""How much of a refused request's body is read after the answer. A client that still sends does not see an answer on a
connection that is reset under it; one that sends for ever must not hold the connection."""

LAST_SECONDS = 5.0
"""How long the end of a call is offered to its caller that was ended before its handler. One that does not read would
keep it for ever, and may be the reason for the early end."""


class Body(Protocol):
    """What a call asks of the request's body."""

    async def only_message(self) -> bytes:
        """Gives the one message of a method whose requests do not stream. Raises `StatusError` for bad input."""

    async def next(self) -> bytes | None:
        """Gives the next message of a stream, None after the last. Raises `StatusError` for bad input."""

    async def watch(self) -> None:
        """Runs beside the handler and ends the call when its caller goes."""

    def close(self) -> None:
        """The call is over: whoever waits for a message stops waiting."""


class AsgiRequest:
    """What a call asks of an ASGI scope."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def metadata(self) -> tuple[Metadatum, ...]:
        """Gives the invocation metadata."""
        return decode_metadata(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in self._scope["headers"]
        )

    def check_metadata_size(self, settings: BridgeSettings) -> None:
        """Raises `StatusError` RESOURCE_EXHAUSTED for more headers, or larger ones, than the settings allow."""
        headers = self._scope["headers"]
        size = 0
        for name, value in headers:  # in half the time of sum() and a generator
            size += len(name) + len(value)
        if size > settings.max_metadata_bytes or len(headers) > settings.max_metadata_entries:
            raise too_much_metadata(len(headers), size, settings)

    def peer(self) -> str:
        """Gives the caller's address as grpcio writes it."""
        return peer_address(*(self._scope.get("client") or (None, None)))

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        """Gives nothing: TLS ends in the server or before it."""
        return {}

    def meta(self, key: str) -> str | None:
        """Gives what Django's ASGI handler would put into `request.META`."""
        if key.startswith("HTTP_"):
            return _text(_joined(self._scope["headers"], key[5:].replace("_", "-").lower().encode("ascii")))
        server, port = self._scope.get("server") or ("unknown", 0)
        return {"SERVER_NAME": str(server), "SERVER_PORT": str(port)}.get(key)

    def scheme(self) -> str:
        """Gives `http` or `https`."""
        scheme: str = self._scope.get("scheme") or "http"
        return scheme


def _head(scope: Scope) -> RequestHead:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if len(headers) != len(scope["headers"]):  # some have several values, and the last one is not all of them
        headers = {name: _joined(scope["headers"], name) or b"" for name in headers}
    path: str = scope["path"]
    if root_path := scope.get("root_path"):
        path = path.removeprefix(root_path)
    return RequestHead(
        scope["method"],
        path,
        _text(headers.get(b"content-type")),
        _text(headers.get(b"accept")),
        _text(headers.get(b"grpc-timeout")),
        _text(headers.get(b"grpc-encoding")),
        _text(headers.get(b"grpc-accept-encoding")),
        "http.response.trailers" in scope.get("extensions", ()),
        _text(headers.get(b"host")),
        _text(headers.get(b"origin")),
        _text(headers.get(b"sec-fetch-site")),
    )


class AsgiBridge:
    """Serves the methods of a registry in front of an ASGI application."""

    def __init__(self, application: Application, registry: Registry, settings: BridgeSettings) -> None:
        self._application = application
        self._admission = Admission(registry, settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request of an ASGI server, or one scope of another type."""
        is_http = scope["type"] == "http"
        if scope["type"] == "lifespan":
            drain_at_signals()  # what the server would tell the application at its end comes after the last stream
        decision = self._admission.decide(_head(scope), AsgiRequest(scope)) if is_http else None
        if decision is None:
            await self._application(scope, receive, send)
        elif isinstance(decision, HttpAnswer):
            await send_answer(send, decision)
            await _discard(receive)
        else:
            body = RequestBody(decision, receive)
            await serve_call(decision, body, send)
            if not body.ended:
                await body.watch_ended()
                await _discard(receive)


async def serve_call(call: Call, body: Body, send: Send) -> None:
    """Answers an admitted call. The WSGI transport comes in here too, with handlers that it cannot run itself."""
    context, method = call.context, call.method
    response = _Response(call, send) if method.response_streaming else None
    payload: bytes | None = None
    with HandlerGuard(call, body) as guard, AsyncCallThread() if method.is_async else nullcontext() as thread:
        try:
            enter(call)
            request: bytes | Body = body if method.request_streaming else await body.only_message()
        except StatusError as error:
            context.reject(error)
        else:
            if context.deadline is not None and time.monotonic() >= context.deadline:
                context.expire()  # a handler that never waits would be through before the timer has its turn
            guard.request_is_there()
            if thread is not None:
                await thread.started()
            if response is not None and context.active:
                await run_stream_async(call, request, response.write)
            elif context.active:
                payload = await run_unary_async(call, request)
    if response is not None:
        await response.end()
    else:
        await send_answer(send, call.unary_answer(payload))


class _Response:
    """The answer of a streaming method. Headers go out with the first frame, so that a handler may still set them, or
    before it when the handler has sent initial metadata."""

    def __init__(self, call: Call, send: Send) -> None:
        self._call = call
        self._send = send
        self._started = False
        self._starting: asyncio.Task[None] | None = None
        self._writes = 0
        self._loop = asyncio.get_running_loop()
        call.context.on_initial_metadata = self.start_now

    def start_now(self) -> None:
        """From any thread: sends the headers without waiting for a frame."""
        self._loop.call_soon_threadsafe(self._start_alone)

    def _start_alone(self) -> None:
        if not self._started:
            self._started = True
            self._starting = self._loop.create_task(self._send_headers_alone())

    async def _send_headers_alone(self) -> None:
        try:
            await self._send_headers()
            # Servers may hold the headers until there is a body; some let them go for an empty piece of it.
            await self._send({"type": "http.response.body", "body": b"", "more_body": True})
        except Exception:  # as in `write`
            self._call.context.disconnect()

    async def _start(self) -> None:
        if not self._started:
            self._started = True
            await self._send_headers()
        elif self._starting is not None:
            await asyncio.wait((self._starting,))
            self._starting = None

    async def write(self, frames: bytes) -> None:
        """Sends frames. Waits while the server's buffer for this caller is full."""
        if not self._started or self._starting is not None:
            await self._start()
        try:
            await self._send({"type": "http.response.body", "body": frames, "more_body": True})
        except Exception:  # ASGI 2.4 says OSError for a caller that has gone; servers raise others as well
            self._call.context.disconnect()
            raise asyncio.CancelledError from None
        if self._call.clock is not None:
            self._call.clock.message_passed()
        self._writes += 1
        if self._writes % WRITES_PER_TURN == 0:
            await asyncio.sleep(0)

    async def end(self) -> None:
        """Sends the status. Gives a caller up who does not read and whose call has been ended for it."""
        self._call.context.on_initial_metadata = None  # or context and response would keep each other
        if not self._call.context.ended_early:
            await self._end()
            return
        try:
            async with asyncio.timeout(LAST_SECONDS):
                await self._end()
        except TimeoutError:
            raise asyncio.CancelledError from None

    async def _end(self) -> None:
        await self._start()
        await self._send({"type": "http.response.body", "body": self._call.trailers(), "more_body": False})
        if trailers := self._call.http_trailers():
            await _send_trailers(self._send, trailers)

    async def _send_headers(self) -> None:
        start: Event = {"type": "http.response.start", "status": 200, "headers": _encoded(self._call.headers())}
        if self._call.wire.needs_http_trailers:
            start["trailers"] = True
        await self._send(start)


async def send_answer(send: Send, answer: HttpAnswer) -> None:
    """Sends a whole answer at once."""
    headers = _encoded(answer.headers)
    start: Event = {"type": "http.response.start", "status": answer.status, "headers": headers}
    if answer.trailers:
        start["trailers"] = True
    else:
        headers.append((b"content-length", str(len(answer.body)).encode("ascii")))
    await send(start)
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
    if answer.trailers:
        await _send_trailers(send, answer.trailers)


async def _send_trailers(send: Send, trailers: Sequence[tuple[str, str]]) -> None:
    await send({"type": "http.response.trailers", "headers": _encoded(trailers), "more_trailers": False})


async def _discard(receive: Receive) -> None:
    """Reads what is left of a request's body, within limits."""
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


def _joined(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """Gives all values of a header as one, None without any. HTTP/2 may split a cookie header into several."""
    values = [value for key, value in headers if key == name]
    return (b"; " if name == b"cookie" else b",").join(values) if values else None


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
