"""The ASGI transport: RPCs are answered here, everything else goes to the application that it wraps, untouched."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from contextlib import nullcontext
from typing import Any, Protocol

from grpc_bridge.admission import Admission, RequestHead, peer_address
from grpc_bridge.call import Call
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.dispatch import run_stream_async, run_unary_async
from grpc_bridge.lifecycle import AsyncCallThread
from grpc_bridge.protocol.metadata import Metadatum, decode_metadata
from grpc_bridge.protocol.negotiation import HttpAnswer
from grpc_bridge.protocol.status import StatusError
from grpc_bridge.registry import Registry
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

    def peer(self) -> str:
        """Gives the caller's address as grpcio writes it."""
        return peer_address(*(self._scope.get("client") or (None, None)))

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
        decision = self._admission.decide(_head(scope), AsgiRequest(scope)) if is_http else None
        if decision is None:
            await self._application(scope, receive, send)
        elif isinstance(decision, HttpAnswer):
            await _answer(send, decision)
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
    with HandlerGuard(context, body) as guard, AsyncCallThread() if method.is_async else nullcontext() as thread:
        try:
            request: bytes | Body = body if method.request_streaming else await body.only_message()
        except StatusError as error:
            context.reject(error)
        else:
            if context.deadline is not None and time.monotonic() >= context.deadline:
                context.expire()  # a handler that never waits would be through before the timer has its turn
            guard.watch(body.watch)
            if thread is not None:
                await thread.started()
            if response is not None and context.active:
                await run_stream_async(call, request, response.write)
            elif context.active:
                payload = await run_unary_async(call, request)
    if response is not None:
        await response.end()
    else:
        await _answer(send, call.unary_answer(payload))


class _Response:
    """The answer of a streaming method. Headers go out with the first frame, so that a handler may still set them."""

    def __init__(self, call: Call, send: Send) -> None:
        self._call = call
        self._send = send
        self._started = False
        self._writes = 0

    async def write(self, frames: bytes) -> None:
        """Sends frames. Waits while the server's buffer for this caller is full."""
        if not self._started:
            await self._start()
        try:
            await self._send({"type": "http.response.body", "body": frames, "more_body": True})
        except Exception:  # ASGI 2.4 says OSError for a caller that has gone; servers raise others as well
            self._call.context.disconnect()
            raise asyncio.CancelledError from None
        self._writes += 1
        if self._writes % WRITES_PER_TURN == 0:
            await asyncio.sleep(0)

    async def end(self) -> None:
        """Sends the status."""
        if not self._started:
            await self._start()
        await self._send({"type": "http.response.body", "body": self._call.trailers(), "more_body": False})
        if trailers := self._call.http_trailers():
            await _send_trailers(self._send, trailers)

    async def _start(self) -> None:
        self._started = True
        start: Event = {"type": "http.response.start", "status": 200, "headers": _encoded(self._call.headers())}
        if self._call.wire.needs_http_trailers:
            start["trailers"] = True
        await self._send(start)


async def _answer(send: Send, answer: HttpAnswer) -> None:
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
