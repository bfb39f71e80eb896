"""What is kept of changes: each has its event, tokens name places, and old events go."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from services.orders import history, logic
from services.orders.models import Order, OrderEvent, OrderStatus
from services.orders.tests.shop import bring_to, make_customer, make_product, place
from services.orders.tokens import decode_token, encode_token

NO_TOKENS = ["", "?", "e", "ZXZlbnQ6", "x" * 5000, "größe", "a b", "=", "\0"]
"""Texts that the server has given nobody."""


def age_events(before: int, days: int) -> None:
    """Makes the events up to an id so old."""
    then = timezone.now() - timedelta(days=days)
    OrderEvent.objects.filter(pk__lte=before).update(created_at=then)


@pytest.mark.django_db
def test_every_change_leaves_its_event():
    customer = make_customer()
    order = bring_to(place(customer), OrderStatus.DELIVERED)
    updates = history.updates_after(history.BEGINNING, 100)
    assert [(u.previous_status, u.order.status, u.order.version) for u in updates] == [
        ("", "placed", 1),
        ("placed", "paid", 2),
        ("paid", "packed", 3),
        ("packed", "shipped", 4),
        ("shipped", "delivered", 5),
    ]
    assert {u.order.pk for u in updates} == {order.pk}
    assert [u.changed_at for u in updates] == sorted(u.changed_at for u in updates)
    assert updates[-1].changed_at == Order.objects.get().updated_at
    assert updates[0].changed_at == Order.objects.get().created_at


@pytest.mark.django_db
def test_no_change_no_event():
    customer, product = make_customer(), make_product(1)
    place(customer, product)
    before = history.newest_position()
    with pytest.raises(logic.OutOfStockError):
        place(customer, product)
    with pytest.raises(logic.IllegalStepError):
        logic.move_order(Order.objects.get().pk, OrderStatus.DELIVERED)
    assert history.newest_position() == before


@pytest.mark.django_db
@pytest.mark.parametrize("count", [1, 7])
def test_queries_do_not_grow_with_the_updates(count: int, django_assert_num_queries):
    customer, products = make_customer(), [make_product() for _ in range(count)]
    for _ in range(count):
        place(customer, *products)
    for read in (lambda: history.updates_after(0, 100), lambda: history.newest_updates(100)):
        with django_assert_num_queries(2):
            assert [len(u.order.items.all()) for u in read() if u.order.customer.email] == [count] * count


@pytest.mark.django_db
def test_reading_on_from_anywhere():
    one, other = make_customer(), make_customer()
    for customer in (one, other, one, other, one):
        place(customer)
    every = [update.position for update in history.updates_after(0, 100)]
    assert every == sorted(every)
    for index, position in enumerate(every):
        assert [u.position for u in history.updates_after(position, 100)] == every[index + 1 :]
        assert [u.position for u in history.updates_after(position, 2)] == every[index + 1 : index + 3]
    assert [u.position for u in history.updates_after(0, 100, one.pk)] == every[::2]
    assert [u.position for u in history.newest_updates(2)] == every[-2:]


# Tokens.


@pytest.mark.parametrize("row_id", [0, 1, 10**12, 2**63 - 1])
def test_tokens_name_what_they_were_made_for(row_id: int):
    token = encode_token("event", row_id)
    assert decode_token("event", token, field="x") == row_id
    with pytest.raises(ValidationError):
        decode_token("order", token, field="x")


@pytest.mark.parametrize("token", [*NO_TOKENS, encode_token("event", 2**63), encode_token("event", -1)])
def test_texts_that_are_no_tokens(token: str):
    with pytest.raises(ValidationError) as caught:
        history.position_of(token)
    assert set(caught.value.message_dict) == {"resume_token"}


@pytest.mark.django_db
def test_a_shop_without_history_has_a_token_that_stays_good():
    position = history.position_of(history.resume_token(history.newest_position()))
    history.check_kept(position)
    if place(make_customer()) and OrderEvent.objects.get().pk == 1:  # PostgreSQL counts on from one test to the next
        history.check_kept(position)


# Pruning.


@pytest.mark.django_db
def test_pruning_ends_the_tokens_from_before(monkeypatch):
    monkeypatch.setattr(history, "PRUNE_CHUNK", 2)
    customer = make_customer()
    for _ in range(8):
        place(customer)
    every = [update.position for update in history.updates_after(0, 100)]
    age_events(every[5], days=31)
    assert history.prune(timezone.now() - timedelta(days=30)) == 5
    assert list(OrderEvent.objects.values_list("pk", flat=True)) == every[5:]
    for position in (0, *every[:5], every[-1] + 1):
        with pytest.raises(history.TokenTooOldError, match="list the orders anew"):
            history.check_kept(position)
    for position in every[5:]:
        history.check_kept(position)
    assert history.prune(timezone.now() - timedelta(days=30)) == 0


@pytest.mark.django_db
def test_a_shop_that_rests_keeps_the_place_where_everybody_is():
    place(make_customer())
    newest = history.newest_position()
    age_events(newest, days=1000)
    assert history.prune(timezone.now()) == 0
    history.check_kept(newest)
    assert history.newest_position() == newest


@pytest.mark.django_db
def test_the_command(capsys):
    customer = make_customer()
    for _ in range(3):
        place(customer)
    age_events(history.newest_position(), days=8)
    call_command("prune_order_events", older_than_days=9)
    call_command("prune_order_events", older_than_days=7)
    assert capsys.readouterr().out == "0 events deleted\n2 events deleted\n"
    with pytest.raises(CommandError, match="at least 1"):
        call_command("prune_order_events", older_than_days=0)


# The order in which events appear.


@pytest.mark.django_db(transaction=True)
def test_a_change_cannot_overtake_one_that_has_written_its_event():
    """A reader that sees the later event has the earlier one too, however long its transaction takes."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    customer = make_customer()
    slow, fast = place(customer), place(customer)
    written, seen = threading.Event(), []

    def change_slowly() -> None:
        with transaction.atomic():
            order = Order.objects.get(pk=slow.pk)
            order.version += 1
            history.record_event(order, OrderStatus.PLACED)
            written.set()
            seen.append(wait_until_blocked(fast_change))
        connection.close()

    def change_fast() -> None:
        written.wait()
        logic.move_order(fast.pk, OrderStatus.PAID)
        connection.close()

    slow_change, fast_change = threading.Thread(target=change_slowly), threading.Thread(target=change_fast)
    slow_change.start()
    fast_change.start()
    slow_change.join()
    fast_change.join()
    assert seen == ["blocked"]
    assert [u.order.pk for u in history.updates_after(0, 100)][-2:] == [slow.pk, fast.pk]


def wait_until_blocked(thread: threading.Thread) -> str:
    """Gives whether a change waits for the lock of events, or what else became of it."""
    while thread.is_alive():
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            if cursor.fetchone():
                return "blocked"
    return "through"
