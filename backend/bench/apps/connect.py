"""connectrpc, with the messages of Google's protobuf that the others have."""

from __future__ import annotations

from typing import Any

from connectrpc.compat import google_protobuf_codecs
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.server import ConnectASGIApplication, ConnectWSGIApplication, Endpoint, EndpointSync

from bench import handlers
from bench.handlers import ASYNC_SERVICE, DEF_SERVICE
from generated.echo.v1.echo_pb2 import EchoRequest, EchoResponse, ServerStreamingEchoRequest, ServerStreamingEchoResponse


def _unary(service: str) -> Any:
    return MethodInfo(
        name="Echo",
        service_name=service,
        input=EchoRequest,
        output=EchoResponse,
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=StreamType.UNARY,
    )


def _streaming(service: str, name: str) -> Any:
    return MethodInfo(
        name=name,
        service_name=service,
        input=ServerStreamingEchoRequest,
        output=ServerStreamingEchoResponse,
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=StreamType.SERVER_STREAM,
    )


class _Wsgi(ConnectWSGIApplication):
    path = f"/{DEF_SERVICE}"


class _Asgi(ConnectASGIApplication[None]):
    path = f"/{ASYNC_SERVICE}"


wsgi = _Wsgi(
    endpoints={
        f"{_Wsgi.path}/Echo": EndpointSync.unary(method=_unary(DEF_SERVICE), function=handlers.echo),
        f"{_Wsgi.path}/Stream": EndpointSync.server_stream(
            method=_streaming(DEF_SERVICE, "Stream"), function=handlers.stream
        ),
    },
    codecs=google_protobuf_codecs(),
)
asgi = _Asgi(
    service=None,
    endpoints=lambda _: {
        f"{_Asgi.path}/Echo": Endpoint.unary(method=_unary(ASYNC_SERVICE), function=handlers.echo_async),
        f"{_Asgi.path}/Stream": Endpoint.server_stream(
            method=_streaming(ASYNC_SERVICE, "Stream"), function=handlers.stream_async
        ),
        f"{_Asgi.path}/Hold": Endpoint.server_stream(
            method=_streaming(ASYNC_SERVICE, "Hold"), function=handlers.hold_async
        ),
    },
    codecs=google_protobuf_codecs(),
)
