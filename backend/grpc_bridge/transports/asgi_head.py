"""Finds the plan of a request by its ASGI scope."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.heads import VARYING_HEADERS, Head, KnownHeads
from grpc_bridge.plan import Plan
from grpc_bridge.transports.asgi_request import Scope

Pair = tuple[bytes, bytes]

_VARYING = frozenset(name.encode("ascii") for name in VARYING_HEADERS)


class ScopeHead(Head):
    """The head of requests of one path. Values are found by the places of their headers."""

    __slots__ = ("_fields", "_known", "_length", "_names")

    def __init__(self, plan: Plan, scope: Scope, deciding: frozenset[bytes], settings: BridgeSettings) -> None:
        headers: list[Pair] = scope["headers"]
        self._fields = scope.get("method"), scope.get("scheme"), scope.get("root_path")
        self._names = [name for name, _ in headers]
        self._length = len(headers)
        fixed = {place: value for place, (name, value) in enumerate(headers) if name not in _VARYING}
        decides = [pair for pair in headers if pair[0] in deciding]
        spare = settings.max_metadata_bytes - sum(map(len, self._names)) - sum(map(len, fixed.values()))
        super().__init__(plan, (self._fields, self._names, decides), fixed, spare)

    def arrange(self, fixed: dict[int, bytes], spare_bytes: int) -> None:
        """Prepares for requests in which the headers at these places have these values."""
        read = itemgetter(*fixed)
        always = read([(name, fixed.get(place)) for place, name in enumerate(self._names)])
        varying = [(place, name) for place, name in enumerate(self._names) if place not in fixed]
        self._known = read, always, varying, spare_bytes

    def fits(self, scope: Scope) -> bool:
        """Whether a request of the same path has this head."""
        headers = scope["headers"]
        read, always, varying, spare_bytes = self._known
        if len(headers) != self._length or read(headers) != always:
            return False
        for place, expected in varying:
            name, value = headers[place]
            if name != expected:
                return False
            spare_bytes -= len(value)
        get = scope.get
        return spare_bytes >= 0 and (get("method"), get("scheme"), get("root_path")) == self._fields


class KnownScopes(KnownHeads[ScopeHead]):
    """The plans of one application, found by scopes."""

    def __init__(self, settings: BridgeSettings, more: Iterable[str] = ()) -> None:
        super().__init__(settings, more)
        self._deciding = frozenset(name.encode("ascii") for name in self.deciding)

    def find(self, scope: Scope) -> Plan | None:
        """Gives the plan for a scope whose head is known and within its limits."""
        for head in self.heads.get(scope["path"], ()):
            if head.fits(scope):
                return head.plan
        return None

    def remember(self, plan: Plan, scope: Scope) -> None:
        """Keeps a plan for those scopes that have the same in what decides, as long as there is room."""
        if plan.holds_for_its_head and isinstance(scope["headers"], list) and self.has_room():
            self.keep(scope["path"], ScopeHead(plan, scope, self._deciding, self.settings))
