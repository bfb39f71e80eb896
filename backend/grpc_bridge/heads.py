"""Which plans are kept, and for requests with which heads.

Clients repeat themselves: one page sends the same method, content type, host and origin with every call, and most of
its other headers are the same as well. So what is decided by the head alone is decided once, and a later request only
has to be seen to have a head that is known. It is compared as a whole, because to look at fifteen headers one by one
would cost as much as all the rest of a call.

What has no plan is decided about by `admission.py`. So is every request whose answer depends on more than its head.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.plan import Plan

DECIDING_HEADERS = (
    "content-type", "accept", "grpc-encoding", "grpc-accept-encoding", "host", "origin", "sec-fetch-site",
)  # fmt: skip
"""The headers whose values decide how a call is served. What else may decide is a matter of the settings. Of all others
it counts that they are there, as with a cookie or a deadline."""

VARYING_HEADERS = "content-length", "cookie", "authorization"
"""Headers whose values are not kept. Others are until they are seen to vary."""

MAX_PLANS = 1024
"""How many plans are kept. Clients may make heads up, so there is an end to it. Whoever is beyond it is served all the
same, only not as fast."""

MAX_HEADS = 16
"""How many heads are kept for one path: kinds of clients, that is."""

MEMORY_SECONDS = 60.0
"""For how long what is kept stays when there is no more room; then clients of today are to have their turn."""


class Head:
    """A head that is known: some of it is the same in every request, of the rest only the size counts.

    `plan` is for requests with this head.
    """

    __slots__ = ("_fixed", "_identity", "_spare_bytes", "plan")

    def __init__(self, plan: Plan, identity: object, fixed: dict[Any, Any], spare_bytes: int) -> None:
        """`identity` is what sets this head apart from others. `fixed` are the values by where they are, and
        `spare_bytes` is how large those may be that are not among them."""
        self.plan = plan
        self._identity = identity
        self._fixed = fixed
        self._spare_bytes = spare_bytes
        self.arrange(fixed, spare_bytes)

    def arrange(self, fixed: dict[Any, Any], spare_bytes: int) -> None:
        """Prepares for requests with these values. Other threads may be looking at one meanwhile."""
        raise NotImplementedError

    def learn(self, other: Head) -> bool:
        """Takes what differs in another head for what varies, and gives whether it is the same but for that."""
        if self._identity != other._identity:
            return False
        for place in [place for place, value in self._fixed.items() if other._fixed.get(place) != value]:
            self._spare_bytes += len(self._fixed.pop(place))
        self.arrange(self._fixed, self._spare_bytes)
        return True


H = TypeVar("H", bound=Head)


class KnownHeads(Generic[H]):
    """The plans of one application for as long as its settings hold. Each transport has a way of its own to find them.

    `more` are headers that decide besides `DECIDING_HEADERS`.
    """

    def __init__(self, settings: BridgeSettings, more: Iterable[str] = ()) -> None:
        self.settings = settings
        self.deciding = (*DECIDING_HEADERS, *more)
        self.heads: dict[str, list[H]] = {}
        """By the paths of the methods."""
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self.heads.clear()
        self._room = MAX_PLANS
        self._forgotten_at = time.monotonic()

    def has_room(self) -> bool:
        """Whether one more head may be kept. Begins anew where that makes room."""
        if self._room <= 0 and time.monotonic() >= self._forgotten_at + MEMORY_SECONDS:
            self._forget()
        return self._room > 0

    def keep(self, path: str, new: H) -> None:
        """Keeps a head, unless it is one of those that are known, but for what varies."""
        with self._lock:
            heads = self.heads.setdefault(path, [])
            if any(head.learn(new) for head in heads):
                return
            self._room = self._room - 1 if len(heads) < MAX_HEADS else 0
            if len(heads) < MAX_HEADS:
                heads.append(new)
