"""The order service on the wire: maps messages to `logic` and back. An ordinary grpcio servicer."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from datetime import datetime
from typing import TypeAlias

import grpc
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import PreconditionFailure
from google.rpc.status_pb2 import Status
from google.type.money_pb2 import Money
from grpc_status.rpc_status import to_status

from generated.orders.v1 import orders_pb2, orders_pb2_grpc
from grpc_bridge import aget_user, get_user, release_thread
from grpc_bridge.access import allow, anyone, signed_in, staff
from services.orders import live, logic
from services.orders.history import TokenTooOldError, Update, resume_token
from services.orders.models import Order, OrderItem, OrderStatus, Product
from services.orders.rights import RightsChangedError

Context: TypeAlias = grpc.ServicerContext

# In the contract and in the models statuses have the same names.
_PREFIX = "ORDER_STATUS_"
_TO_WIRE = {status: orders_pb2.OrderStatus.Value(_PREFIX + status.name) for status in OrderStatus}
_FROM_WIRE: dict[int, OrderStatus] = {number: status for status, number in _TO_WIRE.items()}

_CODES: dict[type[Exception], grpc.StatusCode] = {
    logic.IllegalStepError: grpc.StatusCode.FAILED_PRECONDITION,
    logic.KeyReusedError: grpc.StatusCode.ALREADY_EXISTS,
    logic.OutOfStockError: grpc.StatusCode.FAILED_PRECONDITION,
    TokenTooOldError: grpc.StatusCode.OUT_OF_RANGE,
    RightsChangedError: grpc.StatusCode.ABORTED,
}
"""What the errors of `logic`, `history` and `rights` are on the wire. The bridge knows Django's own."""


class OrderServicer(orders_pb2_grpc.OrderServiceServicer):
    """Implements `orders.v1.OrderService`; the contract says what each method does."""

    @allow(anyone)
    def ListProducts(
        self, request: orders_pb2.ListProductsRequest, context: Context
    ) -> orders_pb2.ListProductsResponse:
        page = logic.list_products(request.page_size, request.page_token)
        return orders_pb2.ListProductsResponse(
            products=map(_product_message, page.products), next_page_token=page.next_page_token
        )

    @allow(signed_in)
    def PlaceOrder(self, request: orders_pb2.PlaceOrderRequest, context: Context) -> orders_pb2.PlaceOrderResponse:
        quantities = [(item.product_id, item.quantity) for item in request.items]
        with _domain_errors(context):
            order = logic.place_order(_caller(context), quantities, request.idempotency_key)
        return orders_pb2.PlaceOrderResponse(order=_order_message(order))

    @allow(signed_in)
    def GetOrder(self, request: orders_pb2.GetOrderRequest, context: Context) -> orders_pb2.GetOrderResponse:
        order = logic.get_order(_caller(context), request.id)
        return orders_pb2.GetOrderResponse(order=_order_message(order))

    @allow(signed_in)
    def ListOrders(self, request: orders_pb2.ListOrdersRequest, context: Context) -> orders_pb2.ListOrdersResponse:
        statuses = _statuses(request.statuses)
        page = logic.list_orders(_caller(context), request.page_size, request.page_token, statuses)
        return orders_pb2.ListOrdersResponse(
            orders=map(_order_message, page.orders),
            next_page_token=page.next_page_token,
            resume_token=page.resume_token,
        )

    @allow(signed_in)
    def GetOrders(
        self, request: orders_pb2.GetOrdersRequest, context: Context
    ) -> Iterator[orders_pb2.GetOrdersResponse]:
        for order in logic.all_orders(_caller(context), _statuses(request.statuses)):
            yield orders_pb2.GetOrdersResponse(order=_order_message(order))

    @allow(signed_in)
    def CancelOrder(self, request: orders_pb2.CancelOrderRequest, context: Context) -> orders_pb2.CancelOrderResponse:
        with _domain_errors(context):
            order = logic.cancel_order(_caller(context), request.id)
        return orders_pb2.CancelOrderResponse(order=_order_message(order))

    @allow(staff)
    def UpdateOrderStatus(
        self, request: orders_pb2.UpdateOrderStatusRequest, context: Context
    ) -> orders_pb2.UpdateOrderStatusResponse:
        (status,) = _statuses([request.status], field="status")
        with _domain_errors(context):
            order = logic.move_order(request.id, status)
        return orders_pb2.UpdateOrderStatusResponse(order=_order_message(order))

    @allow(signed_in)
    async def StreamOrderUpdates(
        self,
        request: orders_pb2.StreamOrderUpdatesRequest,
        context: grpc.aio.ServicerContext[orders_pb2.StreamOrderUpdatesRequest, orders_pb2.StreamOrderUpdatesResponse],
    ) -> AsyncIterator[orders_pb2.StreamOrderUpdatesResponse]:
        user = await aget_user(context)
        assert isinstance(user, AbstractBaseUser)  # or the call would not have been let in
        release_thread()  # a thousand streams must not keep a thousand database connections
        try:
            async with aclosing(live.follow(user, request.resume_token)) as updates:
                async for position, update in updates:
                    yield _update_message(update) if update else _position_message(position)
        except (TokenTooOldError, RightsChangedError) as error:
            await context.abort_with_status(_status(error))


def _caller(context: Context) -> AbstractBaseUser:
    user = get_user(context)
    assert isinstance(user, AbstractBaseUser)  # or the call would not have been let in
    return user


@contextmanager
def _domain_errors(context: Context) -> Iterator[None]:
    try:
        yield
    except tuple(_CODES) as error:
        context.abort_with_status(_status(error))


def _status(error: Exception) -> grpc.Status:
    status = Status(code=_CODES[type(error)].value[0], message=str(error))
    if isinstance(error, logic.OutOfStockError):
        status.details.add().Pack(_precondition_failure(error))
    result: grpc.Status = to_status(status)
    return result


def _precondition_failure(error: logic.OutOfStockError) -> PreconditionFailure:
    failure = PreconditionFailure()
    for product, wanted in error.shortages:
        failure.violations.add(
            type="STOCK",
            subject=f"products/{product.pk}",
            description=f"{product.name}: {wanted} wanted, {product.stock} in stock",
        )
    return failure


def _statuses(numbers: Sequence[int], field: str = "statuses") -> list[OrderStatus]:
    unknown = [number for number in numbers if number not in _FROM_WIRE]
    if unknown:
        message = f"There is no order status {unknown[0]}."
        raise ValidationError({field: ValidationError(message, code="invalid_choice")})
    return [_FROM_WIRE[number] for number in numbers]


def _money(cents: int) -> Money:
    units, rest = divmod(cents, 100)  # never negative
    return Money(currency_code=settings.SHOP_CURRENCY, units=units, nanos=rest * 10_000_000)


def _timestamp(time: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(time)
    return message


def _product_message(product: Product) -> orders_pb2.Product:
    return orders_pb2.Product(
        id=product.pk,
        name=product.name,
        description=product.description,
        price=_money(product.price_cents),
        stock=product.stock,
    )


def _item_message(item: OrderItem) -> orders_pb2.OrderItem:
    return orders_pb2.OrderItem(
        product_id=item.product_id,
        product_name=item.product_name,
        quantity=item.quantity,
        unit_price=_money(item.unit_price_cents),
    )


def _order_message(order: Order) -> orders_pb2.Order:
    return orders_pb2.Order(
        id=order.pk,
        status=_TO_WIRE[OrderStatus(order.status)],
        items=map(_item_message, order.items.all()),
        total=_money(order.total_cents),
        customer_email=order.customer.email,
        created_at=_timestamp(order.created_at),
        updated_at=_timestamp(order.updated_at),
        version=order.version,
    )


def _position_message(position: int) -> orders_pb2.StreamOrderUpdatesResponse:
    return orders_pb2.StreamOrderUpdatesResponse(resume_token=resume_token(position))


@functools.lru_cache(maxsize=256)
def _update_message(update: Update) -> orders_pb2.StreamOrderUpdatesResponse:
    """One message for all streams that send it."""
    previous = update.previous_status
    return orders_pb2.StreamOrderUpdatesResponse(
        resume_token=resume_token(update.position),
        order=_order_message(update.order),
        previous_status=_TO_WIRE[OrderStatus(previous)] if previous else orders_pb2.ORDER_STATUS_UNSPECIFIED,
        changed_at=_timestamp(update.changed_at),
    )


def register(server: grpc.Server) -> None:
    """Adds the service to a server: the bridge's registry or a real grpcio one."""
    orders_pb2_grpc.add_OrderServiceServicer_to_server(OrderServicer(), server)
