"""Products and orders in the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from services.orders import history, logic
from services.orders.models import Order, OrderStatus, Product
from services.orders.tests.shop import bring_to, make_customer, make_product, make_staff, place

pytestmark = pytest.mark.django_db

PRODUCTS = "admin:orders_product_changelist"
ORDERS = "admin:orders_order_changelist"


@pytest.fixture
def admin_site(client: Client) -> Client:
    """A client whose session is an administrator's."""
    client.force_login(get_user_model()._default_manager.create_superuser("root@example.com", "password"))
    return client


def act(site: Client, page: str, action: str, *rows: Any) -> list[str]:
    """Does something with rows of a list. Gives what is said about it."""
    form = {"action": action, "_selected_action": [row.pk for row in rows]}
    response = site.post(reverse(page), form, follow=True)
    assert response.status_code == 200
    return [str(message) for message in response.context["messages"]]


def shown(site: Client, page: str, **query: str) -> list[Any]:
    """The rows of a list."""
    response = site.get(reverse(page), query)
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


def test_a_new_product(admin_site: Client):
    form = {"name": "Tea", "description": "Green.", "price": "19.99", "add_to_stock": "5", "is_active": "on"}
    assert admin_site.get(reverse("admin:orders_product_add")).status_code == 200
    assert admin_site.post(reverse("admin:orders_product_add"), form).status_code == 302
    product = Product.objects.get()
    assert (product.name, product.price_cents, product.stock, product.is_active) == ("Tea", 1999, 5, True)


def test_changing_a_product_while_somebody_buys(admin_site: Client):
    product = make_product(10, 1999, name="Tea")
    page = reverse("admin:orders_product_change", args=[product.pk])
    opened = admin_site.get(page)
    assert "19.99" in opened.content.decode()
    place(make_customer(), product, quantity=4)
    form = {"name": "Better tea", "description": "", "price": "20.10", "add_to_stock": "2", "is_active": "on"}
    assert admin_site.post(page, form).status_code == 302
    product.refresh_from_db()
    assert (product.name, product.price_cents, product.stock) == ("Better tea", 2010, 8)


@pytest.mark.parametrize("fields", [{"price": "-1"}, {"price": "1.234"}, {"add_to_stock": "-1"}, {"name": ""}])
def test_products_that_cannot_be(admin_site: Client, fields: dict[str, str]):
    form = {"name": "Tea", "description": "", "price": "1", "add_to_stock": "0"} | fields
    response = admin_site.post(reverse("admin:orders_product_add"), form)
    assert set(response.context["adminform"].form.errors) == set(fields)
    assert not Product.objects.exists()


def test_lists_of_products(admin_site: Client):
    none, few, many = make_product(0, name="A"), make_product(9, name="B"), make_product(10, name="C")
    assert shown(admin_site, PRODUCTS) == [none, few, many]
    assert shown(admin_site, PRODUCTS, stock="none") == [none]
    assert shown(admin_site, PRODUCTS, stock="low") == [none, few]
    act(admin_site, PRODUCTS, "withdraw", none, few)
    assert shown(admin_site, PRODUCTS, is_active__exact="1") == [many]
    act(admin_site, PRODUCTS, "offer", few)
    assert shown(admin_site, PRODUCTS, is_active__exact="1") == [few, many]


def test_lists_of_orders(admin_site: Client, django_assert_max_num_queries: Any):
    customer = make_customer(email="ada@example.com")  # has no digit: ids are looked for as well
    orders = [place(customer, make_product(name=name)) for name in ("Tea", "Cup", "Tray", "Pot", "Lamp")]
    logic.move_order(orders[0].pk, OrderStatus.PAID)
    with django_assert_max_num_queries(12):
        assert shown(admin_site, ORDERS) == orders[::-1]
    assert shown(admin_site, ORDERS, status__exact="paid") == [orders[0]]
    assert shown(admin_site, ORDERS, q="pot") == [orders[3]]
    assert shown(admin_site, ORDERS, q=str(orders[2].pk)) == [orders[2]]
    assert shown(admin_site, ORDERS, q="ada@") == orders[::-1]


def test_an_order_can_be_looked_at_only(admin_site: Client):
    order = bring_to(place(make_customer(), make_product(name="Tea", price_cents=1999)), OrderStatus.PAID)
    page = reverse("admin:orders_order_change", args=[order.pk])
    content = admin_site.get(page).content.decode()
    assert "19.99 EUR" in content
    assert "Tea" in content
    admin_site.post(page, {"status": "delivered", "version": "7"})
    assert Order.objects.get().status == "paid"
    assert admin_site.get(reverse("admin:orders_order_add")).status_code == 403
    assert admin_site.get(reverse("admin:orders_order_delete", args=[order.pk])).status_code == 403


def test_moving_orders_on(admin_site: Client):
    customer = make_customer()
    by_status = {status: bring_to(place(customer), status) for status in OrderStatus}
    said = act(admin_site, ORDERS, "move_on", *by_status.values())
    assert said[-1] == "4 orders changed."
    assert len(said) == 3
    after = {order.pk: order.status for order in Order.objects.all()}
    assert [after[by_status[status].pk] for status in OrderStatus] == [
        "paid", "packed", "shipped", "delivered", "delivered", "cancelled",
    ]  # fmt: skip
    last = history.newest_updates(4)
    assert [(u.previous_status, u.order.status) for u in last] == [
        ("placed", "paid"), ("paid", "packed"), ("packed", "shipped"), ("shipped", "delivered"),
    ]  # fmt: skip


def test_cancelling_orders(admin_site: Client):
    customer, product = make_customer(), make_product(5)
    placed, shipped = place(customer, product), bring_to(place(customer, product), OrderStatus.SHIPPED)
    assert act(admin_site, ORDERS, "cancel", placed, shipped) == [
        f"Order {shipped.pk}: An order that is shipped cannot become cancelled.",
        "1 order changed.",
    ]
    assert Product.objects.get().stock == 4


def test_who_may_only_look_changes_nothing(client: Client):
    staff = make_staff()
    staff.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(staff)
    order = place(make_customer())
    act(client, ORDERS, "move_on", order)
    assert Order.objects.get().status == "placed"
    assert client.get(reverse(PRODUCTS)).status_code == 403
