"""Many callers at once, each in a thread with a database connection of its own, as in a server."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from services.orders import history, logic
from services.orders.models import Order, OrderItem, OrderStatus, Product
from services.orders.tests.shop import bring_to, make_customer, make_product, new_key, place

pytestmark = pytest.mark.django_db(transaction=True)

BUYERS = 20


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Makes the calls in as many threads, which begin together. Gives what each gave, or the error that it raised."""
    begin = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        begin.wait()
        try:
            return call()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def kinds(results: Sequence[Any]) -> Counter[str]:
    """How many results of each type there are."""
    return Counter(type(result).__name__ for result in results)


def test_the_last_items_are_sold_once():
    customers = [make_customer() for _ in range(BUYERS)]
    product = make_product(stock=5)
    results = at_once([lambda customer=customer: place(customer, product) for customer in customers])
    assert kinds(results) == {"Order": 5, "OutOfStockError": 15}
    assert Product.objects.get().stock == 0
    assert (Order.objects.count(), OrderItem.objects.count()) == (5, 5)
    assert len(history.updates_after(0, 100)) == 5


def test_orders_of_the_same_products_do_not_wait_for_each_other_for_ever():
    customer = make_customer()
    products = [make_product(stock=BUYERS) for _ in range(5)]
    orders = [products if number % 2 else products[::-1] for number in range(BUYERS)]
    results = at_once([lambda goods=goods: place(customer, *goods) for goods in orders])
    assert kinds(results) == {"Order": BUYERS}
    assert set(Product.objects.values_list("stock", flat=True)) == {0}


def test_a_call_that_is_repeated_while_it_runs():
    """Also where the first takes the last of what there is."""
    customer, product, key = make_customer(), make_product(stock=3), new_key()
    results = at_once([lambda: place(customer, product, quantity=3, key=key)] * BUYERS)
    assert kinds(results) == {"Order": BUYERS}
    assert {order.pk for order in results} == {Order.objects.get().pk}
    assert Product.objects.get().stock == 0


def test_a_key_that_is_used_for_different_items_at_once():
    customer, key = make_customer(), new_key()
    products = [make_product() for _ in range(BUYERS)]
    results = at_once([lambda product=product: place(customer, product, key=key) for product in products])
    assert kinds(results) == {"Order": 1, "KeyReusedError": BUYERS - 1}
    assert sum(product.stock for product in Product.objects.all()) == BUYERS * 100 - 1


def test_an_order_is_cancelled_once():
    product = make_product(stock=2)
    order = place(make_customer(), product)
    results = at_once([lambda: logic.move_order(order.pk, OrderStatus.CANCELLED)] * BUYERS)
    assert kinds(results) == {"Order": 1, "IllegalStepError": BUYERS - 1}
    assert Product.objects.get().stock == 2


def test_an_order_goes_one_way():
    order = place(make_customer())
    steps = [OrderStatus.PAID, OrderStatus.CANCELLED] * (BUYERS // 2)
    at_once([lambda step=step: logic.move_order(order.pk, step) for step in steps])
    updates = history.updates_after(0, 100)
    assert [update.order.version for update in updates] == list(range(1, len(updates) + 1))
    for before, after in itertools.pairwise(updates):
        assert after.previous_status == before.order.status
        assert after.order.status in logic.STEPS[OrderStatus(before.order.status)]


def test_everything_at_once():
    """Buying, cancelling, moving on and restocking do not wait for each other in a ring, and no item gets lost."""
    customer = make_customer()
    products = [make_product(stock=50) for _ in range(3)]
    placed = [place(customer, *products) for _ in range(10)]
    calls: list[Callable[[], Any]] = [lambda: place(customer, *products[::-1]) for _ in range(5)]
    calls += [lambda order=order: logic.cancel_order(customer, order.pk) for order in placed[:5]]
    calls += [lambda order=order: bring_to(order, OrderStatus.DELIVERED) for order in placed[5:]]
    calls += [lambda product=product: logic.restock(product.pk, 10) for product in products]
    assert kinds(at_once(calls)) == {"Order": 15, "NoneType": 3}
    assert set(Product.objects.values_list("stock", flat=True)) == {50 - 10 - 5 + 5 + 10}
