"""A unary call of a `def` handler, in one piece: the way of nearly every call under WSGI.

All that it does is done elsewhere as well, step by step, and there it is explained. Here it stands together, because
each step by itself costs as much as what it does. Whatever is unusual is left to `wsgi.py`, before a handler has run.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from contextvars import copy_context

from grpc_bridge.call import Call
from grpc_bridge.call_log import LoggedCall
from grpc_bridge.call_state import CallSource
from grpc_bridge.call_log import is_on as is_logging
from grpc_bridge.lifecycle import call_finished, has_connections, nobody_cares
from grpc_bridge.limits import too_many_calls
from grpc_bridge.limits import _unary_calls as unary_calls
from grpc_bridge.plan import Plan
from grpc_bridge.protocol.frames import HEADER, HEADER_BYTES
from grpc_bridge.transports.wsgi_reply import OK, Environ, Reply, StartResponse

Answer = Callable[[Environ, StartResponse], "Iterable[bytes] | None"]
"""Gives None, and has done nothing, where a call is not of the usual kind."""

MAX_LENGTH_DIGITS = 10


def unary_answer(plan: Plan, source_type: Callable[[Environ], CallSource]) -> Answer:
    """Gives the function that answers calls with this plan. `source_type` is for their contexts."""
    method, settings = plan.method, plan.settings
    behavior, context_type, path, accept_encoding = method.behavior, plan.context_type, plan.path, plan.accept_encoding
    max_calls, max_body, max_message = plan.max_calls, plan.max_body_bytes, plan.max_receive_bytes
    headers, whole = plan.plain_headers, plan.wire.unary_ok

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes] | None:
        length: str = environ.get("CONTENT_LENGTH") or ""
        if (
            not length.isdecimal()
            or len(length) > MAX_LENGTH_DIGITS
            or (size := int(length)) > max_body
            or size < HEADER_BYTES
            or "HTTP_GRPC_TIMEOUT" in environ
            or "gunicorn.socket" in environ  # by which the wait for the body can be limited
            or not nobody_cares()
        ):
            return None
        try:
            data = environ["wsgi.input"].read(size)
        except Exception:
            return None
        flags, message_bytes = HEADER.unpack_from(data) if len(data) == size else (0, -1)
        if flags or message_bytes != size - HEADER_BYTES or message_bytes > max_message:
            environ["wsgi.input"] = io.BytesIO(data)
            return None
        context = context_type(path, source_type(environ), None, accept_encoding)
        call = (LoggedCall if settings.log_calls and is_logging() else Call)(plan, context)
        payload = None
        unary_calls.add(call)
        try:
            if max_calls is not None and len(unary_calls) > max_calls:
                raise too_many_calls()
            response = copy_context().run(behavior, call.decode(data[HEADER_BYTES:]), context)
            payload = call.encode(response)
        except Exception as error:
            context.fail(error)
        finally:
            unary_calls.discard(call)
            context.finish()
            if has_connections():
                call_finished()
        if payload is None or not context.untouched:
            return Reply(environ, start_response, data).whole(call.unary_answer(payload))
        body = whole(payload)
        start_response(OK, [*headers, ("content-length", str(len(body)))])
        return (body,)

    return answer
