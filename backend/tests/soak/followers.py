"""Clients that follow orders as the page does: after every break they go on from the last resume token they have seen.

What one of them has seen is compared with the database's events in `audit`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from generated.orders.v1 import orders_pb2 as pb
from grpc_bridge.protocol.status import StatusCode
from tests.soak.answers import Outcome
from tests.soak.caller import UPDATES, CallError, Route

HOPELESS = frozenset((StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED, StatusCode.UNIMPLEMENTED))
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.1, 2.0
OWN_BREAK = "dropped by the client"
_PREFIX = "ORDER_STATUS_"


class Seen(NamedTuple):
    """One change of an order, in the words of the database."""

    order: int
    version: int
    status: str
    previous: str


def status_word(number: int) -> str:
    """Gives what the database calls a status; nothing for none."""
    return "" if not number else pb.OrderStatus.Name(number).removeprefix(_PREFIX).lower()


@dataclass(eq=False)
class Follower:
    """One client. `email` is that of a customer, None for somebody of the staff, who sees all orders."""

    route: Route
    cookie: str
    email: str | None
    seconds_between_breaks: float | None = None
    """About how often it drops its connection by itself."""

    seen: list[Seen] = field(default_factory=list)
    first_token: str = ""
    token: str = ""
    ends: Counter[str] = field(default_factory=Counter)
    """How often its streams have ended, by how."""
    hopeless: Outcome | None = None
    """Why it has given up, if it has."""
    delays: list[float] = field(default_factory=list)
    """How many seconds after the change each update came, of those that were not caught up on."""
    _is_open: bool = False
    _opened: float = 0.0
    _last_message: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether its stream has begun."""
        return self._is_open

    async def run(self) -> None:
        """Follows until it is cancelled, or until the server says that it may not."""
        failures = 0
        while self.hopeless is None:
            before = len(self.seen)
            hint = None
            try:
                async with asyncio.timeout(self._patience()):
                    request = pb.StreamOrderUpdatesRequest(resume_token=self.token)
                    await self.route.stream(UPDATES, request, self.cookie, self._take)
                self.ends["OK, which is no end for it"] += 1
            except TimeoutError:
                self.ends[OWN_BREAK] += 1
            except CallError as error:
                hint = error.outcome.pushback_seconds
                self.ends[str(error.outcome) + (", with a hint" if hint is not None else "")] += 1
                self.hopeless = error.outcome if error.outcome.code in HOPELESS else None
            finally:
                was_open, self._is_open = self._is_open, False
            failures = 0 if was_open or len(self.seen) > before else failures + 1
            longest = min(FIRST_WAIT_SECONDS * 2**failures, LONGEST_WAIT_SECONDS)
            await asyncio.sleep(hint if hint is not None else longest * random.uniform(0.5, 1))

    def _patience(self) -> float | None:
        about = self.seconds_between_breaks
        return None if about is None else about * random.uniform(0.5, 1.5)

    def _take(self, message: pb.StreamOrderUpdatesResponse) -> None:
        now = time.time()
        if not self._is_open:
            self._is_open, self._opened = True, now
        self.first_token = self.first_token or message.resume_token
        self.token = message.resume_token
        if not message.HasField("order"):
            return
        changed_at = message.changed_at.seconds + message.changed_at.nanos / 1e9
        if changed_at > self._opened:
            self.delays.append(now - changed_at)
        order = message.order
        self.seen.append(Seen(order.id, order.version, status_word(order.status), status_word(message.previous_status)))


async def wait_until_open(followers: Sequence[Follower], seconds: float) -> list[str]:
    """Waits until the streams of all have begun. Gives a line for each that has not after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not all(one.is_open or one.hopeless for one in followers):
        await asyncio.sleep(0.02)
    return [
        f"a follower by {one.route.name} has no stream: {one.hopeless or dict(one.ends)}"
        for one in followers
        if not one.is_open
    ]
