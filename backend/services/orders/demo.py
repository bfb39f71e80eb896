"""The demo shop: what it sells, and orders as if it had been open for some weeks. Only for `settings.DEMO_DATA`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from services.orders import logic
from services.orders.models import Order, OrderEvent, OrderStatus, Product

ORDERS = 100
DAYS = 28
"""How long ago the first order was placed."""

CANCELLED_SHARE = 0.08

SEED = 1969
"""Of the random numbers, so that every demo shop looks the same."""


class DemoProduct(NamedTuple):
    """Something that the demo shop sells."""

    name: str
    description: str
    price_cents: int
    stock: int


PRODUCTS = (
    DemoProduct("Beeswax candles", "Six candles that smell of the meadow and burn for nine hours each.", 1890, 120),
    DemoProduct("Cast iron teapot", "Holds 0.8 litres and keeps them hot through a long chapter.", 6450, 60),
    DemoProduct("Ceramic pour-over", "A coffee dripper with ribs that let the water find its way.", 3200, 70),
    DemoProduct("Desk lamp, brass", "A swivelling arm, a linen cord and a warm light that can be dimmed.", 14900, 40),
    DemoProduct("Field notebook", "Dotted pages, sewn so that it lies flat. Fits a coat pocket.", 1250, 300),
    DemoProduct("Fountain pen", "A steel nib, medium, in a barrel of turned olive wood.", 8900, 55),
    DemoProduct("Linen apron", "Washed linen with two pockets and straps that cross at the back.", 5400, 65),
    DemoProduct("Merino blanket", "Woven from undyed wool, 140 by 200 centimetres.", 12900, 45),
    DemoProduct("Oak serving board", "One piece of oak, oiled by hand. Each has a grain of its own.", 4250, 75),
    DemoProduct("Sencha, first flush", "One hundred grams of green tea from this year's first harvest.", 1999, 200),
    DemoProduct("Stoneware mug", "Thrown by hand, glazed in the grey of a November sky.", 2400, 80),
    DemoProduct("Wool slippers", "Felted in one piece, with soles of leather.", 4900, 50),
)

DELIVERY = (OrderStatus.PLACED, OrderStatus.PAID, OrderStatus.PACKED, OrderStatus.SHIPPED, OrderStatus.DELIVERED)
CANCELLATION = (OrderStatus.PLACED, OrderStatus.CANCELLED)


class Step(NamedTuple):
    """Something that has happened to a demo order. Steps sort by time."""

    time: datetime
    order_number: int
    status: OrderStatus


def ensure_products() -> int:
    """Adds the products that are missing. Gives their number; those that are there are left as they are."""
    known = set(Product.objects.values_list("name", flat=True))
    missing = [Product(**demo._asdict()) for demo in PRODUCTS if demo.name not in known]
    Product.objects.bulk_create(missing)
    return len(missing)


def ensure_orders(customers: Sequence[AbstractBaseUser]) -> int:
    """Adds a hundred orders of these customers where there is none at all. Gives the number of new orders.

    They are placed and moved on as any others, and then dated back.
    """
    products = list(Product.objects.filter(name__in=[demo.name for demo in PRODUCTS]).order_by("name"))
    if Order.objects.exists() or not customers or not products:
        return 0
    chance = random.Random(SEED)  # noqa: S311 - these numbers are to be the same each time
    steps = sorted(step for number in range(ORDERS) for step in _way(chance, number))
    orders: dict[int, Order] = {}
    for step in steps:
        if step.status is OrderStatus.PLACED:
            goods = [
                (product.pk, chance.choice((1, 1, 2))) for product in chance.sample(products, chance.randint(1, 3))
            ]
            key = f"demo-order-{step.order_number:03}"
            orders[step.order_number] = logic.place_order(chance.choice(customers), goods, key)
        else:
            logic.move_order(orders[step.order_number].pk, step.status)
    _date_back(list(orders.values()), [step.time for step in steps])
    return len(orders)


def _way(chance: random.Random, number: int) -> list[Step]:
    """What has happened to an order by now, the first placed four weeks ago: all but the last ones are through."""
    time = timezone.now() - timedelta(days=DAYS) * (ORDERS - number) / ORDERS
    way = []
    for status in CANCELLATION if chance.random() < CANCELLED_SHARE else DELIVERY:
        if time > timezone.now():
            break
        way.append(Step(time, number, status))
        time += timedelta(hours=chance.randint(2, 40))
    return way


def _date_back(orders: Sequence[Order], times: Sequence[datetime]) -> None:
    events = list(OrderEvent.objects.filter(order__in=orders).order_by("pk"))
    for event, time in zip(events, times, strict=True):
        event.created_at = time
    OrderEvent.objects.bulk_update(events, ["created_at"], batch_size=100)
    of_order = OrderEvent.objects.filter(order=OuterRef("pk"))
    Order.objects.filter(pk__in=[order.pk for order in orders]).update(
        created_at=Subquery(of_order.filter(version=1).values("created_at")),
        updated_at=Subquery(of_order.filter(version=OuterRef("version")).values("created_at")),
    )
