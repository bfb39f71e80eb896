"""A unary call of a `def` handler, in one piece: the way of nearly every call under WSGI.

All that it does is done elsewhere as well, step by step, and there it is explained. Here it stands together, because
each step by itself costs as much as what it does. Whatever is unusual is left to `wsgi.py`, before a handler has run.

There is no `Call`, unless it is logged: one is made when it is needed.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from contextvars import copy_context

from grpc_bridge import call_id
from grpc_bridge.call import NOTHING, Call, explained
from grpc_bridge.call_log import LoggedCall
from grpc_bridge.call_log import is_on as is_logging
from grpc_bridge.context import SyncContext
from grpc_bridge.errors import HANDLER_ERRORS
from grpc_bridge.lifecycle import call_finished, nobody_listens, this_thread
from grpc_bridge.limits import _unary_calls as unary_calls
from grpc_bridge.limits import gate
from grpc_bridge.plan import Plan
from grpc_bridge.protocol.frames import larger_than_max
from grpc_bridge.transports.wsgi_reply import OK, READY, SHORT_BYTES, Environ, Reply, StartResponse, content_length
from grpc_bridge.transports.wsgi_request import WsgiRequest

Answer = Callable[[Plan, Environ, StartResponse], "Iterable[bytes] | None"]
"""Gives None where a call is not of the usual kind after all. Then no handler has run, and the body can be read."""

MAX_LENGTH_DIGITS = 10

set_current, reset_current = call_id.current.set, call_id.current.reset

_SIZES = {str(length): length for length in range(SHORT_BYTES)}


def _body(environ: Environ, max_bytes: int) -> bytes | None:
    """Gives a request's body, None where that is not the usual one, which has a length and can be read at once."""
    text: str = environ["CONTENT_LENGTH"]
    size = _SIZES.get(text)
    if size is None:
        if not text.isdecimal() or len(text) > MAX_LENGTH_DIGITS:
            return None
        size = int(text)
    if size > max_bytes:
        return None
    try:
        body: bytes = environ["wsgi.input"].read(size)
    except Exception:
        return None
    if len(body) != size:
        environ["wsgi.input"] = io.BytesIO(body)
        return None
    return body


def unary_answer(plan: Plan) -> Answer:
    """Gives the function that answers calls with this plan, which it is given."""
    method, log_calls = plan.method, plan.settings.log_calls
    deserialize, behavior, serialize = method.deserialize, method.behavior, method.serialize
    max_calls, max_body, max_message = plan.max_calls, plan.max_body_bytes, plan.max_receive_bytes
    only_message, headers, whole = plan.request_wire.only_message, plan.plain_headers, plan.wire.unary_ok
    max_send = plan.max_send_bytes

    def answer(plan: Plan, environ: Environ, start_response: StartResponse) -> Iterable[bytes] | None:
        thread = this_thread.state
        if thread.has_connections or not nobody_listens() or (body := _body(environ, max_body)) is None:
            return None
        message = only_message(body, max_message)
        request, context = WsgiRequest(), SyncContext()
        request.environ = environ
        context.call_plan, context.call_source = plan, request
        unary_calls.add(context)
        if message is None or gate.refusal is not None or (max_calls is not None and len(unary_calls) > max_calls):
            unary_calls.discard(context)
            environ["wsgi.input"] = io.BytesIO(body)
            return None
        call = LoggedCall(context) if log_calls and is_logging() else None
        decode, encode = (deserialize, serialize) if call is None else (call.decode, call.encode)
        token = set_current(context) if call_id.is_wanted else None
        argument = response = NOTHING
        try:
            argument = decode(message)
            del body, message  # large ones are let go at once, or there would be several of each at a time
            response = copy_context().run(behavior, argument, context)
            argument = None
            payload = encode(response)
            size, response = len(payload), NOTHING
            if size > max_send:
                raise larger_than_max("Sent", size, max_send)
        except HANDLER_ERRORS as error:
            payload = None
            context.fail(explained(error, argument, response, context) if call is None else error)
        finally:
            unary_calls.discard(context)
            context._active = False
            if context.has_callbacks:
                context.finish()
            if thread.has_connections:
                call_finished()
            if token is not None:
                reset_current(token)
        if payload is None or not context.untouched:
            return Reply(environ, start_response, is_read=True).whole(Call(context).unary_answer(payload))
        reply = whole(payload)
        length = len(reply)
        start_response(OK, [*headers, READY[length] if length < SHORT_BYTES else content_length(length)])
        return (reply,)

    return answer
