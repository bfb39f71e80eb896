"""What calls with the same head have in common. It is found out for the first of them and kept for those that follow.

Clients repeat themselves: one page sends the same method, content type, host and origin with every call. So what is
decided by these alone is decided once, and a later request only has to be seen to have the same head.

What has no plan is decided about by `admission.py`. So is every request whose answer depends on more than its head.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.context import AsyncContext, SyncContext
from grpc_bridge.protocol.compression import ACCEPT_ENCODING, Encoding
from grpc_bridge.protocol.wire import BINARY, BinaryWire
from grpc_bridge.registry import Method

Pairs = Sequence[tuple[str, str]]
CorsHeaders = Callable[[Iterable[str]], Iterable[tuple[str, str]]]

DECIDING_HEADERS = (
    "content-type", "accept", "grpc-encoding", "grpc-accept-encoding", "host", "origin", "sec-fetch-site",
)  # fmt: skip
"""The headers by which it is decided how a call is served. What else may decide is a matter of the settings. Of all
others it counts that they are there, as with a cookie or a deadline."""

MAX_PLANS = 1024
"""How many plans are kept. Clients may make heads up, so there is an end to it. Whoever is beyond it is served all the
same, only not as fast."""

MEMORY_SECONDS = 60.0
"""For how long what is kept stays when there is no more room; then clients of today are to have their turn."""

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


class KnownHeads:
    """The plans of one application for as long as its settings hold. Each transport has a way of its own to find them.

    `more` are headers that decide besides `DECIDING_HEADERS`.
    """

    def __init__(self, settings: BridgeSettings, more: Iterable[str] = ()) -> None:
        self.settings = settings
        self.deciding = (*DECIDING_HEADERS, *more)
        self.forget()

    def forget(self) -> None:
        """Begins anew."""
        self._room = MAX_PLANS
        self._forgotten_at = time.monotonic()

    def has_room(self) -> bool:
        """Whether one more plan may be kept, which then is counted. Forgets what is old where that makes room."""
        if self._room <= 0 and time.monotonic() >= self._forgotten_at + MEMORY_SECONDS:
            self.forget()
        self._room -= 1
        return self._room >= 0

    def is_full(self) -> None:
        """Says that there is no more room, whatever was counted."""
        self._room = 0
