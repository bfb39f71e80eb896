"""The results as tables for people, in Markdown, and as data for programs, in JSON."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bench.cells import Idle, Row, rate_ratio, ratio
from bench.micro import Cost

NAMES = {
    "floor": "bare application",
    "yardstick": "yardstick: parse, call, serialize",
    "ours": "**this bridge**",
    "ours+deadline": "**this bridge**, call with a deadline",
    "ours+log": "**this bridge**, call log on",
    "sonora": "Sonora 0.2.3",
    "connect": "connectrpc 0.13.0",
    "connect+deadline": "connectrpc 0.13.0, call with a deadline",
    "django_json": "Django JSON view, no middleware",
}
SERVERS = {
    "gthread": "gunicorn gthread",
    "gunicorn-asgi": "gunicorn asgi",
    "granian-wsgi": "granian WSGI",
    "granian-asgi": "granian ASGI",
    "uvicorn": "uvicorn",
    "envoy+sync": "Envoy + grpcio",
    "envoy+aio": "Envoy + grpcio, aio",
}


FLAT = 1.1
"""What a call on a thousand connections may cost of one on a single connection to count as the same."""


class Target(NamedTuple):
    """A ratio that is to be reached."""

    name: str
    reached: float
    limit: float
    at_least: bool

    @property
    def is_met(self) -> bool:
        """Whether it is."""
        return self.reached >= self.limit if self.at_least else self.reached <= self.limit


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Gives a table in Markdown. All columns but the first two are numbers."""
    rule = ["---" if number < 2 else "--:" for number in range(len(head))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines)) + "\n"


def name_of(row: Row | Idle) -> str:
    """Gives what a row is called."""
    return NAMES.get(row.name, "" if row.name == "native" else row.name)


def _find(rows: Iterable[Row], kind: str, name: str) -> Row | None:
    return next((row for row in rows if (row.kind, row.name) == (kind, name)), None)


def _times(row: Row, other: Row | None) -> str:
    return "" if other is None else f"{ratio(row, other):.2f}"


def calls_table(rows: Sequence[Row]) -> str:
    """Gives the table of calls: CPU time, and how many times the bare application's."""
    lines = []
    for row in rows:
        lowest, highest = (pick(cell.microseconds for cell in row.cells) for pick in (min, max))
        parts = f" (Envoy {row.envoy_microseconds:.0f})" if row.envoy_microseconds else ""
        lines.append((
            SERVERS[row.kind], name_of(row), f"{row.microseconds:.1f}{parts}", f"{lowest:.1f} to {highest:.1f}",
            _times(row, _find(rows, row.kind, "floor")), _times(row, _find(rows, row.kind, "sonora")),
            f"{row.per_second:,.0f}",
        ))  # fmt: skip
    head = ("server", "application", "CPU µs per call", "lowest to highest", "× bare", "× Sonora", "calls/s")
    return table(head, lines)


def streams_table(rows: Sequence[Row]) -> str:
    """Gives the table of streams: CPU time per message, and how many messages a second came."""
    ours = _find(rows, "uvicorn", "ours")
    lines = []
    for row in rows:
        slower = "" if ours is None else f"{ratio(row, ours):.1f}"
        rate = f"{row.per_second:,.0f}"
        parts = f" (Envoy {row.envoy_microseconds:.0f})" if row.envoy_microseconds else ""
        lines.append((SERVERS[row.kind], name_of(row), f"{row.microseconds:.2f}{parts}", rate, slower))
    head = ("server", "application", "CPU µs per message", "messages/s", "× this bridge on uvicorn")
    return table(head, lines)


def micro_table(costs: Sequence[Cost]) -> str:
    """Gives the table of calls without a server."""
    ours = {cost.kind: cost for cost in costs if cost.name == "ours"}
    lines = [
        (cost.kind, NAMES[cost.name], f"{cost.microseconds:.1f}", f"{cost.times(ours[cost.kind]):.2f}")
        for cost in costs
    ]
    return table(("", "application", "CPU µs per call", "× this bridge"), lines)


def idle_table(rows: Sequence[Idle]) -> str:
    """Gives the table of streams that wait."""
    lines = [
        (SERVERS[row.kind], name_of(row), f"{row.streams:,}", f"{row.bytes_per_stream / 1024:.1f}",
         f"{row.cpu_share * 100:.1f} %", f"{row.opened_per_second:,.0f}")
        for row in rows
    ]  # fmt: skip
    head = ("server", "application", "streams", "KiB per stream", "CPU of one core while idle", "opened per second")
    return table(head, lines)


def scale_table(found: Mapping[int, Sequence[Row]]) -> str:
    """Gives the table of calls on few connections and on many."""
    first = next(iter(found.values()))
    lines = []
    for number, row in enumerate(first):
        costs = [f"{rows[number].microseconds:.1f}" for rows in found.values()]
        lines.append((SERVERS[row.kind], name_of(row), *costs))
    return table(("server", "application", *(f"{connections:,}" for connections in found)), lines)


def database_table(rows: Sequence[Row]) -> str:
    """Gives the table of handlers and views that read from the database."""
    view = rows[-1]
    lines = [
        (
            SERVERS[row.kind],
            name_of(row),
            f"{row.microseconds:.0f}",
            f"{ratio(row, view):.2f}",
            f"{row.per_second:,.0f}",
        )
        for row in rows
    ]
    return table(("server", "handler or view", "CPU µs per call", "× async view", "calls/s"), lines)


def targets_table(targets: Sequence[Target]) -> str:
    """Gives what is to be reached, and whether it is."""
    lines = [
        ("met" if target.is_met else "**not met**", target.name, f"{target.reached:.2f}",
         f"{'at least' if target.at_least else 'at most'} {target.limit:g}")
        for target in targets
    ]  # fmt: skip
    return table(("", "ratio", "reached", "target"), lines)


class Ratios:
    """The targets, from what was measured. What was not measured has none."""

    def __init__(self) -> None:
        self.targets: list[Target] = []

    def at_least(self, name: str, limit: float, row: Row | None, ours: Row | None) -> None:
        """A row that is to cost so many times as much as ours."""
        if row is not None and ours is not None:
            self.targets.append(Target(name, ratio(row, ours), limit, True))

    def at_most(self, name: str, limit: float, ours: Row | None, row: Row | None) -> None:
        """Ours that is to cost at most so many times as much as a row."""
        if row is not None and ours is not None:
            self.targets.append(Target(name, ratio(ours, row), limit, False))

    def micro(self, costs: Sequence[Cost]) -> None:
        """Calls without a server."""
        by_name = {(cost.kind, cost.name): cost for cost in costs}
        for kind, name, limit in (
            ("WSGI", "sonora", 2.2), ("ASGI", "sonora", 3.5), ("WSGI", "connect", 6.0), ("ASGI", "connect", 8.0),
        ):  # fmt: skip
            text = f"call without a server, {kind}: {NAMES[name]} to ours"
            self.targets.append(Target(text, by_name[kind, name].times(by_name[kind, "ours"]), limit, True))

    def unary(self, rows: Sequence[Row]) -> None:
        """Small messages."""
        find: Callable[[str, str], Row | None] = lambda kind, name: _find(rows, kind, name)  # noqa: E731
        self.at_most(
            "unary on uvicorn: ours to the bare application", 1.75, find("uvicorn", "ours"), find("uvicorn", "floor")
        )
        self.at_most(
            "unary on granian WSGI: ours to the bare application",
            1.5,
            find("granian-wsgi", "ours"),
            find("granian-wsgi", "floor"),
        )
        for kind in ("envoy+sync", "envoy+aio"):
            self.at_least(
                f"unary: {SERVERS[kind]} to ours on uvicorn", 5.0, find(kind, "native"), find("uvicorn", "ours")
            )

    def large(self, rows: Sequence[Row]) -> None:
        """Large messages."""
        for kind in ("uvicorn", "granian-wsgi"):
            self.at_most(
                f"1 MiB unary on {SERVERS[kind]}: ours to the yardstick",
                1.05,
                _find(rows, kind, "ours"),
                _find(rows, kind, "yardstick"),
            )

    def streams(self, rows: Sequence[Row]) -> None:
        """Streams of ready messages."""
        ours = _find(rows, "uvicorn", "ours")
        for kind, name, limit in (("uvicorn", "sonora", 15.0), ("uvicorn", "connect", 4.0)):
            row = _find(rows, kind, name)
            if ours is not None and row is not None:
                text = f"messages of streams a second on uvicorn: ours to {NAMES[name]}"
                self.targets.append(Target(text, rate_ratio(ours, row), limit, True))

    def idle(self, rows: Sequence[Idle]) -> None:
        """Streams that wait. The limit is for uvicorn: gunicorn's own part is above it."""
        for row in rows:
            if row.name == "ours" and row.kind == "uvicorn":
                name = f"KiB per idle stream on {SERVERS[row.kind]}, {row.streams:,} streams"
                self.targets.append(Target(name, row.bytes_per_stream / 1024, 18.0, False))

    def many(self, row: Idle, wanted: int) -> None:
        """Many streams that wait, in one worker."""
        self.targets.append(Target(f"idle streams on one worker of {SERVERS[row.kind]}", row.streams, wanted, True))
        self.idle([row])

    def scale(self, found: Mapping[int, Sequence[Row]]) -> None:
        """Few connections and many."""
        few, many = min(found), max(found)
        for before, after in zip(found[few], found[many], strict=True):
            if before.name == "ours":
                name = f"unary on {SERVERS[before.kind]}: {many:,} connections to {few:,}"
                self.at_most(name, FLAT, after, before)

    def database(self, rows: Sequence[Row]) -> None:
        """One read from SQLite."""
        self.at_most("`def` handler under ASGI with one read of SQLite, to a Django async view", 0.5, rows[0], rows[-1])


def data(value: Any) -> Any:
    """Gives results as JSON has them."""
    if isinstance(value, Row):
        cells = [cell._asdict() for cell in value.cells]
        median = statistics.median(cell["microseconds"] for cell in cells)
        return {"server": value.kind, "application": value.name, "microseconds": median, "cells": cells}
    if isinstance(value, Cost | Idle):
        return value._asdict()
    if isinstance(value, Target):
        return value._asdict() | {"is_met": value.is_met}
    if isinstance(value, dict):
        return {str(key): data(item) for key, item in value.items()}
    return [data(item) for item in value]
