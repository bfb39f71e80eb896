"""The WSGI transport: RPCs are answered here, everything else goes to the application that it wraps, untouched.

A `def` handler without a deadline runs in the server's thread, in a copy of its context variables, so that what it sets
does not reach the next call. Any other runs on an event loop beside it, where it can be stopped: see `wsgi_on_loop.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from typing import Any

from grpc_bridge.call import Call, admit, refused_call
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.dispatch import run_stream, run_unary
from grpc_bridge.lifecycle import call_finished, call_started
from grpc_bridge.protocol.metadata import Metadatum, decode_metadata
from grpc_bridge.protocol.negotiation import Refusal, classify
from grpc_bridge.protocol.status import StatusError
from grpc_bridge.registry import Registry
from grpc_bridge.transports.wsgi_body import WsgiBody
from grpc_bridge.transports.wsgi_on_loop import serve_on_loop

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


class WsgiRequest:
    """What a call asks of a WSGI environ."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Environ) -> None:
        self._environ = environ

    def metadata(self) -> tuple[Metadatum, ...]:
        """Gives the invocation metadata. Duplicates arrive joined by commas: WSGI has no other way."""
        return decode_metadata(
            (name[5:].replace("_", "-"), value) for name, value in self._environ.items() if name.startswith("HTTP_")
        )

    def peer(self) -> str:
        """Gives the caller's address as grpcio writes it."""
        host, port = self._environ.get("REMOTE_ADDR") or "unknown", self._environ.get("REMOTE_PORT") or 0
        return f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}"


class WsgiBridge:
    """Serves the methods of a registry over gRPC-Web in front of a WSGI application."""

    def __init__(self, application: Application, registry: Registry, settings: BridgeSettings) -> None:
        self._application = application
        self._registry = registry
        self._settings = settings

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serves one request of a WSGI server."""
        path: str = environ.get("PATH_INFO", "")
        method = self._registry.find(path)
        decision = classify(method is not None, environ["REQUEST_METHOD"], environ.get("CONTENT_TYPE"))
        if decision is None:
            return self._application(environ, start_response)
        if isinstance(decision, Refusal):
            status = f"{decision.status} {decision.reason}"
            return _answer(start_response, status, decision.all_headers, decision.body, WsgiBody(environ))
        accept = environ.get("HTTP_ACCEPT")
        try:
            call = admit(
                path, method or self._registry.find_generic(path), decision, WsgiRequest(environ), self._settings,
                accept=accept, timeout=environ.get("HTTP_GRPC_TIMEOUT"), encoding=environ.get("HTTP_GRPC_ENCODING"),
            )  # fmt: skip
        except StatusError as error:
            return _answer(start_response, "200 OK", *refused_call(decision, accept, error), WsgiBody(environ))
        return _serve(call, WsgiBody(environ), start_response)


def _serve(call: Call, body: WsgiBody, start_response: StartResponse) -> Iterable[bytes]:
    if call.method.is_async or call.context.deadline is not None:
        return serve_on_loop(call, body, start_response)
    if call.method.response_streaming:
        return _stream(call, body, start_response)
    payload = None
    call_started()
    try:
        payload = copy_context().run(run_unary, call, _request(call, body))
    except StatusError as error:
        call.context.reject(error)
    finally:
        call.context.finish()
        call_finished()
    answer = call.unary_body(payload)
    return _answer(start_response, "200 OK", call.headers(), answer, body)


def _request(call: Call, body: WsgiBody) -> bytes | Iterator[bytes]:
    return body.messages(call) if call.method.request_streaming else body.only_message(call)


def _stream(call: Call, body: WsgiBody, start_response: StartResponse) -> Iterator[bytes]:
    """The answer of a streaming method, made while the server iterates. Closed early, it has lost its caller."""
    in_context = copy_context().run
    call_started()
    try:
        try:
            frames: Iterator[bytes] = run_stream(call, _request(call, body))
            frame = in_context(next, frames, None)
        except StatusError as error:
            call.context.reject(error)
            frames, frame = iter(()), None
        start_response("200 OK", call.headers())  # not before the first message: until then a handler may set headers
        while frame is not None:
            yield frame
            frame = in_context(next, frames, None)
        call.context.finish()
        yield call.trailers()
        body.discard()
    except GeneratorExit:
        call.context.disconnect()
        in_context(frames.close)  # type: ignore[attr-defined]
        raise
    finally:
        call.context.finish()
        call_finished()


def _answer(
    start_response: StartResponse, status: str, headers: Iterable[tuple[str, str]], answer: bytes, body: WsgiBody
) -> Iterable[bytes]:
    start_response(status, [*headers, ("content-length", str(len(answer)))])
    return [answer] if body.ended else _and_then_discard(answer, body)


def _and_then_discard(answer: bytes, body: WsgiBody) -> Iterator[bytes]:
    yield answer
    body.discard()
