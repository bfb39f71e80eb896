"""Calls to the bridge without a server: whole requests in, whole answers out, over ASGI or WSGI."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from grpc_bridge.codes import GRPCIO_CODES
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.protocol.frames import FLAG_TRAILERS, HEADER, encode_frame
from grpc_bridge.protocol.trailers import decode_trailers
from grpc_bridge.registry import Registry
from grpc_bridge.transports.asgi import Application as AsgiApplication
from grpc_bridge.transports.asgi import asgi_bridge
from grpc_bridge.transports.wsgi import Application as WsgiApplication
from grpc_bridge.transports.wsgi import wsgi_bridge

ASGI = "asgi"
WSGI = "wsgi"
TRANSPORTS = (ASGI, WSGI)
HOST = "testserver"
CONTENT_TYPE = "application/grpc-web+proto"


@dataclass(frozen=True)
class Answer:
    """What a caller gets."""

    messages: list[bytes]
    code: grpc.StatusCode = grpc.StatusCode.OK
    details: str = ""


@dataclass(frozen=True)
class Request:
    """What a caller sends. Header names are lower case."""

    path: str
    messages: Sequence[bytes] = (b"request",)
    headers: Iterable[tuple[str, str]] = ()

    @property
    def body(self) -> bytes:
        """The bytes of the request."""
        return b"".join(map(encode_frame, self.messages))


def registry_of(**handlers: grpc.RpcMethodHandler[Any, Any]) -> Registry:
    """Gives a registry with the methods `/test.Service/<name>`."""
    registry = Registry()
    registry.add_registered_method_handlers("test.Service", handlers)
    return registry


def answers(transport: str, registry: Registry, settings: BridgeSettings, *requests: Request) -> list[Answer]:
    """Makes calls one after another, all in the same task or in the same thread."""
    if transport == WSGI:
        wsgi = wsgi_bridge(_not_django, registry, settings)
        return [_answer(_wsgi_body(wsgi, request)) for request in requests]

    async def in_one_task() -> list[Answer]:
        asgi = asgi_bridge(_not_django, registry, settings)
        return [_answer(await asgi_body(asgi, request)) for request in requests]

    return asyncio.run(in_one_task())


def _not_django(*_: Any) -> Any:
    raise AssertionError("the request did not reach the bridge")


def _wsgi_body(application: WsgiApplication, request: Request) -> bytes:
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers} | {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": request.path,
        "CONTENT_TYPE": CONTENT_TYPE,
        "CONTENT_LENGTH": str(len(request.body)),
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000",
        "HTTP_HOST": HOST,
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
    }
    chunks = application(environ, lambda *_: None)
    try:
        return b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()


async def asgi_body(application: AsgiApplication, request: Request) -> bytes:
    """Gives the body of an answer. The caller stays until it has it."""
    events: list[Any] = [{"type": "http.request", "body": request.body, "more_body": False}]
    sent: list[bytes] = []

    async def receive() -> Any:
        return events.pop() if events else await asyncio.get_running_loop().create_future()

    async def send(event: Any) -> None:
        sent.append(event.get("body", b""))

    scope = {
        "type": "http",
        "method": "POST",
        "path": request.path,
        "client": ("127.0.0.1", 50000),
        "headers": [
            (b"host", HOST.encode()),
            (b"content-type", CONTENT_TYPE.encode()),
            *((name.encode(), value.encode()) for name, value in request.headers),
        ],
    }
    await application(scope, receive, send)
    return b"".join(sent)


def _answer(body: bytes) -> Answer:
    messages: list[bytes] = []
    while True:
        flags, length = HEADER.unpack_from(body)
        payload, body = body[HEADER.size : HEADER.size + length], body[HEADER.size + length :]
        if flags == FLAG_TRAILERS:
            assert not body
            code, details, _ = decode_trailers(payload)
            return Answer(messages, GRPCIO_CODES[code], details)
        messages.append(payload)
