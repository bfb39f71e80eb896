"""Finds the plan of a request by its ASGI scope."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.heads import VARYING_HEADERS, Head, KnownHeads
from grpc_bridge.plan import Plan
from grpc_bridge.transports.asgi_request import Scope

Pair = tuple[bytes, bytes]

_FIELDS = ("type", "method", "scheme", "root_path")
"""What decides besides headers and the path. Servers give all of them; where one leaves some out, as it may, calls are
decided about one by one."""

_fields_of = itemgetter(*_FIELDS)

_VARYING = frozenset(name.encode("ascii") for name in VARYING_HEADERS)


class ScopeHead(Head):
    """The head of requests of one path. Values are found by the places of their headers."""

    __slots__ = ("_names", "fields", "known")

    def __init__(self, plan: Plan, scope: Scope, deciding: frozenset[bytes], settings: BridgeSettings) -> None:
        headers: list[Pair] = scope["headers"]
        self.fields = _fields_of(scope)
        self._names = [name for name, _ in headers]
        fixed = {place: value for place, (name, value) in enumerate(headers) if name not in _VARYING}
        decides = [pair for pair in headers if pair[0] in deciding]
        spare = settings.max_metadata_bytes - sum(map(len, self._names)) - sum(map(len, fixed.values()))
        super().__init__(plan, (self.fields, self._names, decides), fixed, spare)

    def arrange(self, fixed: dict[int, bytes], spare_bytes: int) -> None:
        """Prepares for requests in which the headers at these places have these values."""
        headers = [(name, fixed.get(place, b"")) for place, name in enumerate(self._names)]
        varying = [(place, name) for place, name in enumerate(self._names) if place not in fixed]
        self.known = headers, varying, spare_bytes


class KnownScopes(KnownHeads[ScopeHead]):
    """The plans of one application, found by scopes."""

    def __init__(self, settings: BridgeSettings, more: Iterable[str] = ()) -> None:
        super().__init__(settings, more)
        self._deciding = frozenset(name.encode("ascii") for name in self.deciding)

    def find(self, scope: Scope) -> Plan | None:
        """Gives the plan for a scope whose head is known and within its limits, None for one that is no request."""
        heads = self.heads.get(scope.get("path", ""))
        if heads is None:
            return None
        try:
            fields = _fields_of(scope)
        except KeyError:  # a WebSocket, above all
            return None
        headers = scope["headers"]
        for head in heads:
            known, varying, spare_bytes = head.known
            if len(headers) != len(known) or fields != head.fields:
                continue
            expected = known.copy()
            for place, name in varying:
                value = headers[place][1]
                expected[place] = name, value
                spare_bytes -= len(value)
            if spare_bytes >= 0 and headers == expected:
                return head.plan
        return None

    def remember(self, plan: Plan, scope: Scope) -> None:
        """Keeps a plan for those scopes that have the same in what decides, as long as there is room."""
        may_be_kept = isinstance(scope["headers"], list) and all(field in scope for field in _FIELDS)
        if plan.holds_for_its_head and may_be_kept and self.has_room():
            self.keep(scope["path"], ScopeHead(plan, scope, self._deciding, self.settings))
