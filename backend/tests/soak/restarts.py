"""The part that hurts the servers while people buy: nothing that was acknowledged is lost, and nobody misses an update.

Buyers, staff and followers work by every way there is. One server after the other is ended, killed or told to reload;
each must be back within `RECOVERY_SECONDS`, which means: an order went through by every way, and all streams are open.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.servers import ServerError
from tests.soak import audit
from tests.soak.cluster import FAST, IMMEDIATE
from tests.soak.followers import Follower, wait_until_open
from tests.soak.options import Options
from tests.soak.processes import POLL_SECONDS, Service
from tests.soak.report import Report, milliseconds
from tests.soak.shop import Shop
from tests.soak.stack import Plan, Stack, running_stack

OPEN_SECONDS = 30.0
RECOVERY_SECONDS = 60.0
CATCH_UP_SECONDS = 30.0
CLOSE_SECONDS = 120.0
RESTLESS_SECONDS = 3.0
"""Every third follower drops its stream by itself about so often."""


@dataclass(frozen=True)
class Disruption:
    """Something that happens to a server. `happen` blocks until it is over and the server answers again."""

    name: str
    happen: Callable[[], None]


def disruptions(stack: Stack) -> list[Disruption]:
    """Gives all that can be done to these servers, in turn."""
    found = [
        Disruption("web reloads (SIGHUP)", lambda: _reload(stack.web)),
        Disruption("a web worker is killed", lambda: _kill_worker(stack.web)),
        Disruption("web ends (SIGTERM) and starts", lambda: _restart(stack.web)),
        Disruption("web is killed and starts", lambda: _crash(stack.web)),
    ]
    if stack.grpc is not None and stack.envoy is not None:
        grpc, envoy = stack.grpc, stack.envoy
        found += [
            Disruption("rungrpc ends (SIGTERM) and starts", lambda: _restart(grpc)),
            Disruption("rungrpc is killed and starts", lambda: _crash(grpc)),
            Disruption("Envoy ends (SIGTERM) and starts", lambda: _restart(envoy)),
            Disruption("Envoy is killed and starts", lambda: _crash(envoy)),
        ]
    if stack.cluster is not None:
        cluster = stack.cluster
        found += [
            Disruption("PostgreSQL restarts (fast)", lambda: cluster.restart(FAST)),
            Disruption("PostgreSQL crashes (immediate) and recovers", lambda: cluster.restart(IMMEDIATE)),
        ]
    return found


def _restart(service: Service) -> None:
    service.stop()
    service.start()


def _crash(service: Service) -> None:
    service.kill()
    service.start()


def _reload(service: Service) -> None:
    _, *workers = service.pids()
    service.signal(signal.SIGHUP)
    _wait_for_others(service, workers)


def _kill_worker(service: Service) -> None:
    _, worker, *_ = service.pids()
    os.kill(worker, signal.SIGKILL)
    _wait_for_others(service, [worker])


def _wait_for_others(service: Service, workers: Sequence[int]) -> None:
    """Waits until these workers have gone. Their server goes on meanwhile."""
    deadline = time.monotonic() + RECOVERY_SECONDS
    while set(workers) & set(service.pids()):
        if time.monotonic() > deadline:
            raise ServerError(f"{service.name} has kept its workers")
        time.sleep(POLL_SECONDS)
    service.wait_until_ready()


class Restarts:
    """One run."""

    def __init__(self, stack: Stack, options: Options) -> None:
        self._stack = stack
        self._options = options
        self.report = Report("restarts", left_out=list(stack.left_out))
        people = stack.data("prepare", str(options.buyers), str(options.clerks))
        self._customers, self._staff = people["customers"], people["staff"]
        self._shop = Shop(dict(people["products"]))
        self._routes = stack.routes()
        self._followers = [self._follower(number) for number in range(options.followers)]
        self._rows: list[dict[str, Any]] = []

    def _follower(self, number: int) -> Follower:
        """By every way in turn, half of them staff, and every third restless."""
        person = (self._staff, self._customers)[number // len(self._routes) % 2]
        one = person[number % len(person)]
        email = None if person is self._staff else one["email"]
        restless = RESTLESS_SECONDS if number % 3 == 0 else None
        return Follower(self._routes[number % len(self._routes)], one["cookie"], email, restless)

    async def run(self, chosen: Sequence[Disruption]) -> None:
        """Does everything, and notes what was wrong."""
        follow = [asyncio.ensure_future(one.run()) for one in self._followers]
        closed = await wait_until_open(self._followers, OPEN_SECONDS)
        self.report.problems += closed
        work = [] if closed else self._work()
        await asyncio.sleep(self._options.calm)
        for disruption in [] if closed else list(chosen) * self._options.rounds:
            await self._disrupt(disruption)
            await asyncio.sleep(self._options.calm)
        self._shop.closed.set()
        unfinished = (await asyncio.wait(work, timeout=CLOSE_SECONDS))[1] if work else set()
        if unfinished:
            self.report.problems.append(f"{len(unfinished)} buyers and clerks got no answer to their last calls")
        await self._audit()
        for task in [*follow, *unfinished]:
            task.cancel()
        for result in await asyncio.gather(*follow, *work, return_exceptions=True):
            if isinstance(result, Exception):
                self.report.problems.append(f"a client has failed: {result!r}")
        for route in self._routes:
            route.close()

    def _work(self) -> list[asyncio.Future[None]]:
        shop, pause, routes = self._shop, self._options.pause, self._routes

        def turned(number: int) -> list[Any]:
            return routes[number % len(routes) :] + routes[: number % len(routes)]

        buyers = [shop.buyer(turned(number), one, pause) for number, one in enumerate(self._customers)]
        clerks = [shop.clerk(turned(number), one, pause) for number, one in enumerate(self._staff)]
        return [asyncio.ensure_future(one) for one in (*buyers, *clerks)]

    async def _disrupt(self, disruption: Disruption) -> None:
        before, began = len(self._shop.acknowledged), time.monotonic()
        repeated = self._shop.repeated.total()
        self._shop.phase = disruption.name
        try:
            await asyncio.to_thread(disruption.happen)
        except ServerError as error:
            self.report.problems.append(f"{disruption.name}: {error}")
            return
        away = time.monotonic() - began
        deadline = time.monotonic() + RECOVERY_SECONDS
        while not self._has_recovered(began + away) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        if not self._has_recovered(began + away):
            streams = sum(one.is_open for one in self._followers)
            self.report.problems.append(
                f"{disruption.name}: not all is back after {RECOVERY_SECONDS:g} s; "
                f"{streams} of {len(self._followers)} streams, newest orders {self._shop.last_at}"
            )
        row = {
            "disruption": disruption.name,
            "away s": round(away, 1),
            "all back after s": round(time.monotonic() - began, 1),
            "orders meanwhile": len(self._shop.acknowledged) - before,
            "calls repeated": self._shop.repeated.total() - repeated,
        }
        print("  " + ", ".join(f"{name}: {value}" for name, value in row.items()), flush=True)
        self._rows.append(row)

    def _has_recovered(self, since: float) -> bool:
        places = {route.place for route in self._routes}
        return all(self._shop.last_at.get(place, 0.0) > since for place in places) and all(
            one.is_open or one.seconds_between_breaks for one in self._followers
        )

    async def _audit(self) -> None:
        shop, followers, problems = self._shop, self._followers, self.report.problems
        dump = await asyncio.to_thread(self._stack.data, "audit", *{one.first_token for one in followers})
        deadline = time.monotonic() + CATCH_UP_SECONDS
        wanted = {id(one): audit.expected_of(dump, one) for one in followers}
        while time.monotonic() < deadline and any(one.seen[-1:] != wanted[id(one)][-1:] for one in followers):
            await asyncio.sleep(0.05)
        problems += shop.problems
        problems += audit.lost_orders(dump, shop.acknowledged)
        problems += audit.lost_moves(dump, shop.moved)
        problems += audit.broken_history(dump)
        problems += audit.wrong_stock(dump)
        problems += audit.missed_updates(dump, followers)
        if not shop.acknowledged or not shop.moved:
            problems.append("nobody has bought anything")
        ends = sum((one.ends for one in followers), Counter())
        self.report.figures |= {
            "orders acknowledged": len(shop.acknowledged),
            "steps acknowledged": len(shop.moved),
            "events": len(dump["events"]),
            "updates seen by followers": sum(len(one.seen) for one in followers),
            "orders, with all attempts": [milliseconds(shop.seconds)],
            "disruptions": self._rows,
            "calls repeated": _counted(shop.repeated),
            "streams ended": _counted(ends),
        }


def _counted(counter: Counter[str]) -> list[dict[str, Any]]:
    return [{"how": name, "count": count} for name, count in counter.most_common()]


async def run(options: Options, stack: Stack, chosen: Sequence[Disruption]) -> Report:
    """Disrupts running servers."""
    restarts = await asyncio.to_thread(Restarts, stack, options)
    await restarts.run(chosen)
    return restarts.report


def part(options: Options, run_loop: Callable[[Any], Report]) -> Report:
    """Starts everything, disrupts everything, and ends everything."""
    with running_stack(Plan(web_workers=options.web_workers)) as stack:
        report = run_loop(run(options, stack, disruptions(stack)))
    report.problems += stack.faults()
    return report
