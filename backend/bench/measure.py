"""How a cell of a table is measured: rows in turns, CPU time over answers, ratios within a turn.

A cell whose neighbours had much of the servers' core is measured again, and the quietest of its tries counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from bench import machine
from bench.cells import Cell, Row
from bench.client import Load
from bench.servers import Running

WARM_UP_SECONDS = 0.25
MOST_NEIGHBOURS = 0.4
"""Which share of the core others may have before a cell is measured again."""
TRIES = 3


def in_turns(rows: Sequence[Row], turns: int, measure: Callable[[Row], Cell]) -> None:
    """Measures all rows, one after the other, so many times."""
    tries_left = len(rows)  # on a machine that is never quiet there has to be an end
    for _ in range(turns):
        for row in rows:
            tries = [measure(row)]
            while tries_left and len(tries) < TRIES and tries[-1].neighbours > MOST_NEIGHBOURS:
                tries_left -= 1
                tries.append(measure(row))
            row.cells.append(min(tries, key=lambda cell: cell.neighbours))


class _Watch:
    """Takes the times of a server from now on."""

    def __init__(self, server: Running) -> None:
        self._server = server
        self._parts = {part: server.cpu_seconds(part) for part in server.pids}
        self._busy = machine.busy_seconds()
        self._start = time.perf_counter()

    def cell(self, count: int) -> Cell:
        """Gives what has become of so many answers."""
        seconds = time.perf_counter() - self._start
        spent = {part: self._server.cpu_seconds(part) - before for part, before in self._parts.items()}
        others = machine.busy_seconds() - self._busy - sum(spent.values())
        per_answer: Mapping[str, float] = {part: value / count * 1e6 for part, value in spent.items()}
        return Cell(sum(per_answer.values()), count / seconds, max(others / seconds, 0.0), per_answer.get("envoy", 0.0))


def calls(row: Row, connections: int, seconds: float) -> Cell:
    """Measures calls, one at a time on each connection."""
    load = Load(row.server.port, row.request, connections)
    try:
        load.start()
        load.run(WARM_UP_SECONDS)
        watch = _Watch(row.server)
        cell = watch.cell(load.run(seconds))
        load.finish()
        return cell
    finally:
        load.close()


def streams(row: Row, connections: int, messages: int) -> Cell:
    """Measures streams of so many messages, one on each connection, from their first byte to their last."""
    load = Load(row.server.port, row.request, connections)
    try:
        watch = _Watch(row.server)
        load.start()
        answers = load.finish()
        return watch.cell(answers * messages)
    finally:
        load.close()
