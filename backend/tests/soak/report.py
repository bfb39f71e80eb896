"""What the parts have found: printed as tables for people, written as JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent.parent.parent / "test-results" / "soak.json"
PROBLEMS_SHOWN = 20


@dataclass
class Report:
    """One part's figures and faults."""

    part: str
    figures: dict[str, Any] = field(default_factory=dict)
    """Numbers and texts by name; tables as lists of rows, each a dict with the same keys."""
    problems: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """What could not be tried here."""

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong."""
        return not self.problems

    def lines(self) -> list[str]:
        """Gives the report as text."""
        lines = [f"== {self.part}: {'passed' if self.passed else 'FAILED'}"]
        for name, value in self.figures.items():
            if isinstance(value, list):
                lines += ["", f"  {name}", *table(value)]
            else:
                lines.append(f"  {name}: {value}")
        lines += [f"  left out: {what}" for what in self.left_out]
        lines += [f"  PROBLEM: {problem}" for problem in self.problems[:PROBLEMS_SHOWN]]
        if len(self.problems) > PROBLEMS_SHOWN:
            lines.append(f"  and {len(self.problems) - PROBLEMS_SHOWN} more problems")
        return lines


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Gives rows with the same keys as the lines of a table."""
    if not rows:
        return ["    none"]
    cells = [[str(name) for name in rows[0]], *([str(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "    " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    ]


def milliseconds(seconds: Sequence[float]) -> dict[str, Any]:
    """Gives how times are spread, in milliseconds."""
    ordered = sorted(seconds)

    def at(share: float) -> Any:
        return round(ordered[min(math.ceil(share * len(ordered)), len(ordered)) - 1] * 1000, 1) if ordered else "-"

    return {"count": len(ordered), "p50 ms": at(0.5), "p95 ms": at(0.95), "p99 ms": at(0.99), "most ms": at(1.0)}


def write(reports: Sequence[Report], path: Path = RESULTS) -> None:
    """Writes the figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        report.part: {
            "passed": report.passed,
            "figures": report.figures,
            "problems": report.problems,
            "left_out": report.left_out,
        }
        for report in reports
    }
    path.write_text(json.dumps(content, indent=2) + "\n")
