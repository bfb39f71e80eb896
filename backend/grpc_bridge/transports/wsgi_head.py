"""Reads the head of a request out of a WSGI environ: what decides about it, and how large it is.

An environ has some forty entries and a call is over in a few microseconds, so they are not looked at one by one. An
environ has the keys of a `Layout` if it has as many, and each of them; then the layout has all values in one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.plan import KnownHeads, Plan
from grpc_bridge.transports.wsgi_reply import Environ

HEADER_PREFIXES = ("HTTP_", "CONTENT_TYPE", "CONTENT_LENGTH")
"""How the names of headers begin in an environ."""

DECIDING_FIELDS = ("REQUEST_METHOD", "PATH_INFO", "wsgi.url_scheme")
"""What decides besides headers."""

MAX_LAYOUTS = 4
"""How many layouts with the same number of keys are kept: kinds of clients, that is."""


class Layout:
    """Where things are in environs that have the same keys."""

    __slots__ = ("deciding_end", "fields_end", "headers_end", "max_bytes", "plans", "read")

    def __init__(self, environ: Environ, deciding: Sequence[str], settings: BridgeSettings) -> None:
        fields = [key for key in DECIDING_FIELDS if key in environ]
        headers = [key for key in deciding if key in environ]
        self.fields_end = len(fields)
        self.deciding_end = len(fields) + len(headers)
        headers += [key for key in environ if key.startswith(HEADER_PREFIXES) and key not in headers]
        self.headers_end = len(fields) + len(headers)
        others = environ.keys() - {*fields, *headers}
        self.read: Callable[[Environ], tuple[Any, ...]] = itemgetter(*fields, *headers, *others)
        """Gives what decides, then the other headers, then the rest. Raises `KeyError` for another layout."""
        self.max_bytes = settings.max_metadata_bytes - sum(len(key.removeprefix("HTTP_")) for key in headers)
        if len(headers) > settings.max_metadata_entries:
            self.max_bytes = -1
        self.plans: dict[tuple[Any, ...], Plan] = {}

    def fits(self, environ: Environ) -> bool:
        """Whether an environ of the same size has this layout."""
        try:
            self.read(environ)
        except KeyError:
            return False
        return True


def environ_key(header: str) -> str:
    """Gives under which key an environ has a header."""
    key = header.replace("-", "_").upper()
    return key if key in HEADER_PREFIXES else f"HTTP_{key}"


class KnownEnvirons(KnownHeads):
    """The plans of one application, found by environs."""

    def __init__(self, settings: BridgeSettings, more: Iterable[str] = ()) -> None:
        self._layouts: dict[int, list[Layout]] = {}
        super().__init__(settings, more)
        self._deciding = tuple(map(environ_key, self.deciding))

    def forget(self) -> None:
        """Begins anew."""
        super().forget()
        self._layouts.clear()

    def find(self, environ: Environ) -> Plan | None:
        """Gives the plan for an environ whose head is known and within its limits."""
        for layout in self._layouts.get(len(environ), ()):
            try:
                values = layout.read(environ)
                plan = layout.plans[values[: layout.deciding_end]]
            except KeyError:
                continue
            return plan if len("".join(values[layout.fields_end : layout.headers_end])) <= layout.max_bytes else None
        return None

    def remember(self, plan: Plan, environ: Environ) -> None:
        """Keeps a plan for those environs that have the same in what decides, as long as there is room."""
        if not plan.holds_for_its_head or not self.has_room():
            return
        layouts = self._layouts.setdefault(len(environ), [])
        for layout in layouts:
            if layout.fits(environ):
                break
        else:
            if len(layouts) == MAX_LAYOUTS:
                self.is_full()
                return
            layout = Layout(environ, self._deciding, self.settings)
            layouts.append(layout)
        layout.plans[layout.read(environ)[: layout.deciding_end]] = plan
