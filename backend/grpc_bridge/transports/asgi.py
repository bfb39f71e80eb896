"""The ASGI transport: RPCs are answered here, everything else goes to the application that it wraps, untouched."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Any, Protocol

from grpc_bridge.admission import Admission, RequestHead
from grpc_bridge.call import Call
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.dispatch import run_stream_async, run_unary_async
from grpc_bridge.lifecycle import AsyncCallThread, nobody_listens
from grpc_bridge.limits import enter
from grpc_bridge.loops import callers_thread
from grpc_bridge.plan import Plan, encoded
from grpc_bridge.protocol.negotiation import HttpAnswer
from grpc_bridge.protocol.status import StatusError
from grpc_bridge.registry import Registry
from grpc_bridge.shutdown import drain_at_signals
from grpc_bridge.transports.asgi_head import KnownScopes
from grpc_bridge.transports.asgi_request import Event, Receive, Scope, asgi_request, discard, joined, text, timeout_of
from grpc_bridge.transports.asgi_send import Send, send_answer, send_trailers
from grpc_bridge.transports.asgi_unary import answer_in_time, unary_answer
from grpc_bridge.transports.guard import HandlerGuard

Application = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI application. Frameworks disagree on the types of its arguments."""

WRITES_PER_TURN = 64
"""After so many writes in a row that the server took at once, the event loop gets a turn: other calls go on, and the
deadline and the disconnect of this one are noticed."""

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


def _has_trailers(scope: Scope) -> bool:
    return "http.response.trailers" in (scope.get("extensions") or ())


def _head(scope: Scope) -> RequestHead:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if len(headers) != len(scope["headers"]):  # some have several values, and the last one is not all of them
        headers = {name: joined(scope["headers"], name) or b"" for name in headers}
    path: str = scope["path"]
    if root_path := scope.get("root_path"):
        path = path.removeprefix(root_path)
    return RequestHead(
        scope["method"],
        path,
        text(headers.get(b"content-type")),
        text(headers.get(b"accept")),
        text(headers.get(b"grpc-encoding")),
        text(headers.get(b"grpc-accept-encoding")),
        _has_trailers(scope),
        text(headers.get(b"host")),
        text(headers.get(b"origin")),
        text(headers.get(b"sec-fetch-site")),
    )


def asgi_bridge(application: Application, registry: Registry, settings: BridgeSettings) -> Application:
    """Gives an ASGI application that serves the methods of a registry in front of another one.

    It is a function because to call an object by its `__call__` takes twice the time.
    """
    admission = Admission(registry, settings, KnownScopes)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        known = admission.known
        plan = None if known is None else known.find(scope)
        if plan is None or (plan.needs_http_trailers and not _has_trailers(scope)):
            plan = await _decided(admission, application, scope, receive, send)
            if plan is None:
                return
        if (
            plan.answer is not None
            and nobody_listens()
            and callers_thread.get() is None
            and await plan.answer(plan, scope, receive, send)
        ):
            return
        request = asgi_request(scope, receive)
        call = admission.make_call(plan, request, timeout_of(scope))
        if isinstance(call, HttpAnswer):
            await send_answer(send, call)
        else:
            request.begin(call)
            await serve_call(call, request, send)
        if not request.ended:
            await request.discard()

    return serve


async def _decided(
    admission: Admission[KnownScopes], application: Application, scope: Scope, receive: Receive, send: Send
) -> Plan | None:
    """Gives the plan for a call. Answers whatever is none, or has it answered."""
    if scope["type"] == "http":
        decision = admission.decide(_head(scope), asgi_request(scope, receive))
        if isinstance(decision, Plan):
            _learn(admission, decision, scope)
            return decision
        if isinstance(decision, HttpAnswer):
            await send_answer(send, decision)
            await discard(receive)
            return None
    elif scope["type"] == "lifespan":
        drain_at_signals()  # what the server would tell the application at its end comes after the last stream
    await application(scope, receive, send)
    return None


def _learn(admission: Admission[KnownScopes], plan: Plan, scope: Scope) -> None:
    if plan.in_one_piece and plan.method.is_async:
        answer = unary_answer(plan)
        plan.answer = answer if timeout_of(scope) is None else answer_in_time(answer)
    if admission.known is not None:
        admission.known.remember(plan, scope)


async def serve_call(call: Call, body: Body, send: Send) -> None:
    """Answers an admitted call. The WSGI transport comes in here too, with handlers that it cannot run itself."""
    context, method = call.context, call.method
    response = _Response(call, send) if method.response_streaming else None
    payload: bytes | None = None
    with HandlerGuard(call, body) as guard, AsyncCallThread() if method.is_async else nullcontext() as thread:
        try:
            enter(context)
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

    __slots__ = ("_call", "_loop", "_send", "_started", "_starting", "_writes")

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
            await send_trailers(self._send, trailers)

    async def _send_headers(self) -> None:
        start: Event = {"type": "http.response.start", "status": 200, "headers": encoded(self._call.headers())}
        if self._call.wire.needs_http_trailers:
            start["trailers"] = True
        await self._send(start)
