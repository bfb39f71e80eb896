"""What calls with the same head have in common. It is found out for the first of them and kept for those that follow.

Clients repeat themselves: one page sends the same method, content type, host and origin with every call. So what is
decided by these alone is decided once, and a later request only has to be seen to have the same head.

    the names of the headers -> a `Layout`, which reads them all at once
    what decides in the head -> a `Plan`

What has no plan is decided about by `admission.py`. So is every request whose answer depends on more than its head.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.context import AsyncContext, SyncContext
from grpc_bridge.protocol.compression import ACCEPT_ENCODING, Encoding
from grpc_bridge.protocol.wire import BINARY, BinaryWire
from grpc_bridge.registry import Method

Pairs = Sequence[tuple[str, str]]
Head = Mapping[Any, Any]
"""The head of a request as a server has it, with the names of `HeadNames`."""

CorsHeaders = Callable[[Iterable[str]], Iterable[tuple[str, str]]]

DECIDING_HEADERS = (
    "content-type", "accept", "grpc-encoding", "grpc-accept-encoding", "host", "origin", "sec-fetch-site",
)  # fmt: skip
"""The headers by which it is decided how a call is served. What else may decide is a matter of the settings."""

MAX_PLANS = 1024
MAX_LAYOUTS = 4
"""How many plans are kept, and how many layouts with the same number of keys. Clients may make heads up, so there has to
be an end. Whoever is beyond it is served all the same, only not as fast."""

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
        "accept_encoding", "answer", "context_type", "cors", "holds_for_its_head", "is_unary", "max_body_bytes", "max_calls", "max_receive_bytes",
        "max_send_bytes", "method", "path", "plain_headers", "plain_headers_encoded", "request_encoding",
        "request_wire", "in_one_piece", "settings", "wire",
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


class HeadNames(NamedTuple):
    """How a server names what is in the head of a request: its keys, which are all text or all bytes."""

    header: Callable[[str], Any]
    """Gives the key of a header, which is asked for in lower case."""
    prefixes: tuple[Any, ...]
    """How the keys of headers begin."""
    uncounted: Any
    """What the server has put before a name."""
    fields: tuple[Any, ...]
    """What decides besides headers."""


class Layout:
    """Heads with the same keys. Reading one proves that it has this layout: as many keys, and each of them."""

    __slots__ = ("_fields", "_names_bytes", "_settings", "deciding_end", "headers_end", "plans", "read")

    def __init__(self, names: HeadNames, deciding: Iterable[Any], head: Head, settings: BridgeSettings) -> None:
        fields = [key for key in names.fields if key in head]
        headers = [key for key in deciding if key in head]
        first = {*fields, *headers}
        self._settings = settings
        self._fields = len(fields)
        self.deciding_end = len(fields) + len(headers)
        headers += [key for key in head if key not in first and key.startswith(names.prefixes)]
        others = [key for key in head if key not in {*fields, *headers}]
        self.headers_end = len(fields) + len(headers)
        self._names_bytes = sum(len(key.removeprefix(names.uncounted)) for key in headers)
        self.read: Callable[[Head], tuple[Any, ...]] = itemgetter(*fields, *headers, *others)
        self.plans: dict[Hashable, tuple[Plan, int]] = {}
        """With each plan how many bytes there may be in the headers that do not decide."""

    def keep(self, plan: Plan, head: Head, before: Hashable) -> None:
        """Keeps a plan for heads that have the same in what decides."""
        key = self.read(head)[: self.deciding_end]
        room = self._settings.max_metadata_bytes - self._names_bytes - sum(map(len, key[self._fields :]))
        if self.headers_end - self._fields > self._settings.max_metadata_entries:
            room = -1
        self.plans[key if before is None else (before, key)] = plan, room

    def fits(self, head: Head) -> bool:
        """Whether a head of the same size has the same keys."""
        try:
            self.read(head)
        except KeyError:
            return False
        return True


class KnownHeads:
    """The plans of one application, for as long as its settings hold.

    `more` are headers that decide besides `DECIDING_HEADERS`.
    """

    def __init__(self, names: HeadNames, settings: BridgeSettings, more: Iterable[str] = ()) -> None:
        self._names = names
        self._settings = settings
        self._deciding = tuple(dict.fromkeys(map(names.header, (*DECIDING_HEADERS, *more))))
        self._join: Callable[[Iterable[Any]], Any] = names.uncounted[:0].join
        self._layouts: dict[int, list[Layout]] = {}
        self._forget()

    def _forget(self) -> None:
        self._layouts.clear()
        self._room = MAX_PLANS
        self._forgotten_at = time.monotonic()

    def find(self, head: Head, before: Hashable = None) -> Plan | None:
        """Gives the plan for a head that is known and within its limits. `before` is what decides beside it."""
        for layout in self._layouts.get(len(head), ()):
            try:
                values = layout.read(head)
                key = values[: layout.deciding_end]
                plan, room = layout.plans[key if before is None else (before, key)]
                if len(self._join(values[layout.deciding_end : layout.headers_end])) <= room:
                    return plan
            except (KeyError, TypeError):  # not known, or something besides text as the value of a header
                continue
            return None
        return None

    def remember(self, plan: Plan, head: Head, before: Hashable = None) -> None:
        """Keeps a plan for those that have the same head and the same `before`, as long as there is room."""
        if self._room <= 0 and time.monotonic() >= self._forgotten_at + MEMORY_SECONDS:
            self._forget()
        if self._room <= 0 or len(head) < 2:
            return
        layouts = self._layouts.setdefault(len(head), [])
        layout = next((each for each in layouts if each.fits(head)), None)
        if layout is None:
            if len(layouts) == MAX_LAYOUTS:
                self._room = 0
                return
            layout = Layout(self._names, self._deciding, head, self._settings)
            layouts.append(layout)
        layout.keep(plan, head, before)
        self._room -= 1
