"""What is done in the servers' database by a process of its own: `python -m tests.soak.data COMMAND` prints JSON.

prepare CUSTOMERS STAFF   makes people, signs them in, fills the shop
audit TOKEN...            places a last order for each customer; gives all orders, stock and events, and what the
                          resume tokens stand for
history COUNT             writes so many events of large orders
"""

from __future__ import annotations

import json
import sys
import uuid
from typing import Any

import django

STOCK = 10_000_000
CLOSING = "closing-"
MOST_ITEMS = 20
HISTORY_ORDERS = 50


def main() -> None:
    """Does what the arguments say and prints the result."""
    django.setup()
    commands = {"prepare": prepare, "audit": audit, "history": history}
    print(json.dumps(commands[sys.argv[1]](*sys.argv[2:])))


def prepare(customers: str, staff: str) -> dict[str, Any]:
    """Gives the people with their cookies, and the products with their stock."""
    from django.contrib.auth import get_user_model
    from django.contrib.sessions.models import Session

    from services.orders.demo import ensure_products
    from services.orders.models import Product
    from services.orders.tests.other_process import cookie_of

    manager = get_user_model()._default_manager
    ensure_products()
    Product.objects.update(stock=STOCK)

    def signed_in(email: str, **role: bool) -> dict[str, str]:
        return {"email": email, "cookie": cookie_of(manager.create_user(email, **role))}

    people = {
        "customers": [signed_in(f"soak-customer-{n}@example.com", is_customer=True) for n in range(int(customers))],
        "staff": [signed_in(f"soak-staff-{n}@example.com", is_staff=True) for n in range(int(staff))],
    }
    assert Session.objects.count() >= int(customers) + int(staff)
    return people | {"products": list(Product.objects.order_by("pk").values_list("pk", "price_cents"))}


def audit(*tokens: str) -> dict[str, Any]:
    """Gives what the database knows in the end."""
    from services.orders.history import position_of
    from services.orders.models import Order, OrderEvent, Product

    for customer in _customers():
        _place(customer, CLOSING)
    orders = Order.objects.select_related("customer").prefetch_related("items").order_by("pk")
    fields = ("pk", "order_id", "version", "status", "previous_status", "customer__email")
    return {
        "orders": [
            {
                "id": order.pk,
                "key": order.idempotency_key,
                "email": order.customer.email,
                "status": order.status,
                "version": order.version,
                "total_cents": order.total_cents,
                "items": sorted((item.product_id, item.quantity) for item in order.items.all()),
            }
            for order in orders
            if order.customer.email.startswith("soak-")
        ],
        "events": list(OrderEvent.objects.order_by("pk").values_list(*fields)),
        "stock": list(Product.objects.values_list("pk", "stock")),
        "positions": {token: position_of(token) for token in tokens},
    }


def history(count: str) -> dict[str, Any]:
    """Gives the resume token from before the events, and order and version of each of them."""
    from services.orders.history import newest_position, resume_token
    from services.orders.models import OrderEvent
    from services.orders.tests.shop import make_product, place

    customer = _customers()[0]
    goods = [make_product(STOCK, name=f"{number:02} {'of a long name ' * 6}") for number in range(MOST_ITEMS)]
    token = resume_token(newest_position())
    orders = [place(customer, *goods, key=f"history-{uuid.uuid4()}") for _ in range(HISTORY_ORDERS)]
    rounds = range(2, int(count) // HISTORY_ORDERS + 1)
    OrderEvent.objects.bulk_create(
        OrderEvent(order=order, customer_id=customer.pk, previous_status="", status="placed", version=version)
        for version in rounds
        for order in orders
    )
    return {"token": token, "events": [(order.pk, version) for version in (1, *rounds) for order in orders]}


def _customers() -> list[Any]:
    from django.contrib.auth import get_user_model

    return list(get_user_model()._default_manager.filter(email__startswith="soak-customer-").order_by("pk"))


def _place(customer: Any, prefix: str) -> Any:
    from services.orders.models import Product
    from services.orders.tests.shop import place

    return place(customer, Product.objects.order_by("pk")[0], key=f"{prefix}{uuid.uuid4()}")


if __name__ == "__main__":
    main()
