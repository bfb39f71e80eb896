"""Requests as a server hands them over, for tests in which a server or a caller does something odd."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import grpc

from grpc_bridge.protocol.frames import FLAG_TRAILERS, HEADER, encode_frame
from grpc_bridge.protocol.status import StatusCode
from grpc_bridge.protocol.trailers import decode_trailers
from grpc_bridge.registry import Registry

ASGI = "asgi"
WSGI = "wsgi"

BODY = encode_frame(b"request")
CONTENT_TYPE = "application/grpc-web+proto"
HOST = "testserver"

Headers = Iterable[tuple[str, str]]


def registry_of(**handlers: grpc.RpcMethodHandler[Any, Any]) -> Registry:
    """Gives a registry with the methods `/test.Service/<name>`."""
    registry = Registry()
    registry.add_registered_method_handlers("test.Service", handlers)
    return registry


def scope(name: str, headers: Headers = ()) -> dict[str, Any]:
    """Gives the ASGI scope of a call of `/test.Service/<name>`."""
    pairs = [("host", HOST), ("content-type", CONTENT_TYPE), *headers]
    return {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "root_path": "",
        "path": f"/test.Service/{name}",
        "client": ("127.0.0.1", 50000),
        "headers": [(key.encode(), value.encode()) for key, value in pairs],
    }


def environ(name: str, headers: Headers = (), body: Any = BODY) -> dict[str, Any]:
    """Gives the WSGI environ of a call of `/test.Service/<name>`. `body` is bytes, or a file to read them from."""
    return {f"HTTP_{key.upper().replace('-', '_')}": value for key, value in headers} | {
        "HTTP_HOST": HOST,
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/test.Service/{name}",
        "CONTENT_TYPE": CONTENT_TYPE,
        "CONTENT_LENGTH": str(len(body) if isinstance(body, bytes) else len(BODY)),
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000",
        "wsgi.input": io.BytesIO(body) if isinstance(body, bytes) else body,
    }


def status_of(answer: bytes | bytearray) -> tuple[StatusCode, str]:
    """Gives the status with which the body of an answer ends."""
    start = 0
    while True:
        flags, length = HEADER.unpack_from(answer, start)
        start += HEADER.size
        if flags == FLAG_TRAILERS:
            code, message, _ = decode_trailers(bytes(answer[start:]))
            return code, message
        start += length


def not_django(*_: Any) -> Any:
    """Stands for the application that the bridge wraps."""
    raise AssertionError("the request did not reach the bridge")
