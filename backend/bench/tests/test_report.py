"""What the tables say of what was measured, and which targets are met."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench import report
from bench.cells import Cell, Idle, Row, rate_ratio, ratio
from bench.micro import Cost
from bench.report import Ratios, Target


def row(kind: str, name: str, *costs: float, rate: float = 1000.0) -> Row:
    nothing: Any = None
    return Row(kind, name, nothing, nothing, [Cell(cost, rate * number, 0.0) for number, cost in enumerate(costs, 1)])


def test_rows_are_compared_within_each_turn():
    """A loud turn makes both dear; medians of their own would compare one's loud turn with the other's quiet one."""
    ours, bare = row("uvicorn", "ours", 10, 40, 20), row("uvicorn", "floor", 5, 30, 8)
    assert ratio(ours, bare) == 2.0
    assert ours.microseconds / bare.microseconds == 2.5
    assert rate_ratio(row("uvicorn", "ours", 1, 1, rate=300.0), row("uvicorn", "sonora", 1, 1, rate=100.0)) == 3.0


def test_the_quickest_turn_says_what_a_call_costs_and_each_turn_how_many_times_as_much():
    ours, theirs = Cost("ASGI", "ours", [9.0, 8.0, 20.0]), Cost("ASGI", "sonora", [27.0, 40.0, 60.0])
    assert (ours.microseconds, theirs.microseconds) == (8.0, 27.0)
    assert theirs.times(ours) == 3.0


@pytest.mark.parametrize(
    ("reached", "at_least", "is_met"), [(2.0, True, True), (1.99, True, False), (2.01, False, False)]
)
def test_targets(reached: float, at_least: bool, is_met: bool):
    target = Target("ours to theirs", reached, 2.0, at_least)
    assert target.is_met == is_met
    line = report.targets_table([target]).splitlines()[-1]
    word = "at least" if at_least else "at most"
    assert line == f"| {'met' if is_met else '**not met**'} | ours to theirs | {reached:.2f} | {word} 2 |"


def test_each_table_has_its_targets():
    ratios = Ratios()
    peers = {"ours": 10.0, "sonora": 40.0, "connect": 70.0}
    ratios.micro([Cost(kind, name, [cost, 2 * cost]) for kind in ("WSGI", "ASGI") for name, cost in peers.items()])
    assert [(target.reached, target.limit, target.is_met) for target in ratios.targets] == [
        (4.0, 2.2, True),
        (4.0, 3.5, True),
        (7.0, 6.0, True),
        (7.0, 8.0, False),
    ]
    ratios.targets.clear()
    ratios.scale(
        {number: [row("uvicorn", "floor", 9), row("uvicorn", "ours", cost)] for number, cost in ((1, 20), (9, 21))}
    )
    ratios.many(Idle("uvicorn", "ours", 9_000, 18 * 1024.0, 0.0, 1.0), 10_000)
    assert [(round(target.reached, 2), target.is_met) for target in ratios.targets] == [
        (1.05, True),
        (9_000, False),
        (18.0, True),
    ]


def test_what_was_not_measured_has_no_target():
    """A row is left out where its server cannot be started, as Envoy on some machines."""
    ratios = Ratios()
    ratios.unary([row("uvicorn", "ours", 15), row("uvicorn", "floor", 10)])
    ratios.streams([row("uvicorn", "ours", 1)])
    assert [target.reached for target in ratios.targets] == [1.5]
    assert "| uvicorn | **this bridge** | 15.0 | 15.0 to 15.0 | 1.50 |  | 1,000 |" in report.calls_table(
        [row("uvicorn", "ours", 15), row("uvicorn", "floor", 10)]
    )


def test_results_are_data_as_well():
    results = {"unary": [row("uvicorn", "ours", 1, 2, 4)], "targets": [Target("a", 1.0, 2.0, False)]}
    data = json.loads(json.dumps(report.data(results)))
    assert data["unary"][0]["microseconds"] == 2
    assert [cell["microseconds"] for cell in data["unary"][0]["cells"]] == [1, 2, 4]
    assert data["targets"] == [{"name": "a", "reached": 1.0, "limit": 2.0, "at_least": False, "is_met": True}]
