"""The rules of the shop: what can be bought, by whom, and how an order moves on. Knows no protobuf and no HTTP.

what is wrong                                  what is raised
-------------                                  --------------
a value                                        ValidationError, by field
the right to do this                           PermissionDenied
no such order, or somebody else's              Order.DoesNotExist
too little stock                               OutOfStockError
an idempotency key that was for other items    KeyReusedError
a step that an order cannot make               IllegalStepError
a resume token from too long ago               TokenTooOldError

Each change is a transaction of its own and ends with its event, see `history.record_event`. That is why none of them
may run inside another transaction: two that lock orders and then wait for each other's events would never end.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet, Subquery
from django.utils import timezone

from services.orders.history import newest_position, record_event, resume_token
from services.orders.models import Order, OrderItem, OrderStatus, Product
from services.orders.tokens import decode_token, encode_token

MAX_ITEMS = 20
MAX_QUANTITY = 99
MIN_KEY_CHARACTERS = 8
MAX_KEY_CHARACTERS = 64

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 100

STREAM_CHUNK = 100
"""How many orders a stream holds at a time."""

STEPS: Mapping[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PLACED: frozenset({OrderStatus.PAID, OrderStatus.CANCELLED}),
    OrderStatus.PAID: frozenset({OrderStatus.PACKED, OrderStatus.CANCELLED}),
    OrderStatus.PACKED: frozenset({OrderStatus.SHIPPED, OrderStatus.CANCELLED}),
    OrderStatus.SHIPPED: frozenset({OrderStatus.DELIVERED}),
    OrderStatus.DELIVERED: frozenset(),
    OrderStatus.CANCELLED: frozenset(),
}
"""Where an order can go from where it is."""


class Shortage(NamedTuple):
    """A product of which less is left than somebody wants."""

    product: Product
    wanted: int


class OutOfStockError(Exception):
    """There is too little of what somebody wants. The text is for the caller."""

    def __init__(self, shortages: Sequence[Shortage]) -> None:
        super().__init__("There is not enough in stock.")
        self.shortages = shortages


class KeyReusedError(Exception):
    """The idempotency key has placed an order of other items. The text is for the caller."""


class IllegalStepError(Exception):
    """An order cannot go from its status to that one. The text is for the caller."""


@dataclass(frozen=True)
class ProductPage:
    """Some of the catalogue. `next_page_token` is empty on the last page."""

    products: Sequence[Product]
    next_page_token: str


@dataclass(frozen=True)
class OrderPage:
    """Some orders, and the place in the history that they show. `next_page_token` is empty on the last page."""

    orders: Sequence[Order]
    next_page_token: str
    resume_token: str


def list_products(page_size: int = 0, page_token: str = "") -> ProductPage:
    """Gives a page of the catalogue, by name. Raises ValidationError."""
    size = _checked_page_size(page_size)
    products = Product.objects.filter(is_active=True).order_by("name")
    if page_token:
        last = Product.objects.filter(pk=decode_token("product", page_token, field="page_token"))
        products = products.filter(name__gt=Subquery(last.values("name")))
    return ProductPage(*_page("product", products, size))


def get_order(user: AbstractBaseUser, order_id: int) -> Order:
    """Gives an order that the user may see. Raises Order.DoesNotExist."""
    return Order.objects.visible_to(user).with_details().get(pk=order_id)


def list_orders(
    user: AbstractBaseUser, page_size: int = 0, page_token: str = "", statuses: Sequence[OrderStatus] = ()
) -> OrderPage:
    """Gives a page of the orders that the user may see, the newest first. Raises ValidationError."""
    size = _checked_page_size(page_size)
    orders = _visible(user, statuses).order_by("-pk")
    if page_token:
        orders = orders.filter(pk__lt=decode_token("order", page_token, field="page_token"))
    # Before the orders are read: a change in between is then seen twice rather than never.
    position = newest_position()
    return OrderPage(*_page("order", orders, size), resume_token(position))


def all_orders(user: AbstractBaseUser, statuses: Sequence[OrderStatus] = ()) -> Iterator[Order]:
    """Gives all orders that the user may see, the oldest first, and holds a few at a time.

    Asks for one chunk after the other, because a cursor that is open as long as a slow reader wants would keep a
    transaction open in the database.
    """
    orders, last = _visible(user, statuses).order_by("pk"), 0
    while chunk := list(orders.filter(pk__gt=last)[:STREAM_CHUNK]):
        last = chunk[-1].pk
        yield from chunk


def place_order(customer: AbstractBaseUser, quantities: Sequence[tuple[int, int]], idempotency_key: str) -> Order:
    """Buys: `quantities` are pairs of product id and quantity. Gives the first call's order to a repeated call.

    Raises PermissionDenied, ValidationError, OutOfStockError and KeyReusedError.
    """
    if not getattr(customer, "is_customer", False):
        raise PermissionDenied("Only customers place orders.")
    _check_items(quantities)
    _check_key(idempotency_key)
    wanted = dict(quantities)
    fingerprint = hashlib.sha256(json.dumps(sorted(wanted.items())).encode()).hexdigest()
    try:
        order = _place(customer, wanted, idempotency_key, fingerprint)
    except IntegrityError:  # a call with the same key and other products has been faster
        before = _placed_before(customer, idempotency_key, fingerprint)
        if before is None:
            raise
        order = before
    return get_order(customer, order.pk)


@transaction.atomic(durable=True)
def _place(customer: AbstractBaseUser, wanted: Mapping[int, int], key: str, fingerprint: str) -> Order:
    products = _locked_products(wanted)
    # Looked up behind the locks, where a first call with these products is either not begun or committed.
    if (before := _placed_before(customer, key, fingerprint)) is not None:
        return before
    _check_stock(products, wanted)
    now = timezone.now()
    order = Order.objects.create(
        customer_id=customer.pk,
        created_at=now,
        updated_at=now,
        total_cents=sum(product.price_cents * wanted[product.pk] for product in products.values()),
        idempotency_key=key,
        request_fingerprint=fingerprint,
    )
    OrderItem.objects.bulk_create(
        OrderItem(
            order=order,
            product=products[product_id],
            product_name=products[product_id].name,
            unit_price_cents=products[product_id].price_cents,
            quantity=quantity,
        )
        for product_id, quantity in wanted.items()
    )
    _move_stock(products, {product_id: -quantity for product_id, quantity in wanted.items()})
    record_event(order, None)
    return order


def cancel_order(user: AbstractBaseUser, order_id: int) -> Order:
    """Ends an order that the user may see. Raises Order.DoesNotExist and IllegalStepError."""
    if not Order.objects.visible_to(user).filter(pk=order_id).exists():
        raise Order.DoesNotExist
    return move_order(order_id, OrderStatus.CANCELLED)


def move_order(order_id: int, status: OrderStatus) -> Order:
    """Gives an order its next status; a cancelled one's items go back to stock. For staff.

    Raises Order.DoesNotExist and IllegalStepError.
    """
    with transaction.atomic(durable=True):
        order = Order.objects.select_for_update(of=("self",)).with_details().get(pk=order_id)
        previous = OrderStatus(order.status)
        if status not in STEPS[previous]:
            raise IllegalStepError(f"An order that is {previous} cannot become {status}.")
        order.status, order.version, order.updated_at = status, order.version + 1, timezone.now()
        order.save(update_fields=["status", "version", "updated_at"])
        if status is OrderStatus.CANCELLED:
            returned = {item.product_id: item.quantity for item in order.items.all()}
            _move_stock(_locked_products(returned), returned)
        record_event(order, previous)
    return order


def next_status(status: OrderStatus) -> OrderStatus | None:
    """Gives where an order goes from there if nothing goes wrong, None if it is through."""
    return next((step for step in STEPS[status] if step is not OrderStatus.CANCELLED), None)


def restock(product_id: int, quantity: int) -> None:
    """Adds to a product's stock. Raises Product.DoesNotExist."""
    if not Product.objects.filter(pk=product_id).update(stock=F("stock") + quantity):
        raise Product.DoesNotExist


def _locked_products(ids: Mapping[int, Any]) -> dict[int, Product]:
    """Always in the same order, so that no two transactions wait for each other."""
    return {product.pk: product for product in Product.objects.select_for_update().filter(pk__in=ids).order_by("pk")}


def _move_stock(products: Mapping[int, Product], changes: Mapping[int, int]) -> None:
    """For products that are locked. The database's CHECK refuses what would sell more than there is."""
    for product_id, change in changes.items():
        products[product_id].stock += change
    Product.objects.bulk_update(products.values(), ["stock"])


def _placed_before(customer: AbstractBaseUser, key: str, fingerprint: str) -> Order | None:
    order = Order.objects.filter(customer_id=customer.pk, idempotency_key=key).first()
    if order is not None and order.request_fingerprint != fingerprint:
        raise KeyReusedError("This idempotency key has placed an order of other items.")
    return order


def _check_items(quantities: Sequence[tuple[int, int]]) -> None:
    if not 1 <= len(quantities) <= MAX_ITEMS:
        raise _invalid({"items": ("out_of_range", f"An order has 1 to {MAX_ITEMS} items.")})
    errors: dict[str, tuple[str, str]] = {}
    times = Counter(product_id for product_id, _ in quantities)
    for index, (product_id, quantity) in enumerate(quantities):
        if times[product_id] > 1:
            errors[f"items[{index}].product_id"] = "not_unique", "An order names each product once."
        if not 1 <= quantity <= MAX_QUANTITY:
            errors[f"items[{index}].quantity"] = "out_of_range", f"The quantity is 1 to {MAX_QUANTITY}."
    if errors:
        raise _invalid(errors)


def _check_key(key: str) -> None:
    if not MIN_KEY_CHARACTERS <= len(key) <= MAX_KEY_CHARACTERS or not key.isprintable():
        length = f"{MIN_KEY_CHARACTERS} to {MAX_KEY_CHARACTERS}"
        raise _invalid({"idempotency_key": ("invalid", f"The idempotency key is {length} printable characters.")})


def _check_stock(products: Mapping[int, Product], wanted: Mapping[int, int]) -> None:
    errors: dict[str, tuple[str, str]] = {}
    shortages = []
    for index, (product_id, quantity) in enumerate(wanted.items()):
        product = products.get(product_id)
        if product is None or not product.is_active:
            errors[f"items[{index}].product_id"] = "not_found", "There is no such product."
        elif product.stock < quantity:
            shortages.append(Shortage(product, quantity))
    if errors:
        raise _invalid(errors)
    if shortages:
        raise OutOfStockError(shortages)


def _invalid(errors: Mapping[str, tuple[str, str]]) -> ValidationError:
    """Gives the error that tells of each field a code for programs and a sentence for people."""
    return ValidationError({field: ValidationError(message, code=code) for field, (code, message) in errors.items()})


def _visible(user: AbstractBaseUser, statuses: Sequence[OrderStatus]) -> QuerySet[Order]:
    orders = Order.objects.visible_to(user).with_details()
    return orders.filter(status__in=statuses) if statuses else orders


def _checked_page_size(page_size: int) -> int:
    if page_size < 0:
        raise _invalid({"page_size": ("min_value", "A page size cannot be negative.")})
    return min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def _page(kind: str, rows: QuerySet[Any], size: int) -> tuple[list[Any], str]:
    """One row more than the page has tells whether there is another page."""
    found = list(rows[: size + 1])
    page = found[:size]
    return page, encode_token(kind, page[-1].pk) if len(found) > size else ""
