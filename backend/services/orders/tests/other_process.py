"""What a test has another process do in the database of a server: `python -m services.orders.tests.other_process`.

prepare         makes a customer, staff and a product; prints their cookies
change COUNT    places so many orders and moves them on, a few changes at a time; prints all events there are
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import django
from django.contrib.auth import get_user_model

PAUSE_SECONDS = 0.05


def main() -> None:
    """Does what the arguments say and prints the result as JSON."""
    django.setup()
    commands = {"prepare": prepare, "change": change}
    print(json.dumps(commands[sys.argv[1]](*sys.argv[2:])))  # noqa: T201 - that is what it is for


def prepare() -> dict[str, str]:
    """Gives the cookie of a customer, and that of somebody of the staff."""
    from services.orders.tests.shop import make_customer, make_product, make_staff  # noqa: PLC0415

    make_product(stock=1_000_000)
    return {"customer": cookie_of(make_customer()), "staff": cookie_of(make_staff())}


def cookie_of(user: Any) -> str:
    """Signs a user in."""
    from django.conf import settings  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415

    client = Client()
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def change(count: str) -> list[tuple[int, int]]:
    """Gives order and version of each event, in their order."""
    from services.orders import logic  # noqa: PLC0415
    from services.orders.models import OrderEvent, Product  # noqa: PLC0415
    from services.orders.tests.shop import WAY, place  # noqa: PLC0415

    customer, product = get_user_model()._default_manager.get(is_customer=True), Product.objects.get()
    for _ in range(int(count)):
        order = place(customer, product)
        for status in WAY:
            time.sleep(PAUSE_SECONDS)
            logic.move_order(order.pk, status)
    return list(OrderEvent.objects.order_by("pk").values_list("order_id", "version"))


if __name__ == "__main__":
    main()
