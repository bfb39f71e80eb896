"""Customers who buy and staff who work, as chance has it: one change at a time, through `logic`."""

from __future__ import annotations

import random
import uuid
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from services.orders import logic
from services.orders.models import Order, OrderStatus, Product

OPEN_ORDERS = 15
"""About so many orders are on their way: with fewer more are placed, with more they are moved on."""

LOW_STOCK = 5
RESTOCK = 50
CANCELLED_SHARE = 0.1


class Simulation:
    """A shop that is run by chance."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def is_possible(self) -> bool:
        """Whether there is somebody to buy, and something to be bought."""
        return _customers().exists() and Product.objects.filter(is_active=True).exists()

    def step(self) -> str:
        """Makes one change, and gives it in words."""
        for product in Product.objects.filter(is_active=True, stock__lt=LOW_STOCK):
            logic.restock(product.pk, RESTOCK)
        moving = list(Order.objects.exclude(status__in=(OrderStatus.DELIVERED, OrderStatus.CANCELLED)))
        if self._chance.random() * OPEN_ORDERS * 2 > len(moving):
            return self._place()
        return self._move(self._chance.choice(moving))

    def _place(self) -> str:
        products = list(Product.objects.filter(is_active=True))
        chosen = self._chance.sample(products, min(len(products), self._chance.randint(1, 3)))
        goods = [(product.pk, self._chance.choice((1, 1, 1, 2))) for product in chosen]
        customer = self._chance.choice(list(_customers()))
        try:
            order = logic.place_order(customer, goods, str(uuid.uuid4()))
        except logic.OutOfStockError:
            return "somebody else was faster"
        return f"{order} placed by {customer}"

    def _move(self, order: Order) -> str:
        status = OrderStatus(order.status)
        may_cancel = OrderStatus.CANCELLED in logic.STEPS[status]
        step = logic.next_status(status)
        if step is None or (may_cancel and self._chance.random() < CANCELLED_SHARE):
            step = OrderStatus.CANCELLED
        try:
            moved = logic.move_order(order.pk, step)
        except logic.IllegalStepError:
            return "somebody else was faster"
        return f"{moved} is {moved.status}"


def _customers() -> QuerySet[Any]:
    return get_user_model()._default_manager.filter(is_customer=True, is_active=True)
