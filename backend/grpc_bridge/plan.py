"""What calls with the same head have in common: how each of them is served."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.context import AsyncContext, SyncContext
from grpc_bridge.protocol.compression import ACCEPT_ENCODING, Encoding
from grpc_bridge.protocol.wire import BINARY, BinaryWire
from grpc_bridge.registry import Method

Pairs = Sequence[tuple[str, str]]
CorsHeaders = Callable[[Iterable[str]], Iterable[tuple[str, str]]]

STREAM_HEADERS = (
    ("cache-control", "no-cache, no-transform"),  # no cache may keep it, no proxy may compress and so collect it
    ("x-accel-buffering", "no"),  # nginx and those that follow it pass each message on at once
)


class Plan:
    """How calls with one head are served.

    `request_encoding` is how messages of the request may be compressed, `accept_encoding` how those of the answer.
    `cors` is None where CORS is off, else it gives the headers for it, by the keys of the metadata that is sent.
    `holds_for_its_head` says whether nothing but the head decided for this plan.
    `in_one_piece` says whether the call is of the usual kind, for which transports have a way of its own.
    `answer` is the way that the transport has for such a call, None for every other. It is given the plan and does not
    keep it: plans come and go.
    `plain_headers` are those of an answer for which the handler has set nothing, all but the length.
    """

    __slots__ = (
        "accept_encoding",
        "answer",
        "context_type",
        "cors",
        "holds_for_its_head",
        "in_one_piece",
        "is_unary",
        "max_body_bytes",
        "max_calls",
        "max_receive_bytes",
        "max_send_bytes",
        "method",
        "needs_http_trailers",
        "path",
        "plain_headers",
        "plain_headers_encoded",
        "request_encoding",
        "request_wire",
        "settings",
        "wire",
    )  # fmt: skip

    def __init__(
        self,
        method: Method,
        path: str,
        request_wire: BinaryWire,
        wire: BinaryWire,
        settings: BridgeSettings,
        *,
        request_encoding: Encoding | None = None,
        accept_encoding: str | None = None,
        cors: CorsHeaders | None = None,
        holds_for_its_head: bool = False,
    ) -> None:
        self.method = method
        self.path = path
        self.request_wire = request_wire
        self.wire = wire
        self.needs_http_trailers = wire.needs_http_trailers
        self.settings = settings
        self.request_encoding = request_encoding
        self.accept_encoding = accept_encoding
        self.cors = cors
        self.holds_for_its_head = holds_for_its_head
        self.is_unary = not (method.request_streaming or method.response_streaming)
        self.context_type = AsyncContext if method.is_async else SyncContext
        self.max_calls = settings.max_concurrent_calls
        self.max_body_bytes = 2 * settings.max_receive_message_bytes  # in text mode a message is a third longer
        self.max_receive_bytes = settings.max_receive_message_bytes
        self.max_send_bytes = settings.max_send_message_bytes
        self.in_one_piece = self.is_unary and method.interceptors is None and request_wire is BINARY
        self.answer: Callable[..., Any] | None = None
        self.plain_headers = tuple(self.headers())
        self.plain_headers_encoded = tuple(encoded(self.plain_headers))

    def headers(self, metadata: Pairs = (), encoding: Encoding | None = None) -> list[tuple[str, str]]:
        """Gives the headers of an answer, all but the length. `metadata` are pairs from `encode_metadata`."""
        headers = [("content-type", self.wire.content_type), *metadata]
        if encoding is not None:
            headers.append(("grpc-encoding", encoding.name))
        if self.cors is not None:
            headers.extend(self.cors([name for name, _ in headers[1:]]))
        if self.wire.needs_http_trailers:
            headers.append(ACCEPT_ENCODING)
        elif self.method.response_streaming:
            headers.extend(STREAM_HEADERS)
        return headers


def encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Gives headers as ASGI has them."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
