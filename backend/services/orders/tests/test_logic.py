"""The rules of the shop."""

from __future__ import annotations

import itertools

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction

from services.orders import logic
from services.orders.models import Order, OrderEvent, OrderStatus, Product
from services.orders.tests.shop import bring_to, make_customer, make_product, make_staff, new_key, place

pytestmark = pytest.mark.django_db

LEGAL = {
    ("placed", "paid"),
    ("placed", "cancelled"),
    ("paid", "packed"),
    ("paid", "cancelled"),
    ("packed", "shipped"),
    ("packed", "cancelled"),
    ("shipped", "delivered"),
}


def stock_of(product: Product) -> int:
    return Product.objects.get(pk=product.pk).stock


# Placing.


def test_an_order_takes_stock_and_keeps_name_and_price():
    customer, tea, cup = make_customer(), make_product(10, 1999, name="Tea"), make_product(5, 1, name="Cup")
    order = logic.place_order(customer, [(cup.pk, 5), (tea.pk, 3)], new_key())
    Product.objects.filter(pk=tea.pk).update(name="Better tea", price_cents=5000)
    order = logic.get_order(customer, order.pk)
    assert [(i.product_id, i.product_name, i.unit_price_cents, i.quantity) for i in order.items.all()] == [
        (cup.pk, "Cup", 1, 5),
        (tea.pk, "Tea", 1999, 3),
    ]
    assert (order.total_cents, order.status, order.version) == (6002, "placed", 1)
    assert order.created_at == order.updated_at
    assert (stock_of(tea), stock_of(cup)) == (7, 0)


def test_totals_are_exact_at_the_upper_end():
    customer = make_customer()
    dear = [make_product(99, 2_000_000_000 - 1 - index) for index in range(logic.MAX_ITEMS)]
    order = place(customer, *dear, quantity=99)
    assert Order.objects.get(pk=order.pk).total_cents == sum(99 * product.price_cents for product in dear)


def test_too_little_stock_changes_nothing_and_names_every_shortage():
    customer, enough, few, none = make_customer(), make_product(10), make_product(2), make_product(0)
    with pytest.raises(logic.OutOfStockError) as caught:
        place(customer, none, enough, few, quantity=3)
    assert [(s.product, s.product.stock, s.wanted) for s in caught.value.shortages] == [(none, 0, 3), (few, 2, 3)]
    assert (stock_of(enough), stock_of(few), stock_of(none)) == (10, 2, 0)
    assert not Order.objects.exists()
    assert not OrderEvent.objects.exists()


def test_the_database_refuses_a_stock_below_zero():
    product = make_product(1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Product.objects.filter(pk=product.pk).update(stock=-1)


def test_only_customers_buy():
    with pytest.raises(PermissionDenied):
        place(make_staff())


@pytest.mark.parametrize(
    ("quantities", "fields"),
    [
        ([], {"items"}),
        ([(1, 1)] * (logic.MAX_ITEMS + 1), {"items"}),
        ([(1, 0)], {"items[0].quantity"}),
        ([(1, -1), (2, 100), (3, 99)], {"items[0].quantity", "items[1].quantity"}),
        ([(1, 1), (2, 1), (1, 2)], {"items[0].product_id", "items[2].product_id"}),
    ],
)
def test_items_that_are_no_order(quantities: list[tuple[int, int]], fields: set[str]):
    with pytest.raises(ValidationError) as caught:
        logic.place_order(make_customer(), quantities, new_key())
    assert set(caught.value.message_dict) == fields


@pytest.mark.parametrize("key", ["", "x" * 7, "x" * 65, "with\0null", "new\nline "])
def test_keys_that_are_none(key: str):
    with pytest.raises(ValidationError) as caught:
        logic.place_order(make_customer(), [(make_product().pk, 1)], key)
    assert set(caught.value.message_dict) == {"idempotency_key"}


@pytest.mark.parametrize("key", ["x" * 8, "x" * 64, "größer 😀"])
def test_keys_at_the_bounds(key: str):
    assert place(make_customer(), key=key).idempotency_key == key


def test_products_that_are_not_for_sale():
    customer, gone, tea = make_customer(), make_product(is_active=False), make_product()
    with pytest.raises(ValidationError) as caught:
        logic.place_order(customer, [(tea.pk, 1), (gone.pk, 1), (2**62, 1), (-1, 1)], new_key())
    assert set(caught.value.message_dict) == {f"items[{index}].product_id" for index in (1, 2, 3)}
    assert stock_of(tea) == 100


def test_a_repeated_call_gives_the_first_order():
    customer, tea, cup, key = make_customer(), make_product(1), make_product(1), new_key()
    first = logic.place_order(customer, [(tea.pk, 1), (cup.pk, 1)], key)
    logic.move_order(first.pk, OrderStatus.PAID)
    Product.objects.filter(pk=tea.pk).update(is_active=False)
    # In another order too, and although nothing is left of either.
    again = logic.place_order(customer, [(cup.pk, 1), (tea.pk, 1)], key)
    assert (again.pk, again.status) == (first.pk, "paid")
    assert Order.objects.count() == 1


def test_a_key_belongs_to_its_items_and_its_customer():
    customer, tea, key = make_customer(), make_product(), new_key()
    place(customer, tea, key=key)
    for others in ([(tea.pk, 2)], [(make_product().pk, 1)]):
        with pytest.raises(logic.KeyReusedError):
            logic.place_order(customer, others, key)
    assert place(make_customer(), tea, quantity=2, key=key).total_cents == 2500
    assert stock_of(tea) == 97


# Moving on.


@pytest.mark.parametrize(("start", "end"), list(itertools.product(OrderStatus, OrderStatus)))
def test_every_step(start: OrderStatus, end: OrderStatus):
    order = bring_to(place(make_customer()), start)
    if (start, end) in LEGAL:
        moved = logic.move_order(order.pk, end)
        assert (moved.status, moved.version) == (end, order.version + 1)
        assert moved.updated_at > order.updated_at
        return
    with pytest.raises(logic.IllegalStepError, match=f"An order that is {start} cannot become {end}"):
        logic.move_order(order.pk, end)
    unchanged = Order.objects.get(pk=order.pk)
    assert (unchanged.status, unchanged.version) == (start, order.version)


def test_the_steps_know_every_status():
    assert set(logic.STEPS) == set(OrderStatus)


def test_the_next_status():
    ways = [logic.next_status(status) for status in OrderStatus]
    assert ways == ["paid", "packed", "shipped", "delivered", None, None]


def test_cancelling_returns_the_items():
    customer, tea, cup = make_customer(), make_product(3), make_product(9)
    order = place(customer, tea, cup, quantity=3)
    assert logic.cancel_order(customer, order.pk).status == "cancelled"
    assert (stock_of(tea), stock_of(cup)) == (3, 9)
    with pytest.raises(logic.IllegalStepError):
        logic.cancel_order(customer, order.pk)
    assert stock_of(tea) == 3


def test_nobody_cancels_somebody_elses_order():
    order = place(make_customer())
    for order_id in (order.pk, order.pk + 1, -1, 2**62):
        with pytest.raises(Order.DoesNotExist):
            logic.cancel_order(make_customer(), order_id)
    assert logic.cancel_order(make_staff(), order.pk).status == "cancelled"


def test_restocking():
    product = make_product(1)
    logic.restock(product.pk, 10)
    assert stock_of(product) == 11


# Reading.


def test_who_sees_which_orders():
    owner, other, staff = make_customer(), make_customer(), make_staff()
    order = place(owner)
    assert logic.get_order(owner, order.pk) == logic.get_order(staff, order.pk) == order
    with pytest.raises(Order.DoesNotExist):
        logic.get_order(other, order.pk)
    for read in (lambda user: list(logic.all_orders(user)), lambda user: logic.list_orders(user).orders):
        assert (read(owner), read(other), read(staff)) == ([order], [], [order])


def test_pages_of_orders_are_stable_while_new_ones_come():
    customer = make_customer()
    orders = [place(customer) for _ in range(5)]
    first = logic.list_orders(customer, 2)
    place(customer)
    second = logic.list_orders(customer, 2, first.next_page_token)
    third = logic.list_orders(customer, 2, second.next_page_token)
    assert [*first.orders, *second.orders, *third.orders] == orders[::-1]
    assert third.next_page_token == ""


def test_a_page_that_is_full_and_the_last():
    customer = make_customer()
    orders = [place(customer) for _ in range(2)]
    page = logic.list_orders(customer, 2)
    assert (page.orders, page.next_page_token) == (orders[::-1], "")


def test_orders_of_some_statuses():
    customer = make_customer()
    by_status = {status: bring_to(place(customer), status) for status in OrderStatus}
    wanted = [OrderStatus.PAID, OrderStatus.SHIPPED]
    expected = [by_status[status] for status in wanted]
    assert list(logic.all_orders(customer, wanted)) == expected
    assert logic.list_orders(customer, statuses=wanted).orders == expected[::-1]


def test_pages_of_products():
    names = ["apple", "Banana", "cherry", "Date", "elder"]
    for name in names:
        make_product(name=name)
    make_product(name="hidden", is_active=False)
    seen, token = [], ""
    while True:
        page = logic.list_products(2, token)
        assert len(page.products) <= 2
        seen += [product.name for product in page.products]
        token = page.next_page_token
        if not token:
            break
    assert sorted(seen) == sorted(names)
    assert seen == [product.name for product in Product.objects.filter(is_active=True)]


@pytest.mark.parametrize(("size", "given"), [(0, 20), (1, 1), (100, 100), (101, 100), (2**31 - 1, 100)])
def test_page_sizes(size: int, given: int):
    Product.objects.bulk_create(Product(name=f"{number:03}", price_cents=1) for number in range(105))
    assert len(logic.list_products(size).products) == given


def test_page_sizes_that_are_none():
    for read in (logic.list_products, lambda size: logic.list_orders(make_staff(), size)):
        with pytest.raises(ValidationError) as caught:
            read(-1)
        assert set(caught.value.message_dict) == {"page_size"}


def test_tokens_of_pages_are_for_their_list():
    for _ in range(2):
        make_product()
    token = logic.list_products(1).next_page_token
    for bad in (token, "?", "x" * 10_000):
        with pytest.raises(ValidationError) as caught:
            logic.list_orders(make_staff(), page_token=bad)
        assert set(caught.value.message_dict) == {"page_token"}


# How much is asked of the database.


@pytest.mark.parametrize("count", [1, 7])
def test_queries_do_not_grow_with_the_rows(count: int, django_assert_num_queries):
    customer = make_customer()
    products = [make_product() for _ in range(count)]
    orders = [place(customer, *products) for _ in range(count)]
    with django_assert_num_queries(3):  # the newest event, orders with customers, items
        page = logic.list_orders(customer)
    with django_assert_num_queries(2):
        order = logic.get_order(customer, orders[0].pk)
    with django_assert_num_queries(3):  # orders, items, and no orders any more
        everything = list(logic.all_orders(customer))
    with django_assert_num_queries(1):
        logic.list_products()
    with django_assert_num_queries(0):
        assert all(len(o.items.all()) == count and o.customer.email for o in [order, *page.orders, *everything])


@pytest.mark.parametrize("count", [1, 7])
def test_queries_of_a_change(count: int, django_assert_max_num_queries):
    customer, products = make_customer(), [make_product() for _ in range(count)]
    with django_assert_max_num_queries(14):
        order = place(customer, *products)
    with django_assert_max_num_queries(10):
        logic.cancel_order(customer, order.pk)


def test_a_stream_holds_one_chunk_at_a_time(monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(logic, "STREAM_CHUNK", 2)
    customer = make_customer()
    placed = [place(customer) for _ in range(5)]
    orders = logic.all_orders(customer)
    with django_assert_num_queries(2):
        assert [next(orders), next(orders)] == placed[:2]
    # What comes while the stream is read belongs to it.
    placed.append(place(customer))
    assert list(orders) == placed[2:]
