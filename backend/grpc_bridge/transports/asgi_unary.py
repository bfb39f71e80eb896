"""A unary call of an `async def` handler, in one piece: the way of nearly every call under ASGI.

All that it does is done elsewhere as well, step by step, and there it is explained. Here it stands together, because
each step by itself costs as much as what it does. Whatever is unusual is left to `asgi.py`, before a handler has run.

The call begins without anything around it that could stop it: neither timer nor watcher could do so before it waits for
the first time, and most calls never do.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from grpc_bridge import call_id
from grpc_bridge.call import Call
from grpc_bridge.call_log import LoggedCall
from grpc_bridge.call_log import is_on as is_logging
from grpc_bridge.context import AsyncContext
from grpc_bridge.lifecycle import AsyncCallThread, thread_of_call
from grpc_bridge.limits import _unary_calls as unary_calls
from grpc_bridge.limits import enter, refuses_some
from grpc_bridge.loops import continued
from grpc_bridge.plan import Plan
from grpc_bridge.protocol.status import StatusError
from grpc_bridge.transports.asgi_request import AsgiRequest
from grpc_bridge.transports.asgi_send import Send, send_answer
from grpc_bridge.transports.guard import HandlerGuard

_OVER = object()


async def serve_unary(plan: Plan, request: AsgiRequest, send: Send) -> None:
    """Answers a call that has no deadline."""
    context = AsyncContext(plan.path, request, None, plan.accept_encoding)
    call = (LoggedCall if plan.settings.log_calls and is_logging() else Call)(plan, context)
    thread = AsyncCallThread()
    token, id_token = thread_of_call.set(thread), call_id.begin(context)
    unary_calls.add(call)
    handling = _handle(call, context, request)
    try:
        if (awaited := _first_wait(handling, call, request)) is not _OVER:
            await _guarded(handling, awaited, call, request)
    finally:
        unary_calls.discard(call)
        context.finish()
        call_id.end(id_token)
        thread_of_call.reset(token)
        if thread.is_used:
            thread.end()
    payload = request.response
    if payload is None or not context.untouched:
        await send_answer(send, call.unary_answer(payload))
        return
    body = plan.wire.unary_ok(payload)
    headers = [*plan.plain_headers_encoded, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _handle(call: Call, context: AsyncContext, request: AsgiRequest) -> None:
    """Receives the request and runs the handler, and leaves its response with the request."""
    plan = call.plan
    maximum = plan.max_calls
    try:
        if (maximum is not None and len(unary_calls) > maximum) or refuses_some():
            unary_calls.discard(call)
            enter(call)
        event = await request.receive()
        if event["type"] != "http.request" or event.get("more_body") or "body" not in event:
            message: bytes | None = await request.message_in_pieces(call, event)
        else:
            request.ended = True
            message = plan.request_wire.only_message(event["body"], plan.max_receive_bytes)
        if message is None:
            message = call.message_of(event["body"])
        request.is_taken = True
        if request.on_taken is not None:
            request.on_taken()
    except StatusError as error:
        context.reject(error)
        return
    try:
        response = await plan.method.behavior(call.decode(message), context)
        if context.untouched or not context.drops_message:
            request.response = call.encode(response)
    except Exception as error:
        context.fail(error)


def _first_wait(handling: Coroutine[Any, Any, None], call: Call, request: AsgiRequest) -> Any:
    """Runs a handler until it waits for the first time, and gives what for. Most never do."""
    try:
        return next(handling.__await__(), _OVER)  # unlike `send` without an exception at the end
    except BaseException:
        request.begin(call)
        with HandlerGuard(call, request):
            raise
    return _OVER


async def _guarded(handling: Coroutine[Any, Any, None], awaited: Any, call: Call, request: AsgiRequest) -> None:
    """Goes on with a call that has to wait. From here on it can be stopped."""
    request.begin(call)  # not before: they would keep each other until a garbage collection
    with HandlerGuard(call, request) as guard:
        if request.is_taken:
            guard.request_is_there()
        else:
            request.on_taken = guard.request_is_there
        try:
            await continued(handling, awaited)
        finally:
            request.on_taken = None  # or request and guard would keep each other until a garbage collection
