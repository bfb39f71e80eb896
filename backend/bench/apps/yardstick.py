"""The least that can answer a call: find the handler, parse, call it, serialize. It is a yardstick and no product.

Nothing is checked, nothing can go wrong, no metadata, deadline, limit, error or stream exists.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bench.apps.floor import TRAILERS
from bench.handlers import SERVICES
from bench.wire import CONTENT_TYPE, HEADER

_METHODS = {
    f"/{service}/Echo": (methods["Echo"].request_deserializer, methods["Echo"].unary_unary, methods["Echo"].response_serializer)
    for service, methods in SERVICES.items()
}


class _Context:
    __slots__ = ("_head",)

    def __init__(self, head: Any) -> None:
        self._head = head


def _answer(message: bytes) -> bytes:
    return HEADER.pack(0, len(message)) + message + TRAILERS


def wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answers a unary call."""
    parse, behavior, serialize = _METHODS[environ["PATH_INFO"]]
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    answer = _answer(serialize(behavior(parse(body[HEADER.size :]), _Context(environ))))
    start_response("200 OK", [("content-type", CONTENT_TYPE), ("content-length", str(len(answer)))])
    return [answer]


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers a unary call."""
    parse, behavior, serialize = _METHODS[scope["path"]]
    event = await receive()
    body = event["body"]
    if event.get("more_body"):
        pieces = [body]
        while event.get("more_body"):
            event = await receive()
            pieces.append(event["body"])
        body = b"".join(pieces)
    answer = _answer(serialize(await behavior(parse(body[HEADER.size :]), _Context(scope))))
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
