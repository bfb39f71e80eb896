"""A unary call of a `def` handler, in one piece: the way of nearly every call under WSGI.

All that it does is done elsewhere as well, step by step, and there it is explained. Here it stands together, because
each step by itself costs as much as what it does. Whatever is unusual is left to `wsgi.py`, before a handler has run.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from contextvars import copy_context

from grpc_bridge import call_id
from grpc_bridge.call import Call
from grpc_bridge.call_log import LoggedCall
from grpc_bridge.call_log import is_on as is_logging
from grpc_bridge.call_state import CallSource
from grpc_bridge.context import SyncContext
from grpc_bridge.lifecycle import call_finished, has_connections, nobody_cares
from grpc_bridge.limits import _unary_calls as unary_calls
from grpc_bridge.limits import refuses_some
from grpc_bridge.plan import Plan
from grpc_bridge.transports.wsgi_reply import OK, Environ, Reply, StartResponse

Answer = Callable[[Environ, StartResponse], "Iterable[bytes] | None"]
"""Gives None where a call is not of the usual kind after all. Then no handler has run, and the body can be read."""

MAX_LENGTH_DIGITS = 10


def unary_answer(plan: Plan, source_type: Callable[[Environ], CallSource]) -> Answer:
    """Gives the function that answers calls with this plan. `source_type` is for their contexts."""
    behavior, path, accept_encoding, settings = plan.method.behavior, plan.path, plan.accept_encoding, plan.settings
    max_calls, max_body, max_message = plan.max_calls, plan.max_body_bytes, plan.max_receive_bytes
    only_message, headers, whole = plan.request_wire.only_message, plan.plain_headers, plan.wire.unary_ok

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes] | None:
        length: str = environ["CONTENT_LENGTH"]
        if not length.isdecimal() or len(length) > MAX_LENGTH_DIGITS or not nobody_cares():
            return None
        size = int(length)
        if size > max_body:
            return None
        try:
            data = environ["wsgi.input"].read(size)
        except Exception:
            return None
        message = only_message(data, max_message) if len(data) == size else None
        if message is None or (max_calls is not None and len(unary_calls) >= max_calls):
            environ["wsgi.input"] = io.BytesIO(data)
            return None
        context = SyncContext(path, source_type(environ), None, accept_encoding)
        call = (LoggedCall if settings.log_calls and is_logging() else Call)(plan, context)
        unary_calls.add(call)
        if refuses_some():
            unary_calls.discard(call)
            environ["wsgi.input"] = io.BytesIO(data)
            return None
        payload, token = None, call_id.begin(context)
        try:
            payload = call.encode(copy_context().run(behavior, call.decode(message), context))
        except Exception as error:
            context.fail(error)
        finally:
            unary_calls.discard(call)
            context.finish()
            if has_connections():
                call_finished()
            call_id.end(token)
        if payload is None or not context.untouched:
            return Reply(environ, start_response, data).whole(call.unary_answer(payload))
        body = whole(payload)
        start_response(OK, [*headers, ("content-length", str(len(body)))])
        return (body,)

    return answer
