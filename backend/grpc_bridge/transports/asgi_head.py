"""Reads the head of a request out of an ASGI scope: what decides about it, and how large it is."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.plan import DECIDING_BY_THEIR_PRESENCE, KnownHeads, Plan
from grpc_bridge.transports.asgi_request import Scope

TOO_LARGE = None


class KnownScopes(KnownHeads):
    """The plans of one application, by what `key` gives for a scope."""

    def __init__(self, settings: BridgeSettings, more: Iterable[str] = ()) -> None:
        self.plans: dict[Hashable, Plan] = {}
        super().__init__(settings, more)
        self._names = {name.encode("ascii"): False for name in DECIDING_BY_THEIR_PRESENCE}
        self._names |= {name.encode("ascii"): True for name in self.deciding}

    def forget(self) -> None:
        """Begins anew."""
        super().forget()
        self.plans.clear()

    def key(self, scope: Scope) -> Hashable:
        """Gives what is equal for scopes with equal heads, `TOO_LARGE` for a head that is beyond its limits."""
        headers, names, size = scope["headers"], self._names, 0
        key = [scope["method"], scope["path"], scope.get("scheme"), scope.get("root_path")]
        for name, value in headers:  # one loop for all, because it costs more than what is done in it
            size += len(name) + len(value)
            if name in names:
                key.append(name)
                if names[name]:
                    key.append(value)
        if size > self.settings.max_metadata_bytes or len(headers) > self.settings.max_metadata_entries:
            return TOO_LARGE
        return tuple(key)

    def remember(self, key: Hashable, plan: Plan) -> None:
        """Keeps a plan for those scopes that have this key, as long as there is room."""
        if key is not TOO_LARGE and plan.holds_for_its_head and self.has_room():
            self.plans[key] = plan
