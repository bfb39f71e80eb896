"""The WSGI transport: RPCs are answered here, everything else goes to the application that it wraps, untouched.

A `def` handler whose time is not limited runs in the server's thread, in a copy of its context variables, so that what
it sets does not reach the next call. With a deadline it runs in a thread of the pool, see `wsgi_in_time.py`. Whatever
streams within a limited time, or both ways over HTTP/2, and every `async def` handler has an event loop beside the
server's thread, see `wsgi_on_loop.py`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextvars import copy_context

from grpc_bridge import call_id
from grpc_bridge.admission import Admission, RequestHead
from grpc_bridge.call import Call
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.context import SyncContext
from grpc_bridge.dispatch import run_stream, run_unary
from grpc_bridge.lifecycle import caches_are_closed, call_finished, call_started, recycle_connections
from grpc_bridge.limits import enter, leave
from grpc_bridge.loops import callers_thread
from grpc_bridge.plan import Plan
from grpc_bridge.protocol.negotiation import HttpAnswer
from grpc_bridge.protocol.status import StatusError
from grpc_bridge.registry import Registry
from grpc_bridge.transports.wsgi_body import WsgiBody
from grpc_bridge.transports.wsgi_hangup import watched
from grpc_bridge.transports.wsgi_head import KnownEnvirons
from grpc_bridge.transports.wsgi_in_time import run_in_time
from grpc_bridge.transports.wsgi_on_loop import serve_on_loop
from grpc_bridge.transports.wsgi_reply import Environ, Reply, StartResponse, trailers_sender
from grpc_bridge.transports.wsgi_request import wsgi_request
from grpc_bridge.transports.wsgi_unary import unary_answer

Application = Callable[[Environ, StartResponse], Iterable[bytes]]


def _head(environ: Environ) -> RequestHead:
    header = environ.get
    return RequestHead(
        environ["REQUEST_METHOD"],
        header("PATH_INFO", ""),
        header("CONTENT_TYPE"),
        header("HTTP_ACCEPT"),
        header("HTTP_GRPC_ENCODING"),
        header("HTTP_GRPC_ACCEPT_ENCODING"),
        trailers_sender(environ) is not None,
        header("HTTP_HOST"),
        header("HTTP_ORIGIN"),
        header("HTTP_SEC_FETCH_SITE"),
    )


def wsgi_bridge(application: Application, registry: Registry, settings: BridgeSettings) -> Application:
    """Gives a WSGI application that serves the methods of a registry in front of another one.

    It is a function because to call an object by its `__call__` takes twice the time.
    """
    admission = Admission(registry, settings, KnownEnvirons)

    def serve(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        known = admission.known
        plan = None if known is None else known.find(environ)
        if plan is None or (plan.needs_http_trailers and trailers_sender(environ) is None):
            decision = admission.decide(_head(environ), wsgi_request(environ))
            if decision is None:
                return application(environ, start_response)
            if isinstance(decision, HttpAnswer):
                return Reply(environ, start_response).whole(decision)
            plan = decision
            _learn(admission, plan, environ)
        if plan.answer is not None:
            body: Iterable[bytes] | None = plan.answer(plan, environ, start_response)
            if body is not None:
                return body
        call = admission.make_call(plan, wsgi_request(environ), environ.get("HTTP_GRPC_TIMEOUT"))
        reply = Reply(environ, start_response)
        return reply.whole(call) if isinstance(call, HttpAnswer) else _serve(call, reply)

    return serve


def _learn(admission: Admission[KnownEnvirons], plan: Plan, environ: Environ) -> None:
    # Else a wait for the body can be limited.
    is_direct = "CONTENT_LENGTH" in environ and "gunicorn.socket" not in environ
    is_usual = "HTTP_GRPC_TIMEOUT" not in environ and not caches_are_closed()
    if plan.in_one_piece and not plan.method.is_async and is_direct and is_usual:
        plan.answer = unary_answer(plan)
    if admission.known is not None:
        admission.known.remember(plan, environ)


def _serve(call: Call, reply: Reply) -> Iterable[bytes]:
    method = call.method
    if method.request_streaming:
        call.context.on_drain = reply.body.interrupt
    may_be_left = _may_be_left_behind(call, reply)
    on_loop = not may_be_left and _belongs_on_loop(call, reply)
    if method.response_streaming:
        return _watched(serve_on_loop(call, reply) if on_loop else _stream(call, reply), call, reply)
    if on_loop:
        return serve_on_loop(call, reply)
    token = call_id.begin(call.context)
    try:
        payload = _payload_in_time(call, reply) if may_be_left else _payload(call, reply)
    finally:
        call_id.end(token)
    return reply.whole(call.unary_answer(payload))


def _payload(call: Call, reply: Reply) -> bytes | None:
    call_started()
    try:
        return _counted(call, lambda: copy_context().run(run_unary, call, _request(call, reply.body)))
    finally:
        call_finished()


def _payload_in_time(call: Call, reply: Reply) -> bytes | None:
    try:
        return _counted(call, lambda: run_in_time(call, reply.body.only_message(call)))
    finally:
        recycle_connections()


def _counted(call: Call, run: Callable[[], bytes | None]) -> bytes | None:
    """Gives what `run` gives. Counts the call meanwhile, and ends it."""
    try:
        enter(call.context)
        return run()
    except StatusError as error:
        call.context.reject(error)
        return None
    finally:
        leave(call.context)
        call.context.finish()


def _may_be_left_behind(call: Call, reply: Reply) -> bool:
    """Whether all that the server's thread has to do beside a `def` handler is to wait for its end or its deadline."""
    is_usual = call.plan.is_unary and not call.method.is_async and reply.body.stream is None
    return is_usual and call.context.deadline is not None and callers_thread.get() is None


def _belongs_on_loop(call: Call, reply: Reply) -> bool:
    method = call.method
    if method.is_async or (call.context.deadline is not None and not _is_held_for_caller(call)):
        return True
    if (method.request_streaming or method.response_streaming) and call.settings.limits_stream_time:
        return True
    # The handler may read and give in two threads, but only the server's may be at an HTTP/2 connection.
    return method.request_streaming and reply.body.stream is not None


def _is_held_for_caller(call: Call) -> bool:
    """Whether a `def` handler runs in this thread although it has a deadline: where a caller in this process waits.

    It cannot be left behind then, but what it sees of its deadline and what its caller gets is the same.
    """
    context = call.context
    left = 0.0 if context.deadline is None else context.deadline - time.monotonic()
    if left <= 0 or callers_thread.get() is None or not isinstance(context, SyncContext):
        return False
    timer = threading.Timer(left, context.expire)
    timer.daemon = True
    timer.start()
    return context.add_callback(timer.cancel)


def _request(call: Call, body: WsgiBody) -> bytes | Iterator[bytes]:
    return body.messages(call) if call.method.request_streaming else body.only_message(call)


def _watched(answer: Iterator[bytes], call: Call, reply: Reply) -> Iterator[bytes]:
    with watched(call, reply.environ):
        yield from answer


def _stream(call: Call, reply: Reply) -> Iterator[bytes]:
    """The answer of a streaming method, made while the server iterates. Closed early, it has lost its caller."""
    in_context = copy_context().run
    in_context(call_id.begin, call.context)
    call.context.on_initial_metadata = lambda: reply.start_stream(call, now=True)
    in_context(call_started)
    try:
        frames = _no_frames()
        try:
            enter(call.context)
            frames = run_stream(call, _request(call, reply.body))
            frame = in_context(next, frames, None)
        except StatusError as error:
            call.context.reject(error)
            frame = None
        reply.start_stream(call)  # not before the first message: until then a handler may set headers
        while frame is not None:
            yield frame
            if reply.body.is_abandoned():
                call.context.disconnect()
                in_context(frames.close)
                break
            frame = in_context(next, frames, None)
        call.context.finish()
        yield call.trailers()
        reply.end(call.http_trailers())
    except GeneratorExit:
        call.context.disconnect()
        in_context(frames.close)
        raise
    finally:
        call.context.on_initial_metadata = None  # or context and call would keep each other
        leave(call.context)
        call.context.finish()
        in_context(call_finished)  # whoever closes this may do so in a context of its own


def _no_frames() -> Generator[bytes, None, None]:
    yield from ()
