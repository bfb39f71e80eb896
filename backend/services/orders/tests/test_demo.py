"""The demo shop, and the customers and staff of its simulation."""

from __future__ import annotations

import io
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.db.models import F, Sum
from django.utils import timezone

from services.orders import demo, history, logic
from services.orders.models import Order, OrderEvent, OrderItem, OrderStatus, Product
from services.orders.simulation import LOW_STOCK, Simulation
from services.orders.tests.shop import make_customer, make_product

pytestmark = pytest.mark.django_db

FEW_ORDERS = 25
"""For what does not need a hundred of them."""


# Seeds.


def test_a_shop_that_has_been_open_for_some_weeks():
    customers = [make_customer() for _ in range(3)]
    assert (demo.ensure_products(), demo.ensure_orders(customers)) == (12, 100)
    assert set(Order.objects.values_list("status", flat=True)) == set(OrderStatus)
    assert set(Order.objects.values_list("customer", flat=True)) == {customer.pk for customer in customers}
    sums = OrderItem.objects.values("order").annotate(sum=Sum(F("quantity") * F("unit_price_cents")))
    assert dict(sums.values_list("order", "sum")) == dict(Order.objects.values_list("pk", "total_cents"))


def test_its_history_is_in_order(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(demo, "ORDERS", FEW_ORDERS)
    demo.ensure_products()
    demo.ensure_orders([make_customer()])
    times = list(OrderEvent.objects.order_by("pk").values_list("created_at", flat=True))
    assert times == sorted(times)
    assert times[-1] <= timezone.now()
    for update in history.newest_updates(1000):
        order = Order.objects.get(pk=update.order.pk)
        if update.order.version == order.version:
            assert (update.order.status, update.changed_at) == (order.status, order.updated_at)
        if update.order.version == 1:
            assert update.changed_at == order.created_at


def test_what_is_there_stays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(demo, "ORDERS", 2)
    customer = make_customer()
    assert demo.ensure_orders([customer]) == 0  # there is nothing to buy
    Product.objects.create(name=demo.PRODUCTS[0].name, price_cents=1, stock=1000)
    assert (demo.ensure_products(), demo.ensure_orders([customer])) == (11, 2)
    assert Product.objects.get(name=demo.PRODUCTS[0].name).price_cents == 1
    assert (demo.ensure_products(), demo.ensure_orders([customer])) == (0, 0)
    assert Order.objects.count() == 2


def test_the_demo_shop_is_the_same_each_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(demo, "ORDERS", FEW_ORDERS)
    customers = [make_customer(), make_customer()]

    def totals() -> list[int]:
        demo.ensure_products()
        demo.ensure_orders(customers)
        found = list(Order.objects.order_by("idempotency_key").values_list("total_cents", flat=True))
        Order.objects.all().delete()
        Product.objects.all().delete()
        return found

    assert totals() == totals()


# Simulation.


def test_a_simulated_shop_goes_on_and_on():
    make_customer()
    products = [make_product(stock=3) for _ in range(3)]
    simulation = Simulation(random.Random(1))  # noqa: S311
    said = [simulation.step() for _ in range(200)]
    assert "somebody else was faster" not in said
    assert Product.objects.filter(pk__in=[product.pk for product in products], stock__gte=LOW_STOCK - 1).exists()
    assert set(Order.objects.values_list("status", flat=True)) >= {"placed", "delivered", "cancelled"}
    on_the_way = Order.objects.exclude(status__in=["delivered", "cancelled"]).count()
    assert 5 <= on_the_way <= 30
    assert history.newest_updates(1000)[-1].changed_at == Order.objects.latest("updated_at").updated_at


def test_the_command_stops_at_its_limit(capsys: Any):
    make_customer()
    make_product()
    call_command("simulate_orders", rate=1000, limit=3, verbosity=2)
    assert len(capsys.readouterr().out.splitlines()) == OrderEvent.objects.count() == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_stops_when_it_is_told_to(number: signal.Signals):
    make_customer()
    make_product()
    before = signal.getsignal(number)

    def stop() -> None:
        while signal.getsignal(number) is before:
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    stopper = threading.Thread(target=stop)
    stopper.start()
    call_command("simulate_orders", rate=0.001)
    stopper.join()
    assert signal.getsignal(number) is before


def test_the_command_stops_when_who_started_it_is_gone():
    make_customer()
    make_product()
    call_command("simulate_orders", rate=1000, limit=1, parent=os.getppid())
    call_command("simulate_orders", rate=0.001, parent=2**30)
    assert OrderEvent.objects.count() == 1


def test_each_change_and_nothing_else_is_a_heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make_customer()
    make_product()
    steps = [DatabaseError("busy"), "a change", DatabaseError("gone"), "another"]
    beats = []

    def step(_: Simulation) -> str:
        beats.append(heartbeat.exists())
        heartbeat.unlink(missing_ok=True)
        result = steps.pop(0)
        if isinstance(result, DatabaseError):
            raise result
        return result

    heartbeat = tmp_path / "heartbeat"
    monkeypatch.setattr(Simulation, "step", step)
    call_command("simulate_orders", rate=1000, limit=2, heartbeat=heartbeat, stderr=io.StringIO())
    assert [*beats, heartbeat.exists()] == [False, False, True, False, True]


@pytest.mark.parametrize("rate", [0, -1, 1001])
def test_rates_that_are_none(rate: float):
    with pytest.raises(CommandError, match="--rate"):
        call_command("simulate_orders", rate=rate)


def test_a_shop_without_anything_is_not_simulated(settings: Any):
    with pytest.raises(CommandError, match="seed"):
        call_command("simulate_orders", rate=1)
    settings.DEMO_DATA = False
    with pytest.raises(CommandError, match="DEMO_DATA"):
        call_command("simulate_orders", rate=1)


def test_somebody_may_be_faster(monkeypatch: pytest.MonkeyPatch):
    customer, product = make_customer(), make_product()
    order = logic.place_order(customer, [(product.pk, 1)], "one-key-for-this")
    logic.move_order(order.pk, OrderStatus.CANCELLED)
    simulation = Simulation(random.Random(1))  # noqa: S311
    assert simulation._move(order) == "somebody else was faster"
