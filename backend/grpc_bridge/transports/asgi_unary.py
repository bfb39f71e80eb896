"""A unary call of an `async def` handler, in one piece: the way of nearly every call under ASGI.

All that it does is done elsewhere as well, step by step, and there it is explained. Here it stands together, because
each step by itself costs as much as what it does. Whatever is unusual is left to `asgi.py`, before a handler has run.

The call begins without anything around it that could stop it: neither timer nor watcher could do so before it waits for
the first time, and most calls never do. There is no `Call` either, unless it is logged: one is made when it is needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

from grpc_bridge import call_id
from grpc_bridge.call import NOTHING, Call, explained
from grpc_bridge.call_log import LoggedCall
from grpc_bridge.call_log import is_on as is_logging
from grpc_bridge.context import AsyncContext
from grpc_bridge.lifecycle import AsyncCallThread, thread_of_call
from grpc_bridge.limits import _unary_calls as unary_calls
from grpc_bridge.limits import enter, gate, leave
from grpc_bridge.loops import continued
from grpc_bridge.plan import Plan
from grpc_bridge.protocol.frames import larger_than_max
from grpc_bridge.protocol.status import StatusError
from grpc_bridge.protocol.timeout import decode_timeout
from grpc_bridge.transports.asgi_request import AsgiRequest, Receive, Scope, timeout_of
from grpc_bridge.transports.asgi_send import READY, SHORT_BYTES, Send, content_length, send_answer
from grpc_bridge.transports.guard import HandlerGuard

Answer = Callable[..., Coroutine[Any, Any, bool]]
"""Is given the plan, the scope, `receive` and `send`. Gives False where a call is not of the usual kind after all; then
nothing has been done for it."""

Handler = Callable[[AsyncContext, AsgiRequest, Call | None], Coroutine[Any, Any, None]]

_OVER = object()

set_thread, reset_thread = thread_of_call.set, thread_of_call.reset
set_current, reset_current = call_id.current.set, call_id.current.reset


def unary_answer(plan: Plan) -> Answer:
    """Gives the function that answers calls with this plan."""
    handle, log_calls = _handler(plan), plan.settings.log_calls
    plain_headers, whole = plan.plain_headers_encoded, plan.wire.unary_ok

    async def answer(plan: Plan, scope: Scope, receive: Receive, send: Send, deadline: float | None = None) -> bool:
        request, context = AsgiRequest(), AsyncContext()
        if deadline is not None:
            context.deadline = deadline
        request.scope, request.receive = scope, receive
        context.call_plan, context.call_source = plan, request
        call = LoggedCall(context) if log_calls and is_logging() else None
        thread = AsyncCallThread()
        token = set_thread(thread)
        id_token = set_current(context) if call_id.is_wanted else None
        unary_calls.add(context)
        handling = handle(context, request, call)
        try:
            try:
                awaited = next(handling.__await__(), _OVER)  # unlike `send` without an exception at the end
            except BaseException as error:
                awaited = _OVER
                _end_like_guarded(call or Call(context), request, error)
            if awaited is not _OVER:
                await _guarded(handling, awaited, call or Call(context), request)
        finally:
            unary_calls.discard(context)
            context._active = False
            if context.has_callbacks:
                context.finish()
            if id_token is not None:
                reset_current(id_token)
            reset_thread(token)
            if thread.is_used:
                thread.end()
        payload = request.response
        if payload is not None and context.untouched:
            body = whole(payload)
            payload = request.response = None
            length = len(body)
            headers = [*plain_headers, READY[length] if length < SHORT_BYTES else content_length(length)]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body, "more_body": False})
        else:
            await send_answer(send, Call(context).unary_answer(payload))
        if not request.ended:
            await request.discard()
        return True

    return answer


def answer_in_time(answer: Answer) -> Answer:
    """Gives the same for calls whose head has a timeout."""

    async def answer_by_deadline(plan: Plan, scope: Scope, receive: Receive, send: Send) -> bool:
        deadline = _deadline(scope)
        return deadline is not None and await answer(plan, scope, receive, send, deadline)

    return answer_by_deadline


def _deadline(scope: Scope) -> float | None:
    """Gives when the call has to be over, None where that cannot be understood or is now."""
    try:
        seconds = decode_timeout(timeout_of(scope) or "")
    except StatusError:
        return None
    return time.monotonic() + seconds if seconds else None


def _handler(plan: Plan) -> Handler:
    """Gives the function that receives a request and runs the handler, and leaves its response with the request."""
    max_calls, max_message, max_send = plan.max_calls, plan.max_receive_bytes, plan.max_send_bytes
    only_message, method = plan.request_wire.only_message, plan.method
    deserialize, behavior, serialize = method.deserialize, method.behavior, method.serialize

    async def handle(context: AsyncContext, request: AsgiRequest, call: Call | None) -> None:
        try:
            if (max_calls is not None and len(unary_calls) > max_calls) or gate.refusal is not None:
                leave(context)
                enter(context)
            event = await request.receive()
            body = event.get("body")  # there is none in an event that tells of a caller that has gone
            if body is None or event.get("more_body"):
                message = await request.message_in_pieces(call or Call(context), event)
            else:
                request.ended = True
                usual = only_message(body, max_message)
                message = Call(context).message_of(body) if usual is None else usual
                del usual
            request.is_taken = True
            if request.on_taken is not None:
                request.on_taken()
            if not context._active or (context.deadline is not None and _is_late(context, context.deadline)):
                return
        except StatusError as error:
            context.reject(error)
            return
        decode, encode = (deserialize, serialize) if call is None else (call.decode, call.encode)
        argument = response = NOTHING
        try:
            argument = decode(message)
            del event, body, message  # large ones are let go at once, or there would be several of each at a time
            response = await behavior(argument, context)
            argument = None
            if context.untouched or not context.drops_message:
                payload = encode(response)
                size, response = len(payload), NOTHING
                if size > max_send:
                    raise larger_than_max("Sent", size, max_send)
                request.response = payload
        except Exception as error:
            context.fail(explained(error, argument, response, context) if call is None else error)

    return handle


def _is_late(context: AsyncContext, deadline: float) -> bool:
    """Looks whether the deadline has passed. The timer would not have its turn before the handler waits."""
    if time.monotonic() < deadline:
        return False
    context.expire()
    return True


def _end_like_guarded(call: Call, request: AsgiRequest, error: BaseException) -> None:
    """Does with what a handler raised before it waited what the guard would have done: most often raises it."""
    request.begin(call)
    try:
        with HandlerGuard(call, request):
            raise error
    finally:
        del error  # whose traceback has this frame: they would keep each other, and all that it has


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
