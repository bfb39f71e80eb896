"""Compares what clients were told with what the database has in the end. Each function gives a line for a difference.

The dump is what `data.audit` gives.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from tests.soak.data import STOCK
from tests.soak.followers import Follower, Seen
from tests.soak.shop import Acknowledged, Moved

SHOWN = 5
Dump = dict[str, Any]


class Event(NamedTuple):
    """One row of the event table."""

    position: int
    order: int
    version: int
    status: str
    previous: str
    email: str

    def seen(self) -> Seen:
        """Gives what a follower should have seen of it."""
        return Seen(self.order, self.version, self.status, self.previous)


def events_of(dump: Dump) -> list[Event]:
    """Gives the events in their order."""
    return [Event(*row) for row in dump["events"]]


def lost_orders(dump: Dump, acknowledged: Sequence[Acknowledged]) -> list[str]:
    """Every acknowledged order is there once, with the acknowledged content."""
    by_key: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in dump["orders"]:
        by_key[row["email"], row["key"]].append(row)
    problems = [
        f"the key {key} of {email} has {len(rows)} orders" for (email, key), rows in by_key.items() if len(rows) > 1
    ]
    for order in acknowledged:
        rows = by_key[order.email, order.key]
        if not rows:
            problems.append(f"order {order.order} was acknowledged and is lost")
        elif _content(rows[0]) != (order.order, order.items, order.total_cents):
            problems.append(f"order {order.order} was acknowledged as {order}, and is {rows[0]}")
    twice = [number for number, count in Counter(order.order for order in acknowledged).items() if count > 1]
    return problems + [f"order {number} was given to several keys" for number in twice]


def _content(row: dict[str, Any]) -> tuple[int, tuple[tuple[int, int], ...], int]:
    return row["id"], tuple(tuple(item) for item in row["items"]), row["total_cents"]  # type: ignore[return-value]


def lost_moves(dump: Dump, moved: Iterable[Moved]) -> list[str]:
    """Every acknowledged step is among the events."""
    happened = {(event.order, event.version, event.status) for event in events_of(dump)}
    return [f"order {one.order} was said to be {one.status}, and is not" for one in moved if one not in happened]


def broken_history(dump: Dump) -> list[str]:
    """The events of every order are whole, in their order, and lead to what the order is."""
    ways: dict[int, list[Event]] = defaultdict(list)
    for event in events_of(dump):
        ways[event.order].append(event)
    problems = []
    for row in dump["orders"]:
        way = ways[row["id"]]
        if [event.version for event in way] != list(range(1, row["version"] + 1)):
            problems.append(f"order {row['id']} has version {row['version']}, and events {[e.version for e in way]}")
        elif way[-1].status != row["status"]:
            problems.append(f"order {row['id']} is {row['status']}, and its last event says {way[-1].status}")
    return problems


def wrong_stock(dump: Dump) -> list[str]:
    """What is missing from stock is what was sold and not cancelled."""
    sold: Counter[int] = Counter()
    for row in dump["orders"]:
        if row["status"] != "cancelled":
            for product, quantity in row["items"]:
                sold[product] += quantity
    return [
        f"of product {product} {sold[product]} were sold, and {STOCK - stock} are missing"
        for product, stock in dump["stock"]
        if STOCK - stock != sold[product]
    ]


def expected_of(dump: Dump, follower: Follower) -> list[Seen]:
    """Gives what a follower should have seen: all events of its scope since its first message."""
    begin = dump["positions"][follower.first_token]
    return [
        event.seen() for event in events_of(dump) if event.position > begin and follower.email in (None, event.email)
    ]


def missed_updates(dump: Dump, followers: Iterable[Follower]) -> list[str]:
    """Every follower has seen every event of its scope once, in the order of the events."""
    problems = []
    for follower in followers:
        expected = expected_of(dump, follower)
        if follower.seen == expected:
            continue
        seen, wanted = Counter(follower.seen), Counter(expected)
        missed, extra = wanted - seen, seen - wanted
        what = f"missed {_some(missed)}, saw too often {_some(extra)}" if missed or extra else "saw them out of order"
        problems.append(f"a follower by {follower.route.name} of {len(expected)} events {what}")
    return problems


def _some(counter: Counter[Seen]) -> str:
    return f"{counter.total()} {[tuple(one) for one in list(counter)[:SHOWN]]}" if counter else "none"
