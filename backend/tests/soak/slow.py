"""The part with clients that take their time. They cost a server a known amount of memory, and nobody else an answer.

Each scenario comes in waves. In each wave clients come, do nothing for a while, and go; meanwhile others are served.
Memory may grow by a bound for each client, see `scenarios`, and the last wave may need no more than the first: what a
call had kept would add up. What a process has between the waves says little, because an allocator gives free memory
back when it likes; the next wave takes that first. Where memory grows beyond its bound the clients are sent away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from generated.echo.v1 import echo_pb2
from generated.orders.v1 import orders_pb2
from tests.servers import ASGI, WSGI
from tests.soak.caller import ECHO, ECHO_STREAM, LIST_PRODUCTS, UPDATES, CallError, Method, Route
from tests.soak.crowd import Crowd, read_on
from tests.soak.options import Options
from tests.soak.processes import Service
from tests.soak.report import Report, milliseconds
from tests.soak.stack import ENVOY, IN_PROCESS, Plan, Stack, running_stack
from tests.soak.usage import IS_KNOWN, MIB, memory_of
from tests.soak.writers import slow_writers

SETTINGS = "tests.soak.impatient_settings"
KIB = 1024
MESSAGES = 10_000
EVENTS = 3_000
SPARE_THREADS = 8
LOOK_SECONDS = 0.1
END_SECONDS = 20.0
SETTLE_SECONDS = 1.0
READ_SECONDS = 20.0
ASIDE_PAUSE_SECONDS = 0.05
ASIDE_SECONDS = 10.0
"""How long others may have to wait for an answer. Other programs run on this machine, too."""

KEPT_BYTES = 12 * MIB
"""What the most memory of a wave may be more than the first wave's."""

OVERHEAD_BYTES = 256 * KIB
"""What a connection and a call may cost in a server of ours: the server's buffer of 64 KiB, and their objects."""

COPIES = 8
"""How often a message may be there for each client in a server of ours: in the request, in the response, serialized, as
a frame, as base64, which is a third longer, and as what a server makes of it to send it."""

ENVOY_BYTES = 1 * MIB
"""What Envoy may hold for a client: the window of its stream, 256 KiB, which base64 makes larger, and some buffers of
64 KiB. Both stand in envoy.yaml."""

CHUNK_BYTES = 2 * MIB
"""What who catches up on order updates may cost: two chunks of a hundred updates, each with its order and its items."""


@dataclass(frozen=True)
class Scenario:
    """Clients that ask for a stream and do not read it. `check` reads one of them on after all."""

    name: str
    method: Method[Any]
    request: Message
    server_bytes: int
    """How many bytes of memory a client may cost a server of ours."""
    cookie: str = ""
    check: Callable[[Sequence[Message]], str] | None = None

    def bound(self, service: str) -> int:
        """How many bytes of memory a client may cost a server."""
        return ENVOY_BYTES if service == ENVOY else self.server_bytes


def echo_scenario(size: int) -> Scenario:
    """Gives the one with messages of so many bytes, which is a multiple of 1024."""
    request = echo_pb2.ServerStreamingEchoRequest(message="x" * size, message_count=MESSAGES)
    return Scenario(f"{size // KIB} KiB messages", ECHO_STREAM, request, COPIES * size + OVERHEAD_BYTES)


def scenarios(stack: Stack) -> list[Scenario]:
    """Gives what is asked for: far more than any server may hold."""
    staff = stack.data("prepare", "1", "1")["staff"][0]
    history = stack.data("history", str(EVENTS))

    def is_whole(messages: Sequence[Message]) -> str:
        seen = [[one.order.id, one.order.version] for one in messages if one.HasField("order")]  # type: ignore[attr-defined]
        return "" if seen == history["events"] else f"{len(seen)} updates, not the {EVENTS} that there were"

    resume = orders_pb2.StreamOrderUpdatesRequest(resume_token=history["token"])
    return [
        echo_scenario(256 * KIB),
        echo_scenario(KIB),
        Scenario("order updates", UPDATES, resume, CHUNK_BYTES, staff["cookie"], is_whole),
    ]


@dataclass
class Wave:
    """What one wave has cost."""

    first: dict[str, int]
    most: dict[str, int]
    last: dict[str, int] = field(default_factory=dict)


class SlowReaders:
    """The scenarios against one place, which is served by some of the services."""

    def __init__(self, stack: Stack, place: str, services: Sequence[Service], options: Options, report: Report) -> None:
        self._services = services
        self._place = place
        self._routes = [route for route in stack.routes() if route.place == place]
        self._options = options
        self._report = report
        self.rows: list[dict[str, Any]] = []

    async def run(self, scenario: Scenario) -> None:
        """Runs the waves of one scenario, and notes what was wrong."""
        await self._wave(scenario, clients=2, hold=0.5)  # what is loaded once, and kept, is no part of the cost
        waves = [
            await self._wave(scenario, self._options.readers, self._options.hold) for _ in range(self._options.waves)
        ]
        for service in self._services:
            name, clients = service.name, self._options.readers
            grown = max(wave.most[name] - waves[0].first[name] for wave in waves)
            kept = waves[-1].most[name] - waves[0].most[name]
            bound = scenario.bound(name) * clients + KEPT_BYTES
            row = {
                "server": f"{name}, {self._place}" if name != ENVOY else name,
                "scenario": scenario.name,
                "clients": clients,
                "memory grown MiB": round(grown / MIB, 1),
                "bound MiB": round(bound / MIB, 1),
                "last wave more than first MiB": round(kept / MIB, 1),
                "not given back MiB": round((waves[-1].last[name] - waves[0].first[name]) / MIB, 1),
            }
            self.rows.append(row)
            print("  " + ", ".join(f"{name}: {value}" for name, value in row.items()), flush=True)
            if grown > bound:
                self._report.problems.append(f"{name}: {scenario.name}: memory grew by {row['memory grown MiB']} MiB")
            if kept > KEPT_BYTES:
                self._report.problems.append(
                    f"{name}: {scenario.name}: each wave needs more, the last one {kept / MIB:.1f} MiB"
                )

    async def _wave(self, scenario: Scenario, clients: int, hold: float) -> Wave:
        ended = self._ended(scenario)
        wave = Wave(self._memory(), self._memory())
        with Crowd() as crowd:
            for number in range(clients):
                route = self._routes[number % len(self._routes)]
                connection = crowd.ask(route, scenario.method, scenario.request, scenario.cookie)
            until = time.monotonic() + hold
            while time.monotonic() < until and self._is_bounded(wave, scenario, clients):
                await asyncio.sleep(LOOK_SECONDS)
            if scenario.check is not None and clients > 2:
                await asyncio.to_thread(self._check, connection, route, scenario)
            if self._ended(scenario) > ended:
                self._report.problems.append(f"{self._place}: {scenario.name}: nobody was waited for")
        await self._wait_for_end(scenario, ended + clients)
        await asyncio.sleep(SETTLE_SECONDS)
        wave.last = self._memory()
        return wave

    def _is_bounded(self, wave: Wave, scenario: Scenario, clients: int) -> bool:
        """Looks at the memory. Gives False where there is no sense in going on."""
        for service in self._services:
            now, name = memory_of(service.pids()), service.name
            wave.most[name] = max(wave.most[name], now)
            if now - wave.first[name] > 2 * (scenario.bound(name) * clients + KEPT_BYTES):
                return False
        return True

    def _check(self, connection: Any, route: Route, scenario: Scenario) -> None:
        messages: list[Message] = []
        try:
            for data in read_on(connection, route, READ_SECONDS):
                messages.append(scenario.method.response.FromString(data))
                if len(messages) > EVENTS:
                    break
        except TimeoutError:
            pass
        assert scenario.check is not None
        if fault := scenario.check(messages):
            self._report.problems.append(f"{self._place}: {scenario.name}: who reads on after all gets {fault}")

    async def _wait_for_end(self, scenario: Scenario, calls: int) -> None:
        """Each call has to end, with its line in the log, when its client has gone."""
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline and self._ended(scenario) < calls:
            await asyncio.sleep(LOOK_SECONDS)
        if self._ended(scenario) < calls:
            self._report.problems.append(
                f"{self._place}: {scenario.name}: {calls - self._ended(scenario)} calls are open without their clients"
            )

    def _ended(self, scenario: Scenario) -> int:
        """How many calls have ended so far: the servers of ours log each."""
        logs = (service.log() for service in self._services if service.name != ENVOY)
        return sum(
            line.count("duration_ms") for log in logs for line in log.splitlines() if scenario.method.path in line
        )

    def _memory(self) -> dict[str, int]:
        return {service.name: memory_of(service.pids()) for service in self._services}


class Aside:
    """Somebody else who calls the same servers meanwhile."""

    def __init__(self, routes: Sequence[Route], report: Report) -> None:
        self._routes = routes
        self._report = report
        self.seconds: list[float] = []

    async def run(self) -> None:
        """Calls until it is cancelled. Every failure is a problem."""
        while True:
            for route in self._routes:
                for method, request in (
                    (ECHO, echo_pb2.EchoRequest(message="aside")),
                    (LIST_PRODUCTS, orders_pb2.ListProductsRequest()),
                ):
                    began = time.monotonic()
                    try:
                        await route.unary(method, request, seconds=ASIDE_SECONDS)
                    except CallError as error:
                        self._report.problems.append(f"somebody else was not served: {error}")
                    self.seconds.append(time.monotonic() - began)
                await asyncio.sleep(ASIDE_PAUSE_SECONDS)


async def run(
    stack: Stack, places: dict[str, list[Service]], options: Options, report: Report, chosen: Sequence[Scenario] = ()
) -> None:
    """Tries running servers: places with the services that answer there. By all scenarios if none is chosen."""
    found = chosen or await asyncio.to_thread(scenarios, stack)
    for place, services in places.items():
        routes = [route for route in stack.routes() if route.place == place]
        aside = Aside(routes, report)
        task = asyncio.ensure_future(aside.run())
        readers = SlowReaders(stack, place, services, options, report)
        for scenario in found:
            await readers.run(scenario)
        report.figures.setdefault("clients that do not read", []).extend(readers.rows)
        report.figures.setdefault("clients that hardly write", []).extend(
            await slow_writers(place, routes, services, options, report)
        )
        task.cancel()
        await asyncio.wait((task,))
        name = " and ".join(service.name for service in services)
        report.figures.setdefault("others meanwhile", []).append({"servers": name} | milliseconds(aside.seconds))
        for route in routes:
            route.close()


def part(options: Options, run_loop: Callable[[Any], Any]) -> Report:
    """Starts everything, tries it, and ends it: once with each worker class of gunicorn."""
    report = Report("slow")
    if not IS_KNOWN:
        report.left_out.append("everything: only Linux tells how much memory a process has")
        return report
    for worker in (ASGI, WSGI):
        plan = Plan(
            web_workers=1,
            web_worker=worker,
            has_envoy=worker == ASGI,
            settings=SETTINGS,
            web_environment={"WEB_THREADS": str(options.readers + SPARE_THREADS)},
        )
        with running_stack(plan) as stack:
            stack.web.name = f"web ({worker})"
            places = {IN_PROCESS: [stack.web]}
            if stack.grpc is not None and stack.envoy is not None:
                places[ENVOY] = [stack.grpc, stack.envoy]
            run_loop(run(stack, places, options, report))
        report.left_out += [what for what in stack.left_out if what not in report.left_out]
        report.problems += stack.faults()
    return report
