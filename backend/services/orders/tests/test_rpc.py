"""The servicer over gRPC-Web, through the bridge and generated stubs: each method, with each status it can give.

`StreamOrderUpdates` has `test_rpc_stream`.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, PreconditionFailure
from google.type.money_pb2 import Money
from grpc_status import rpc_status

from generated.orders.v1 import orders_pb2 as pb
from generated.orders.v1.orders_pb2_grpc import OrderServiceStub
from grpc_bridge.testing import Client
from services.orders import logic
from services.orders.models import Order, OrderStatus, Product
from services.orders.tests.shop import bring_to, make_customer, make_product, make_staff, new_key, place

pytestmark = pytest.mark.django_db

Code = grpc.StatusCode
KEY = "one-key-for-each-test"


@pytest.fixture
def client() -> Client:
    """A browser without a session."""
    return Client()


@pytest.fixture
def rpcs(client: Client) -> OrderServiceStub:
    """Calls as whoever `client` is logged in as."""
    return OrderServiceStub(client)


@pytest.fixture
def as_customer(client: Client) -> Any:
    """A customer is logged in."""
    customer = make_customer()
    client.force_login(customer)
    return customer


@pytest.fixture
def as_staff(client: Client) -> Any:
    """Somebody of the staff is logged in."""
    staff = make_staff()
    client.force_login(staff)
    return staff


def made(call: Any, request: Any) -> Any:
    """Gives the answer of a call, or all answers of one that streams."""
    answer = call(request)
    return answer if hasattr(answer, "DESCRIPTOR") else list(answer)


def failure(call: Any, request: Any) -> tuple[grpc.StatusCode, str]:
    """Gives the code and the message that a call fails with."""
    with pytest.raises(grpc.RpcError) as caught:
        made(call, request)
    return caught.value.code(), caught.value.details()


def detail(call: Any, request: Any, message: Any) -> Any:
    """Gives the one detail of the status that a call fails with."""
    with pytest.raises(grpc.RpcError) as caught:
        call(request)
    status = rpc_status.from_call(caught.value)
    assert status is not None
    assert (status.code, status.message) == (caught.value.code().value[0], caught.value.details())
    (packed,) = status.details
    assert packed.Unpack(message)
    return message


def violations(call: Any, request: Any) -> dict[str, str]:
    """Gives the field violations that a call fails with: the reason by the field."""
    found = detail(call, request, BadRequest()).field_violations
    assert all(violation.description for violation in found)
    return {violation.field: violation.reason for violation in found}


def order_request(*goods: tuple[int, int], key: str = KEY) -> pb.PlaceOrderRequest:
    """A request for goods: pairs of product id and quantity."""
    items = [pb.PlaceOrderItem(product_id=product_id, quantity=quantity) for product_id, quantity in goods]
    return pb.PlaceOrderRequest(items=items, idempotency_key=key)


# Who may call.

FOR_EVERYBODY = {"ListProducts"}
FOR_STAFF = {"UpdateOrderStatus"}
METHODS = [method.name for method in pb.DESCRIPTOR.services_by_name["OrderService"].methods]


@pytest.mark.parametrize("method", [name for name in METHODS if name not in FOR_EVERYBODY])
def test_who_is_not_known_is_told_so(rpcs: OrderServiceStub, method: str):
    assert failure(getattr(rpcs, method), getattr(pb, f"{method}Request")())[0] is Code.UNAUTHENTICATED


def test_the_catalogue_is_open(rpcs: OrderServiceStub):
    assert rpcs.ListProducts(pb.ListProductsRequest()) == pb.ListProductsResponse()


@pytest.mark.parametrize("method", sorted(FOR_STAFF))
def test_what_is_for_staff(rpcs: OrderServiceStub, as_customer: Any, method: str):
    request = getattr(pb, f"{method}Request")()
    assert failure(getattr(rpcs, method), request) == (Code.PERMISSION_DENIED, "Permission denied")


def test_statuses_have_the_names_of_the_contract():
    names = {f"ORDER_STATUS_{status.name}" for status in OrderStatus} | {"ORDER_STATUS_UNSPECIFIED"}
    assert names == set(pb.OrderStatus.keys())


# ListProducts


def test_list_products(rpcs: OrderServiceStub, django_assert_num_queries: Any):
    tea = make_product(7, 1999, name="Tea", description="Green.")
    make_product(1, 5, name="Cup")
    make_product(name="Hidden", is_active=False)
    with django_assert_num_queries(1):
        first = rpcs.ListProducts(pb.ListProductsRequest(page_size=1))
    second = rpcs.ListProducts(pb.ListProductsRequest(page_size=1, page_token=first.next_page_token))
    assert [product.name for product in first.products] == ["Cup"]
    assert first.products[0].price == Money(currency_code="EUR", units=0, nanos=50_000_000)
    price = Money(currency_code="EUR", units=19, nanos=990_000_000)
    assert second.products == [pb.Product(id=tea.pk, name="Tea", description="Green.", price=price, stock=7)]
    assert second.next_page_token == ""


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({"page_size": -1}, {"page_size": "MIN_VALUE"}), ({"page_token": "no"}, {"page_token": "INVALID"})],
)
def test_lists_that_cannot_be(rpcs: OrderServiceStub, as_customer: Any, fields: Any, expected: dict[str, str]):
    assert violations(rpcs.ListProducts, pb.ListProductsRequest(**fields)) == expected
    assert violations(rpcs.ListOrders, pb.ListOrdersRequest(**fields)) == expected


# PlaceOrder


def test_place_order(rpcs: OrderServiceStub, as_customer: Any):
    tea, cup = make_product(7, 1999, name="Tea"), make_product(1, 5, name="Cup")
    order = rpcs.PlaceOrder(order_request((tea.pk, 3), (cup.pk, 1))).order
    stored = Order.objects.get()
    assert order == pb.Order(
        id=stored.pk,
        status=pb.ORDER_STATUS_PLACED,
        items=[
            pb.OrderItem(
                product_id=tea.pk,
                product_name="Tea",
                quantity=3,
                unit_price=Money(currency_code="EUR", units=19, nanos=990_000_000),
            ),
            pb.OrderItem(
                product_id=cup.pk,
                product_name="Cup",
                quantity=1,
                unit_price=Money(currency_code="EUR", nanos=50_000_000),
            ),
        ],
        total=Money(currency_code="EUR", units=60, nanos=20_000_000),
        customer_email=as_customer.email,
        created_at=order.created_at,
        updated_at=order.updated_at,
        version=1,
    )
    assert order.created_at.ToDatetime(UTC) == stored.created_at
    assert rpcs.GetOrder(pb.GetOrderRequest(id=order.id)).order == order


def test_a_retried_call_gives_the_first_order(rpcs: OrderServiceStub, as_customer: Any):
    request = order_request((make_product(1).pk, 1))
    assert rpcs.PlaceOrder(request) == rpcs.PlaceOrder(request)
    assert Order.objects.count() == 1


def test_a_key_for_other_items(rpcs: OrderServiceStub, as_customer: Any):
    product = make_product()
    rpcs.PlaceOrder(order_request((product.pk, 1)))
    code, message = failure(rpcs.PlaceOrder, order_request((product.pk, 2)))
    assert (code, message) == (Code.ALREADY_EXISTS, "This idempotency key has placed an order of other items.")


def test_too_little_in_stock(rpcs: OrderServiceStub, as_customer: Any):
    tea, cup, tray = make_product(2, name="Tea"), make_product(0, name="Cup"), make_product(9)
    request = order_request((tea.pk, 3), (tray.pk, 1), (cup.pk, 1))
    assert failure(rpcs.PlaceOrder, request) == (Code.FAILED_PRECONDITION, "There is not enough in stock.")
    assert detail(rpcs.PlaceOrder, request, PreconditionFailure()) == PreconditionFailure(
        violations=[
            PreconditionFailure.Violation(
                type="STOCK", subject=f"products/{tea.pk}", description="Tea: 3 wanted, 2 in stock"
            ),
            PreconditionFailure.Violation(
                type="STOCK", subject=f"products/{cup.pk}", description="Cup: 1 wanted, 0 in stock"
            ),
        ]
    )


@pytest.mark.parametrize(
    ("request_message", "expected"),
    [
        (order_request(), {"items": "OUT_OF_RANGE"}),
        (order_request((1, 0), (2, 100)), {"items[0].quantity": "OUT_OF_RANGE", "items[1].quantity": "OUT_OF_RANGE"}),
        (order_request((1, 1), (1, 1)), {"items[0].product_id": "NOT_UNIQUE", "items[1].product_id": "NOT_UNIQUE"}),
        (order_request((2**62, 1)), {"items[0].product_id": "NOT_FOUND"}),
        (order_request((1, 1), key="short"), {"idempotency_key": "INVALID"}),
    ],
)
def test_orders_that_cannot_be(
    rpcs: OrderServiceStub, as_customer: Any, request_message: pb.PlaceOrderRequest, expected: dict[str, str]
):
    assert violations(rpcs.PlaceOrder, request_message) == expected


def test_who_is_no_customer_buys_nothing(rpcs: OrderServiceStub, as_staff: Any):
    request = order_request((make_product().pk, 1))
    assert failure(rpcs.PlaceOrder, request) == (Code.PERMISSION_DENIED, "Permission denied")


# GetOrder, ListOrders, GetOrders


def test_somebody_elses_order(rpcs: OrderServiceStub, as_customer: Any):
    order = place(make_customer())
    for call, request in (
        (rpcs.GetOrder, pb.GetOrderRequest(id=order.pk)),
        (rpcs.GetOrder, pb.GetOrderRequest(id=-1)),
        (rpcs.CancelOrder, pb.CancelOrderRequest(id=order.pk)),
        (rpcs.CancelOrder, pb.CancelOrderRequest(id=2**63 - 1)),
    ):
        assert failure(call, request) == (Code.NOT_FOUND, "Not found")


def test_list_orders(rpcs: OrderServiceStub, as_customer: Any):
    orders = [place(as_customer) for _ in range(3)]
    place(make_customer())
    first = rpcs.ListOrders(pb.ListOrdersRequest(page_size=2))
    second = rpcs.ListOrders(pb.ListOrdersRequest(page_size=2, page_token=first.next_page_token))
    assert [order.id for order in (*first.orders, *second.orders)] == [order.pk for order in orders[::-1]]
    assert (second.next_page_token, second.resume_token) == ("", first.resume_token)


def test_get_orders(rpcs: OrderServiceStub, as_customer: Any):
    orders = [place(as_customer) for _ in range(3)]
    place(make_customer())
    streamed = [response.order for response in rpcs.GetOrders(pb.GetOrdersRequest())]
    assert streamed == [rpcs.GetOrder(pb.GetOrderRequest(id=order.pk)).order for order in orders]


def test_orders_of_some_statuses(rpcs: OrderServiceStub, as_staff: Any):
    customer = make_customer()
    by_status = {status: bring_to(place(customer), status) for status in OrderStatus}
    statuses = [pb.ORDER_STATUS_PACKED, pb.ORDER_STATUS_CANCELLED]
    expected = [by_status[OrderStatus.PACKED].pk, by_status[OrderStatus.CANCELLED].pk]
    assert [order.id for order in rpcs.ListOrders(pb.ListOrdersRequest(statuses=statuses)).orders] == expected[::-1]
    assert [answer.order.id for answer in rpcs.GetOrders(pb.GetOrdersRequest(statuses=statuses))] == expected


@pytest.mark.parametrize("status", [0, 7, -1])
def test_statuses_that_there_are_not(rpcs: OrderServiceStub, as_staff: Any, status: Any):
    expected = "INVALID_CHOICE"
    assert violations(rpcs.ListOrders, pb.ListOrdersRequest(statuses=[status])) == {"statuses": expected}
    assert failure(rpcs.GetOrders, pb.GetOrdersRequest(statuses=[status]))[0] is Code.INVALID_ARGUMENT
    assert violations(rpcs.UpdateOrderStatus, pb.UpdateOrderStatusRequest(id=1, status=status)) == {"status": expected}


@pytest.mark.parametrize("count", [1, 20])
def test_queries_do_not_grow_with_the_orders(
    rpcs: OrderServiceStub, as_customer: Any, count: int, django_assert_num_queries: Any
):
    products = [make_product() for _ in range(3)]
    orders = [place(as_customer, *products) for _ in range(count)]
    with django_assert_num_queries(2 + 3):  # session, user; the newest event, orders, items
        assert len(rpcs.ListOrders(pb.ListOrdersRequest()).orders) == count
    with django_assert_num_queries(2 + 2):
        rpcs.GetOrder(pb.GetOrderRequest(id=orders[0].pk))
    with django_assert_num_queries(2 + 3):  # the last asks whether there are more
        assert len(list(rpcs.GetOrders(pb.GetOrdersRequest()))) == count


# CancelOrder, UpdateOrderStatus


def test_cancel_order(rpcs: OrderServiceStub, as_customer: Any):
    product = make_product(5)
    order = rpcs.CancelOrder(pb.CancelOrderRequest(id=place(as_customer, product).pk)).order
    assert (order.status, order.version) == (pb.ORDER_STATUS_CANCELLED, 2)
    assert Product.objects.get(pk=product.pk).stock == 5
    again = failure(rpcs.CancelOrder, pb.CancelOrderRequest(id=order.id))
    assert again == (Code.FAILED_PRECONDITION, "An order that is cancelled cannot become cancelled.")


def test_an_order_that_is_shipped_cannot_be_cancelled(rpcs: OrderServiceStub, as_customer: Any):
    order = bring_to(place(as_customer), OrderStatus.SHIPPED)
    code, message = failure(rpcs.CancelOrder, pb.CancelOrderRequest(id=order.pk))
    assert (code, message) == (Code.FAILED_PRECONDITION, "An order that is shipped cannot become cancelled.")


def test_update_order_status(rpcs: OrderServiceStub, as_staff: Any):
    order = place(make_customer())
    paid = rpcs.UpdateOrderStatus(pb.UpdateOrderStatusRequest(id=order.pk, status=pb.ORDER_STATUS_PAID)).order
    assert (paid.status, paid.version) == (pb.ORDER_STATUS_PAID, 2)
    assert paid.updated_at.ToDatetime(UTC) == Order.objects.get().updated_at
    illegal = pb.UpdateOrderStatusRequest(id=order.pk, status=pb.ORDER_STATUS_DELIVERED)
    assert failure(rpcs.UpdateOrderStatus, illegal)[0] is Code.FAILED_PRECONDITION
    nobodys = pb.UpdateOrderStatusRequest(id=order.pk + 1, status=pb.ORDER_STATUS_PAID)
    assert failure(rpcs.UpdateOrderStatus, nobodys) == (Code.NOT_FOUND, "Not found")


def test_staff_see_and_cancel_all_orders(rpcs: OrderServiceStub, as_staff: Any):
    order = logic.place_order(make_customer(), [(make_product().pk, 1)], new_key())
    assert rpcs.GetOrder(pb.GetOrderRequest(id=order.pk)).order.customer_email == order.customer.email
    assert rpcs.CancelOrder(pb.CancelOrderRequest(id=order.pk)).order.status == pb.ORDER_STATUS_CANCELLED
