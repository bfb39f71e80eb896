"""Buyers and staff over the wire. They repeat what was not answered, as a client does that wants to be sure."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import uuid
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from google.protobuf.message import Message

from generated.orders.v1 import orders_pb2 as pb
from grpc_bridge.protocol.status import StatusCode
from tests.soak.caller import CANCEL, GET, MOVE, PLACE, CallError, Method, Route
from tests.soak.followers import status_word

R = TypeVar("R", bound=Message)

REPEATED = frozenset((StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED))
"""After which statuses a client may call again with the same key, and should: gRPC says so of the first, and the second
is the client's own, because it has waited too long."""

CALL_SECONDS = 10.0
ATTEMPTS_SECONDS = 90.0
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.05, 1.0
MOST_ITEMS = 3
CANCELLED_SHARE = 0.1
WAY = (pb.ORDER_STATUS_PAID, pb.ORDER_STATUS_PACKED, pb.ORDER_STATUS_SHIPPED, pb.ORDER_STATUS_DELIVERED)


class Acknowledged(NamedTuple):
    """An order that the server has said it has."""

    key: str
    order: int
    email: str
    items: tuple[tuple[int, int], ...]
    total_cents: int


class Moved(NamedTuple):
    """A step of an order that the server has said is done."""

    order: int
    version: int
    status: str


@dataclass
class Shop:
    """What is known outside the servers, in the end: what they have promised."""

    prices: dict[int, int]
    """Product ids, and prices in cents."""
    acknowledged: list[Acknowledged] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    repeated: Counter[str] = field(default_factory=Counter)
    """How often calls had to be repeated, by how they had ended."""
    problems: list[str] = field(default_factory=list)
    """Statuses after which no client would try again."""
    last_at: dict[str, float] = field(default_factory=dict)
    """By place: when the newest order was asked for that has been acknowledged since, on the monotonic clock."""
    seconds: list[float] = field(default_factory=list)
    """How long each order took, with all its attempts."""
    phase: str = "before all"
    """What is done to the servers meanwhile, for problems."""
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Nobody begins anything new."""
    _open: deque[pb.Order] = field(default_factory=deque)

    async def buyer(self, routes: Sequence[Route], person: dict[str, str], pause_seconds: float) -> None:
        """A customer who orders until the shop is closed, by each way in turn; now and then they change their mind."""
        for route in itertools.cycle(routes):
            if self.closed.is_set():
                return
            chosen = random.sample(list(self.prices), random.randint(1, MOST_ITEMS))
            items = tuple(sorted((product, random.randint(1, 3)) for product in chosen))
            order = await self._place(route, person, items)
            if order is not None and random.random() < CANCELLED_SHARE:
                await self._step(route, person, order, pb.ORDER_STATUS_CANCELLED)
            elif order is not None:
                self._open.append(order)
            await asyncio.sleep(pause_seconds * random.uniform(0.5, 1.5))

    async def _place(self, route: Route, person: dict[str, str], items: tuple[tuple[int, int], ...]) -> pb.Order | None:
        key = str(uuid.uuid4())
        request = pb.PlaceOrderRequest(
            items=[pb.PlaceOrderItem(product_id=product, quantity=quantity) for product, quantity in items],
            idempotency_key=key,
        )
        began = time.monotonic()
        answer = await self._repeated(route, PLACE, request, person["cookie"])
        if answer is None:
            return None
        order = answer.order
        self.seconds.append(time.monotonic() - began)
        cents = order.total.units * 100 + order.total.nanos // 10_000_000
        told = tuple(sorted((item.product_id, item.quantity) for item in order.items))
        if told != items or cents != sum(self.prices[product] * quantity for product, quantity in items):
            self.problems.append(f"order {order.id} is not what was ordered: {told}, {cents}, not {items}")
        if order.customer_email != person["email"]:
            self.problems.append(f"order {order.id} of {person['email']} is said to be {order.customer_email}'s")
        self.acknowledged.append(Acknowledged(key, order.id, person["email"], told, cents))
        return order

    async def clerk(self, routes: Sequence[Route], person: dict[str, str], pause_seconds: float) -> None:
        """Somebody of the staff who brings orders on their way, each by all its steps, until the shop is closed."""
        for route in itertools.cycle(routes):
            if self.closed.is_set():
                return
            if not self._open:
                await asyncio.sleep(pause_seconds)
                continue
            order = self._open.popleft()
            for status in WAY[: random.randint(1, len(WAY))]:
                if not await self._step(route, person, order, status):
                    break
                await asyncio.sleep(pause_seconds * random.uniform(0.5, 1.5))

    async def _step(self, route: Route, person: dict[str, str], order: pb.Order, status: int) -> bool:
        """Brings an order to a status, which nobody else does meanwhile. Gives whether it is there."""
        method: Method[Any] = MOVE
        request: Message = pb.UpdateOrderStatusRequest(id=order.id, status=pb.OrderStatus.ValueType(status))
        if status == pb.ORDER_STATUS_CANCELLED:
            method, request = CANCEL, pb.CancelOrderRequest(id=order.id)
        answer = await self._repeated(route, method, request, person["cookie"], moving=(order.id, status))
        if answer is None:
            return False
        if answer.order.status != status or answer.order.id != order.id:
            self.problems.append(f"{method.name} of order {order.id} has answered with {answer.order}")
        self.moved.append(Moved(answer.order.id, answer.order.version, status_word(answer.order.status)))
        return True

    async def _repeated(
        self, route: Route, method: Method[R], request: Message, cookie: str, moving: tuple[int, int] | None = None
    ) -> R | pb.GetOrderResponse | None:
        """Calls until there is an answer. Gives None for one that is no good, which is a problem.

        A step cannot be repeated blindly. After an attempt that may have been the one, the order is looked at first.
        """
        began, wait = time.monotonic(), FIRST_WAIT_SECONDS
        is_repeated = uncertain = False
        while True:
            asked = time.monotonic()
            try:
                if uncertain and moving is not None:
                    looked = await route.unary(GET, pb.GetOrderRequest(id=moving[0]), cookie, CALL_SECONDS)
                    if looked.order.status == moving[1]:
                        return looked
                    uncertain = False
                answer = await route.unary(method, request, cookie, CALL_SECONDS)
            except CallError as error:
                code = error.outcome.code
                # What was repeated may have come second: then the first attempt was not lost, only late.
                is_second = code is StatusCode.FAILED_PRECONDITION and moving is not None and is_repeated
                if not (code in REPEATED or is_second) or time.monotonic() - began > ATTEMPTS_SECONDS:
                    self.problems.append(f"{self.phase}: {error}, asked {time.monotonic() - asked:.3f} s ago")
                    return None
                is_repeated, uncertain = True, True
                self.repeated[f"{error.outcome}"] += 1
                hint = error.outcome.pushback_seconds
                await asyncio.sleep(wait * random.uniform(0.5, 1) if hint is None else hint)
                wait = min(2 * wait, LONGEST_WAIT_SECONDS)
                continue
            self.last_at[route.place] = max(self.last_at.get(route.place, 0.0), asked)
            return answer
