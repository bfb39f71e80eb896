"""Finds the plan of a request by its ASGI scope: by what decides about it, and only within its limits.

A scope has some fifteen headers and a call is over in a few microseconds, so they are not looked at one by one. Clients
send the same headers in the same order with every call: by their names a `Layout` is found, which has what decides
among their values in one step.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from operator import itemgetter
from typing import Any

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.plan import KnownHeads, Plan
from grpc_bridge.transports.asgi_request import Scope

Names = tuple[bytes, ...]

DECIDING_FIELDS = ("method", "path", "scheme", "root_path")
"""What decides besides headers."""


class Layout:
    """Where things are among headers that have the same names."""

    __slots__ = ("max_bytes", "plans", "read")

    def __init__(self, names: Names, deciding: frozenset[bytes], settings: BridgeSettings) -> None:
        places = [place for place, name in enumerate(names) if name in deciding]
        self.read: Callable[[tuple[bytes, ...]], Hashable] = itemgetter(*places) if places else _nothing
        """Gives the values that decide."""
        self.max_bytes = settings.max_metadata_bytes - sum(map(len, names))
        if len(names) > settings.max_metadata_entries:
            self.max_bytes = -1
        self.plans: dict[Hashable, Plan] = {}


def _nothing(_: object) -> Hashable:
    return ()


class KnownScopes(KnownHeads):
    """The plans of one application, found by scopes."""

    def __init__(self, settings: BridgeSettings, more: Iterable[str] = ()) -> None:
        self._layouts: dict[Names, Layout] = {}
        super().__init__(settings, more)
        self._deciding = frozenset(name.encode("ascii") for name in self.deciding)

    def forget(self) -> None:
        """Begins anew."""
        super().forget()
        self._layouts.clear()

    def find(self, scope: Scope) -> Plan | None:
        """Gives the plan for a scope whose head is known and within its limits."""
        try:
            names, values = zip(*scope["headers"])  # noqa: B905 - pairs; and this is done for every call
            layout = self._layouts[names]
            get = scope.get
            plan = layout.plans[get("method"), get("path"), get("scheme"), get("root_path"), layout.read(values)]
        except (KeyError, ValueError):  # the latter where there are no headers at all
            return None
        return plan if len(b"".join(values)) <= layout.max_bytes else None

    def remember(self, plan: Plan, scope: Scope) -> None:
        """Keeps a plan for those scopes that have the same in what decides, as long as there is room."""
        if not plan.holds_for_its_head or not self.has_room():
            return
        headers: Any = scope["headers"]
        names, values = zip(*headers, strict=True)
        layout = self._layouts.get(names)
        if layout is None:
            layout = self._layouts[names] = Layout(names, self._deciding, self.settings)
        fields = (scope.get(name) for name in DECIDING_FIELDS)
        layout.plans[*fields, layout.read(values)] = plan
