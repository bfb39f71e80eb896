"""What has happened to orders, as rows: written with each change, read from any position on, pruned when they are old.

A position is the id of an event, and whoever is at a position has seen every event up to it. Knows no protobuf and no
HTTP; how the events reach open streams is in `live`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from services.orders.models import Order, OrderEvent, OrderStatus
from services.orders.tokens import decode_token, encode_token

CHANNEL = "order_events"
"""What PostgreSQL notifies when an event is committed."""

LOCK_ID = 0x6F72646572  # "order" in ASCII; any number that nothing else in the database locks
BEGINNING = 0
"""The position before all events."""

PRUNE_CHUNK = 5000


class TokenTooOldError(Exception):
    """Events that the holder of a resume token has not seen are no longer kept. The text is for the caller."""


@dataclass(frozen=True, eq=False, slots=True)
class Update:
    """An event as it is shown: the order as it was right after the change. Shared by all who see it, so read only."""

    position: int
    order: Order
    previous_status: str

    @property
    def changed_at(self) -> datetime:
        """When it happened."""
        return self.order.updated_at


def record_event(order: Order, previous_status: OrderStatus | None) -> OrderEvent:
    """Writes what has just changed an order. For the end of the transaction that changes it.

    PostgreSQL gives out ids before the commit, so that an event could appear after one with a higher id, and a reader
    that has gone on to the higher one would never see it. Whoever writes an event therefore holds a lock from before
    its id is given out until after the commit. SQLite has one writer at a time anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s), pg_notify(%s, '')", [LOCK_ID, CHANNEL])
    return OrderEvent.objects.create(
        order=order,
        customer_id=order.customer_id,
        previous_status=previous_status or "",
        status=order.status,
        version=order.version,
        created_at=order.updated_at,
    )


def newest_position() -> int:
    """Gives the position of whoever has seen everything."""
    return OrderEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or BEGINNING


def resume_token(position: int) -> str:
    """Gives the token by which a client names a position."""
    return encode_token("event", position)


def position_of(token: str) -> int:
    """Gives the position that a resume token names. Raises ValidationError for what is no resume token."""
    return decode_token("event", token, field="resume_token")


def check_kept(position: int) -> None:
    """Raises `TokenTooOldError` unless all events after the position are there.

    Positions are events that there were, and of all events the oldest are pruned first: while an event is kept, so are
    all after it.
    """
    if position == BEGINNING:
        oldest = OrderEvent.objects.order_by("pk").values_list("pk", flat=True).first()
        is_kept = oldest is None or oldest == BEGINNING + 1
    else:
        is_kept = OrderEvent.objects.filter(pk=position).exists()
    if not is_kept:
        raise TokenTooOldError("The resume token is too old: list the orders anew, and go on from there.")


def updates_after(position: int, limit: int, customer_id: int | None = None) -> list[Update]:
    """Gives the first updates after a position, at most `limit`; of one customer's orders if one is named."""
    events = OrderEvent.objects.filter(pk__gt=position)
    if customer_id is not None:
        events = events.filter(customer_id=customer_id)
    return [_update(event) for event in _with_details(events).order_by("pk")[:limit]]


def newest_updates(limit: int) -> list[Update]:
    """Gives the last updates that there are, at most `limit`."""
    return [_update(event) for event in _with_details(OrderEvent.objects.order_by("-pk"))[:limit]][::-1]


def _with_details(events: QuerySet[OrderEvent]) -> QuerySet[OrderEvent]:
    return events.select_related("order__customer").prefetch_related("order__items")


def _update(event: OrderEvent) -> Update:
    """Each event has an order object of its own, so that it can be put back to what it was then."""
    order = event.order
    order.status, order.version, order.updated_at = event.status, event.version, event.created_at
    return Update(event.pk, order, event.previous_status)


def prune(older_than: datetime) -> int:
    """Deletes the events before a time and gives their number. The newest of them stays, because tokens name it."""
    old = OrderEvent.objects.filter(created_at__lt=older_than).order_by("-pk").values_list("pk", flat=True)
    boundary = old.first()
    total = 0
    while boundary is not None:
        # A few at a time, so that SQLite's other writers have their turn.
        ids = list(OrderEvent.objects.filter(pk__lt=boundary).order_by("pk").values_list("pk", flat=True)[:PRUNE_CHUNK])
        if not ids:
            break
        total += OrderEvent.objects.filter(pk__lte=ids[-1]).delete()[0]
    return total
