"""Whole answers, and the last trailers of any, as ASGI has them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from grpc_bridge.plan import encoded
from grpc_bridge.protocol.negotiation import HttpAnswer
from grpc_bridge.transports.asgi_request import Event

Send = Callable[[Event], Awaitable[None]]


SHORT_BYTES = 1024
"""Bodies shorter than this have their header ready: to write the number costs as much as to send a message."""


def content_length(length: int) -> tuple[bytes, bytes]:
    """Gives the header that says how long a body is."""
    return b"content-length", b"%d" % length


READY = [content_length(length) for length in range(SHORT_BYTES)]
"""Those headers, by the lengths."""


async def send_answer(send: Send, answer: HttpAnswer) -> None:
    """Sends a whole answer at once."""
    if not answer.trailers:
        await send_whole(send, answer.status, encoded(answer.headers), answer.body)
        return
    headers = encoded(answer.headers)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers, "trailers": True})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
    await send_trailers(send, answer.trailers)


async def send_whole(send: Send, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
    """Sends an answer without trailers. `headers` are all but the length."""
    await send({"type": "http.response.start", "status": status, "headers": [*headers, content_length(len(body))]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def send_trailers(send: Send, trailers: Sequence[tuple[str, str]]) -> None:
    """Sends what HTTP has after the body."""
    await send({"type": "http.response.trailers", "headers": encoded(trailers), "more_trailers": False})
