"""Every kind of loss is found: the audit is what the soak's verdicts rest on."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.soak import audit
from tests.soak.caller import Route
from tests.soak.data import STOCK
from tests.soak.followers import Follower, Seen
from tests.soak.shop import Acknowledged, Moved

A, B = "soak-a@example.com", "soak-b@example.com"
ROUTE = Route("nowhere", 0, is_text=False)


def order(number: int, key: str, email: str, status: str, cents: int, quantity: int) -> dict[str, Any]:
    items = [[7, quantity]]
    row = {"id": number, "key": key, "email": email, "status": status, "version": 2}
    return row | {"total_cents": cents, "items": items}


def dump() -> dict[str, Any]:
    """Two orders: A's is paid, B's is cancelled. An event of before has the position 4."""
    return {
        "orders": [order(1, "k1", A, "paid", 30, 3), order(2, "k2", B, "cancelled", 10, 1)],
        "events": [
            [4, 9, 1, "placed", "", "somebody@example.com"],
            [5, 1, 1, "placed", "", A],
            [6, 2, 1, "placed", "", B],
            [7, 1, 2, "paid", "placed", A],
            [9, 2, 2, "cancelled", "placed", B],
        ],
        "stock": [[7, STOCK - 3], [8, STOCK]],
        "positions": {"begin": 4},
    }


ACKNOWLEDGED = [Acknowledged("k1", 1, A, ((7, 3),), 30), Acknowledged("k2", 2, B, ((7, 1),), 10)]
MOVED = [Moved(1, 2, "paid"), Moved(2, 2, "cancelled")]
OF_A = [Seen(1, 1, "placed", ""), Seen(1, 2, "paid", "placed")]
OF_ALL = [OF_A[0], Seen(2, 1, "placed", ""), OF_A[1], Seen(2, 2, "cancelled", "placed")]


def follower(seen: list[Seen], email: str | None = None) -> Follower:
    return Follower(ROUTE, "", email, seen=seen, first_token="begin")


def problems(data: dict[str, Any], acknowledged: Any = ACKNOWLEDGED, moved: Any = MOVED) -> list[str]:
    return [
        *audit.lost_orders(data, acknowledged),
        *audit.lost_moves(data, moved),
        *audit.broken_history(data),
        *audit.wrong_stock(data),
    ]


def test_where_nothing_is_wrong_nothing_is_found():
    assert problems(dump()) == []
    assert audit.missed_updates(dump(), [follower(OF_ALL), follower(OF_A, A), follower([], "c@example.com")]) == []


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda data: data["orders"].pop(0), "acknowledged and is lost"),
        (lambda data: data["orders"].append(data["orders"][0] | {"id": 3}), "has 2 orders"),
        (lambda data: data["orders"][0].update(total_cents=31), "and is {'id': 1"),
        (lambda data: data["orders"][0].update(items=[[7, 2]]), "and is {'id': 1"),
        (lambda data: data["orders"][0].update(id=11), "and is {'id': 11"),
        (lambda data: data["events"].pop(3), "was said to be paid, and is not"),
        (lambda data: data["events"].pop(1), "has version 2, and events [2]"),
        (lambda data: data["orders"][0].update(version=3), "has version 3, and events [1, 2]"),
        (lambda data: data["orders"][0].update(status="packed"), "is packed, and its last event says paid"),
        (lambda data: data["stock"][0].__setitem__(1, STOCK - 4), "3 were sold, and 4 are missing"),
        (lambda data: data["stock"][1].__setitem__(1, STOCK - 1), "0 were sold, and 1 are missing"),
    ],
)
def test_what_is_damaged_is_found(damage: Any, found: str):
    data = copy.deepcopy(dump())
    damage(data)
    assert any(found in problem for problem in problems(data)), problems(data)


def test_an_order_that_two_keys_were_given():
    twice = [*ACKNOWLEDGED, Acknowledged("k2", 1, B, ((7, 1),), 10)]
    assert "order 1 was given to several keys" in problems(dump(), twice)


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        (OF_ALL[:-1], "missed 1"),
        (OF_ALL[1:], "missed 1"),
        ([*OF_ALL, OF_ALL[-1]], "saw too often 1"),
        ([OF_ALL[0], *OF_ALL], "saw too often 1"),
        ([OF_ALL[2], *OF_ALL[:2], OF_ALL[3]], "out of order"),
        ([*OF_ALL[:3], Seen(2, 2, "packed", "placed")], "missed 1"),
    ],
)
def test_a_follower_who_has_not_seen_all_once_and_in_order(seen: list[Seen], found: str):
    (problem,) = audit.missed_updates(dump(), [follower(seen)])
    assert found in problem


def test_a_customer_who_sees_somebody_elses_order():
    (problem,) = audit.missed_updates(dump(), [follower(OF_ALL, A)])
    assert "saw too often 2" in problem
