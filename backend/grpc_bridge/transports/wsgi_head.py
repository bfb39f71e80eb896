"""Finds the plan of a request by its WSGI environ."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.heads import VARYING_HEADERS, Head, KnownHeads
from grpc_bridge.plan import Plan
from grpc_bridge.transports.wsgi_reply import Environ

HEADER_PREFIXES = ("HTTP_", "CONTENT_TYPE", "CONTENT_LENGTH")
"""How the names of headers begin in an environ."""

ALWAYS_THERE = {
    "REQUEST_METHOD", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "wsgi.errors", "wsgi.input", "wsgi.multiprocess",
    "wsgi.multithread", "wsgi.run_once", "wsgi.url_scheme", "wsgi.version",
}  # fmt: skip
"""What every environ has to have (PEP 3333, "environ Variables"), so that nobody need look whether it does."""

DECIDING_FIELDS = ("REQUEST_METHOD", "wsgi.url_scheme")
"""What decides besides headers and the path."""


def environ_key(header: str) -> str:
    """Gives under which key an environ has a header."""
    key = header.replace("-", "_").upper()
    return key if key in HEADER_PREFIXES else f"HTTP_{key}"


_VARYING = frozenset(map(environ_key, VARYING_HEADERS))


class EnvironHead(Head):
    """The head of requests of one path. Values are found by their keys."""

    __slots__ = ("_headers", "_keys", "_known")

    def __init__(self, plan: Plan, environ: Environ, deciding: frozenset[str], settings: BridgeSettings) -> None:
        self._keys = environ.keys() | set()
        self._headers = [key for key in environ if key.startswith(HEADER_PREFIXES)]
        decides = {key: environ[key] for key in environ if key in deciding}
        fixed = decides | {key: environ[key] for key in self._headers if key not in _VARYING}
        spare = settings.max_metadata_bytes - sum(len(key.removeprefix("HTTP_")) for key in self._headers)
        spare -= sum(len(fixed[key]) for key in self._headers if key in fixed)
        super().__init__(plan, (self._keys, decides), fixed, spare)

    def arrange(self, fixed: dict[str, str], spare_bytes: int) -> None:
        """Prepares for requests in which these keys have these values."""
        varying = [key for key in self._headers if key not in fixed]
        others = self._keys - {*fixed, *varying} - ALWAYS_THERE
        self._known = itemgetter(*fixed), tuple(fixed.values()), varying, itemgetter(*others), spare_bytes

    def fits(self, environ: Environ) -> bool:
        """Whether a request of the same path has this head."""
        if len(environ) != len(self._keys):
            return False
        read, always, varying, read_others, spare_bytes = self._known
        try:
            if read(environ) != always:
                return False
            for key in varying:
                spare_bytes -= len(environ[key])
            read_others(environ)
        except KeyError:  # there are as many keys, but others
            return False
        return spare_bytes >= 0


class KnownEnvirons(KnownHeads[EnvironHead]):
    """The plans of one application, found by environs."""

    def __init__(self, settings: BridgeSettings, more: Iterable[str] = ()) -> None:
        super().__init__(settings, more)
        self._deciding = frozenset((*DECIDING_FIELDS, *map(environ_key, self.deciding)))

    def find(self, environ: Environ) -> Plan | None:
        """Gives the plan for an environ whose head is known and within its limits."""
        for head in self.heads.get(environ.get("PATH_INFO", ""), ()):
            if head.fits(environ):
                return head.plan
        return None

    def remember(self, plan: Plan, environ: Environ) -> None:
        """Keeps a plan for those environs that have the same in what decides, as long as there is room."""
        if plan.holds_for_its_head and self.has_room():
            path = environ.get("PATH_INFO", "")
            self.keep(path, EnvironHead(plan, environ, self._deciding, self.settings))
