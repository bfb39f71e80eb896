"""A unary call of an `async def` handler, in one piece: the way of nearly every call under ASGI.

All that it does is done elsewhere as well, step by step, and there it is explained. Here it stands together, because
each step by itself costs as much as what it does. Whatever is unusual is left to `asgi.py`, before a handler has run.

The call begins without anything around it that could stop it: neither timer nor watcher could do so before it waits for
the first time, and most calls never do.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from grpc_bridge.call import Call
from grpc_bridge.call_log import LoggedCall
from grpc_bridge.call_log import is_on as is_logging
from grpc_bridge.call_state import CallSource
from grpc_bridge.context import AsyncContext
from grpc_bridge.lifecycle import AsyncCallThread
from grpc_bridge.limits import _unary_calls as unary_calls
from grpc_bridge.limits import too_many_calls
from grpc_bridge.plan import Plan
from grpc_bridge.protocol.status import StatusError
from grpc_bridge.protocol.wire import BINARY
from grpc_bridge.transports.asgi_request import Receive, RequestBody
from grpc_bridge.transports.asgi_send import Send, send_answer, send_whole
from grpc_bridge.transports.guard import HandlerGuard

T = TypeVar("T")


@types.coroutine
def continued(coroutine: Coroutine[Any, Any, T], awaited: Any) -> Generator[Any, Any, T]:
    """Awaits the rest of a coroutine whose first step gave `awaited`."""
    step: Callable[..., Any] = coroutine.send
    argument: Any = None
    while True:
        try:
            step, argument = coroutine.send, (yield awaited)
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:
            step, argument = coroutine.throw, error
        try:
            awaited = step(argument)
        except StopIteration as end:
            result: T = end.value
            return result


async def serve_unary(plan: Plan, source: CallSource, receive: Receive, send: Send) -> RequestBody:
    """Answers a call. Gives what is left of the request's body."""
    context = plan.context_type(plan.path, source, None, plan.accept_encoding)
    call = (LoggedCall if plan.settings.log_calls and is_logging() else Call)(plan, context)
    body = RequestBody(call, receive)
    payload = None
    with AsyncCallThread():
        work = _work(call, context, body)
        try:
            awaited = work.send(None)
        except StopIteration as end:
            payload = end.value
            unary_calls.discard(call)
            context.finish()
        except BaseException:
            with HandlerGuard(call, body):
                raise
        else:
            with HandlerGuard(call, body) as guard:
                if body.is_taken:
                    guard.request_is_there()
                else:
                    body.on_taken = guard.request_is_there
                payload = await continued(work, awaited)
    if payload is not None and context.untouched:
        await send_whole(send, 200, plan.plain_headers_encoded, plan.wire.unary_ok(payload))
    else:
        await send_answer(send, call.unary_answer(payload))
    return body


async def _work(call: Call, context: AsyncContext, body: RequestBody) -> bytes | None:
    unary_calls.add(call)
    maximum = call.plan.max_calls
    try:
        if maximum is not None and len(unary_calls) > maximum:
            unary_calls.discard(call)
            raise too_many_calls()
        message = await body.only_message()
    except StatusError as error:
        context.reject(error)
        return None
    try:
        response = await call.method.behavior(call.decode(message), context)
        return None if context.drops_message else call.encode(response)
    except Exception as error:
        context.fail(error)
        return None
