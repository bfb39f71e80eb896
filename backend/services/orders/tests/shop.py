"""Customers, staff and goods for tests, and orders placed as customers do."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

from django.contrib.auth import get_user_model

from services.orders import logic
from services.orders.models import Order, OrderStatus, Product

_numbers = itertools.count(1)

WAY = (OrderStatus.PAID, OrderStatus.PACKED, OrderStatus.SHIPPED, OrderStatus.DELIVERED)
"""The statuses of an order that nothing happens to, after PLACED."""


def make_customer(**fields: Any) -> Any:
    """Somebody who may buy."""
    email = fields.pop("email", None) or f"customer{next(_numbers)}@example.com"
    return get_user_model()._default_manager.create_user(email, is_customer=True, **fields)


def make_staff(**fields: Any) -> Any:
    """Somebody who works here, and buys nothing."""
    return get_user_model()._default_manager.create_user(f"staff{next(_numbers)}@example.com", is_staff=True, **fields)


def make_product(stock: int = 100, price_cents: int = 1250, **fields: Any) -> Product:
    """A product with a name that no other has."""
    name = fields.pop("name", None) or f"Product {next(_numbers)}"
    return Product.objects.create(name=name, stock=stock, price_cents=price_cents, **fields)


def new_key() -> str:
    """An idempotency key that was never used."""
    return str(uuid.uuid4())


def place(customer: Any, *products: Product, quantity: int = 1, key: str = "") -> Order:
    """An order of some of each of these products, or of a new one."""
    goods = products or (make_product(),)
    return logic.place_order(customer, [(product.pk, quantity) for product in goods], key or new_key())


def bring_to(order: Order, status: OrderStatus) -> Order:
    """Moves a placed order on until it has this status."""
    if status is OrderStatus.CANCELLED:
        return logic.move_order(order.pk, status)
    if status is OrderStatus.PLACED:
        return order
    for step in WAY[: WAY.index(status) + 1]:
        order = logic.move_order(order.pk, step)
    return order
