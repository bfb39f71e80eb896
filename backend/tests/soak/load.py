"""The part that asks for much at once: hundreds of streams that stay open, and calls at a fixed rate, without an error.

Half of the streams are of the echo service, half follow orders; a tenth of those are staff's, who see all of them. The
calls are what a shop's visitors do. A call that is due is made, however long those before it take, and its time counts
from when it was due.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import time
import uuid
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from google.protobuf.message import Message

from generated.echo.v1 import echo_pb2
from generated.orders.v1 import orders_pb2 as pb
from tests.soak import audit
from tests.soak.caller import ECHO, GET, LIST, LIST_PRODUCTS, MOVE, PLACE, CallError, Method, Route
from tests.soak.followers import Follower, status_word
from tests.soak.options import Options
from tests.soak.report import Report, milliseconds
from tests.soak.shop import WAY, Acknowledged, Moved
from tests.soak.stack import Plan, Stack, running_stack
from tests.soak.streams import EchoStream
from tests.soak.usage import watched

OPENED_AT_A_TIME = 25
OPEN_SECONDS = 60.0
END_SECONDS = 30.0
STAFF_SHARE = 0.1
WARM_UP_ROUNDS = 5
LEAST_SHARE_OF_RATE = 0.98
MIX = {ECHO: 8, LIST_PRODUCTS: 5, GET: 4, LIST: 1, PLACE: 1, MOVE: 1}
"""How often each method is called, of twenty calls."""

Person = dict[str, str]


class Visitors:
    """Who calls, and what they ask for. Notes what they are told."""

    def __init__(self, customers: list[Person], staff: list[Person], prices: dict[int, int]) -> None:
        self._customers, self._staff, self._prices = itertools.cycle(customers), itertools.cycle(staff), prices
        self._orders: deque[tuple[pb.Order, Person, int]] = deque()
        self._known: list[tuple[int, Person]] = []
        self.acknowledged: list[Acknowledged] = []
        self.moved: list[Moved] = []

    def request(self, method: Method[Any]) -> tuple[Method[Any], Message, str, Callable[[Any], None]]:
        """Gives what is called instead of `method` where there is nothing to call it for, its request, the cookie, and
        what takes the answer."""
        customer, clerk = next(self._customers), next(self._staff)
        if method is MOVE and self._orders:
            order, owner, step = self._orders.popleft()
            request: Message = pb.UpdateOrderStatusRequest(id=order.id, status=WAY[step])
            return MOVE, request, clerk["cookie"], lambda answer: self._take_move(answer.order, owner, step)
        if method is GET and self._known:
            number, owner = random.choice(self._known)
            return GET, pb.GetOrderRequest(id=number), owner["cookie"], lambda _: None
        if method is ECHO:
            return ECHO, echo_pb2.EchoRequest(message="soak"), "", lambda _: None
        if method is LIST_PRODUCTS:
            return LIST_PRODUCTS, pb.ListProductsRequest(), "", lambda _: None
        if method is LIST:
            return LIST, pb.ListOrdersRequest(), customer["cookie"], lambda _: None
        return self._place(customer)

    def _place(self, customer: Person) -> tuple[Method[Any], Message, str, Callable[[Any], None]]:
        chosen = random.sample(list(self._prices), 2)
        key = str(uuid.uuid4())
        items = [pb.PlaceOrderItem(product_id=product, quantity=1) for product in chosen]

        def take(answer: pb.PlaceOrderResponse) -> None:
            order = answer.order
            told = tuple(sorted((item.product_id, item.quantity) for item in order.items))
            cents = order.total.units * 100 + order.total.nanos // 10_000_000
            self.acknowledged.append(Acknowledged(key, order.id, customer["email"], told, cents))
            self._known.append((order.id, customer))
            self._orders.append((order, customer, 0))

        return PLACE, pb.PlaceOrderRequest(items=items, idempotency_key=key), customer["cookie"], take

    def _take_move(self, order: pb.Order, owner: Person, step: int) -> None:
        self.moved.append(Moved(order.id, order.version, status_word(order.status)))
        if step + 1 < len(WAY):
            self._orders.append((order, owner, step + 1))


class Load:
    """One run."""

    def __init__(self, stack: Stack, options: Options) -> None:
        self._stack = stack
        self._options = options
        self.report = Report("load", left_out=list(stack.left_out))
        followers = options.streams // 2
        staff = max(round(followers * STAFF_SHARE), 1)
        people = stack.data("prepare", str(options.customers), str(staff))
        self._routes = stack.routes()
        self._followers = [
            self._follower(number, people["staff"][number] if number < staff else None, people["customers"])
            for number in range(followers)
        ]
        self._echoes = [EchoStream(self._route(number)) for number in range(options.streams - followers)]
        self._visitors = Visitors(people["customers"], people["staff"], dict(people["products"]))
        self._seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._errors: Counter[str] = Counter()

    def _route(self, number: int) -> Route:
        return self._routes[number % len(self._routes)]

    def _follower(self, number: int, clerk: Person | None, customers: list[Person]) -> Follower:
        person = clerk or customers[number % len(customers)]
        return Follower(self._route(number), person["cookie"], None if clerk else person["email"])

    async def run(self) -> None:
        """Does everything, and notes what was wrong."""
        streams = await self._open()
        if not self.report.problems:
            await self._warm_up()
            async with watched(self._stack.pids() | {"this program": lambda: [os.getpid()]}) as used:
                lasted = await self._calls()
            await self._audit()
            self._figures(lasted)
            self.report.figures["servers"] = [{"server": name} | one.figures() for name, one in used.items()]
        for task in streams:
            task.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        for route in self._routes:
            route.close()

    async def _open(self) -> list[asyncio.Future[None]]:
        """Opens all streams, some at a time."""
        tasks: list[asyncio.Future[None]] = []
        deadline = time.monotonic() + OPEN_SECONDS
        waiting: list[Any] = [*self._followers, *self._echoes]
        random.shuffle(waiting)
        opened: list[Any] = []
        while waiting and time.monotonic() < deadline:
            batch, waiting = waiting[:OPENED_AT_A_TIME], waiting[OPENED_AT_A_TIME:]
            tasks += [asyncio.ensure_future(one.run()) for one in batch]
            opened += batch
            while not all(one.is_open for one in batch) and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
        closed = len(waiting) + sum(not one.is_open for one in opened)
        if closed:
            self.report.problems.append(f"{closed} streams were not open after {OPEN_SECONDS:g} s")
        return tasks

    async def _warm_up(self) -> None:
        """Makes calls that no figure is about, so that there is something to ask for, and all is loaded."""
        for route in self._routes * WARM_UP_ROUNDS:
            for method in MIX:
                await self._call(method, route, time.monotonic())
        self._seconds.clear()
        for one in (*self._followers, *self._echoes):
            one.delays.clear()

    async def _calls(self) -> float:
        """Makes the calls, each at its time. Gives how many seconds that took."""
        options = self._options
        count = round(options.rate * options.seconds)
        began = time.monotonic()
        tasks: set[asyncio.Future[None]] = set()
        for number, (method, route) in zip(range(count), self._turns(), strict=False):
            due = began + number / options.rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            task: asyncio.Future[None] = asyncio.ensure_future(self._call(method, route, due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        lasted = time.monotonic() - began
        if tasks:
            await asyncio.wait(tasks)
        return lasted

    def _turns(self) -> Iterator[tuple[Method[Any], Route]]:
        """Gives what is called, and by which way, for ever."""
        mix = [method for method, share in MIX.items() for _ in range(share)]
        while True:
            random.shuffle(mix)
            for method in mix:
                yield method, random.choice(self._routes)

    async def _call(self, method: Method[Any], route: Route, due: float) -> None:
        method, request, cookie, take = self._visitors.request(method)
        try:
            take(await route.unary(method, request, cookie))
        except CallError as error:
            self._errors[str(error)] += 1
        self._seconds[method.name, route.place].append(time.monotonic() - due)

    async def _audit(self) -> None:
        """Nothing that was told is untrue, and every follower has seen everything: also those who never had a break."""
        dump = await asyncio.to_thread(self._stack.data, "audit", *{one.first_token for one in self._followers})
        wanted = {id(one): len(audit.expected_of(dump, one)) for one in self._followers}
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline and any(len(one.seen) < wanted[id(one)] for one in self._followers):
            await asyncio.sleep(0.05)
        problems = self.report.problems
        problems += [f"{count} times {error}" for error, count in self._errors.most_common()]
        problems += [problem for stream in self._echoes for problem in stream.problems]
        problems += [f"a stream by {one.route.name} has ended: {dict(one.ends)}" for one in self._followers if one.ends]
        problems += audit.lost_orders(dump, self._visitors.acknowledged)
        problems += audit.lost_moves(dump, self._visitors.moved)
        problems += audit.wrong_stock(dump)
        problems += audit.missed_updates(dump, self._followers)

    def _figures(self, lasted: float) -> None:
        options = self._options
        calls = sum(len(seconds) for seconds in self._seconds.values())
        rate = calls / lasted
        if rate < options.rate * LEAST_SHARE_OF_RATE:
            self.report.problems.append(f"only {rate:.1f} calls a second could be made, not {options.rate}")
        delays: dict[str, list[float]] = defaultdict(list)
        for follower in self._followers:
            delays[f"order updates, {follower.route.name}"] += follower.delays
        for echo in self._echoes:
            delays[f"echo, {echo.route.name}"] += echo.delays
        by_place: dict[str, list[float]] = defaultdict(list)
        for (_, place), seconds in self._seconds.items():
            by_place[place] += seconds
        self.report.figures |= {
            "streams open": len(self._followers) + len(self._echoes),
            "calls": calls,
            "calls a second": round(rate, 1),
            "errors": self._errors.total(),
            "orders acknowledged": len(self._visitors.acknowledged),
            "messages received": sum(len(one.seen) for one in self._followers) + sum(e.received for e in self._echoes),
            "calls, from when they were due": [
                {"method": "all", "by": place} | milliseconds(seconds) for place, seconds in sorted(by_place.items())
            ]
            + [
                {"method": method, "by": place} | milliseconds(seconds)
                for (method, place), seconds in sorted(self._seconds.items())
            ],
            "messages of streams, after the change or later than due": [
                {"stream": name} | milliseconds(seconds) for name, seconds in sorted(delays.items())
            ],
        }


async def run(options: Options, stack: Stack) -> Report:
    """Loads running servers."""
    load = await asyncio.to_thread(Load, stack, options)
    await load.run()
    return load.report


def part(options: Options, run_loop: Callable[[Coroutine[Any, Any, Report]], Report]) -> Report:
    """Starts everything, loads it, and ends everything."""
    with running_stack(Plan(web_workers=options.web_workers)) as stack:
        report = run_loop(run(options, stack))
    report.problems += stack.faults()
    return report
