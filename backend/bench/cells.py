"""What was measured, as the tables are made of it. Nothing here measures or knows of processes."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bench.client import Request
    from bench.servers import Running


class Cell(NamedTuple):
    """One row in one turn."""

    microseconds: float
    """CPU time per answer or message, of all the server's processes."""
    per_second: float
    """Answers or messages a second, as the clock on the wall has it."""
    neighbours: float
    """Which share of the servers' core something else had meanwhile."""
    envoy_microseconds: float = 0.0
    """What Envoy had of the CPU time."""


@dataclass
class Row:
    """One server with one application, and all that was measured of it."""

    kind: str
    """Of its server."""
    name: str
    server: Running
    request: Request
    cells: list[Cell] = field(default_factory=list)

    @property
    def microseconds(self) -> float:
        """The median of its turns."""
        return statistics.median(cell.microseconds for cell in self.cells)

    @property
    def per_second(self) -> float:
        """The median of its turns."""
        return statistics.median(cell.per_second for cell in self.cells)

    @property
    def envoy_microseconds(self) -> float:
        """The median of its turns."""
        return statistics.median(cell.envoy_microseconds for cell in self.cells)


def ratio(row: Row, other: Row) -> float:
    """Gives how many times as much a row costs as another: the median of the ratios within each turn."""
    pairs = zip(row.cells, other.cells, strict=True)
    return statistics.median(mine.microseconds / theirs.microseconds for mine, theirs in pairs)


def rate_ratio(row: Row, other: Row) -> float:
    """Gives how many times as many answers or messages a second a row gives as another, in the same way."""
    pairs = zip(row.cells, other.cells, strict=True)
    return statistics.median(mine.per_second / theirs.per_second for mine, theirs in pairs)


class Idle(NamedTuple):
    """What so many streams have cost one server."""

    kind: str
    name: str
    streams: int
    bytes_per_stream: float
    cpu_share: float
    """Which share of a core all of them together have taken while nothing happened."""
    opened_per_second: float
