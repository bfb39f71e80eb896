"""What is checked of all paths together: a change that is made on one arrives on all others, and nothing is missed."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from generated.orders.v1 import orders_pb2 as pb
from tests.contract.grpc_web import Mode
from tests.smoke.site import BINARY, MODES, Headers, Server, Visitor, call, opened

ORDERS = "/orders.v1.OrderService/"
STREAMS_EACH = 4
"""How many streams are opened on each path, so that where there are replicas several have some."""

ORDER_SECONDS = 10.0
"""How long a change may take to arrive."""


@dataclass
class Follower:
    """An open stream of updates. What comes waits in the connection until somebody reads it here."""

    path: str
    server: Server
    messages: Iterator[pb.StreamOrderUpdatesResponse]
    resume_token: str = ""

    def wait_for(self, order: pb.Order) -> None:
        """Reads up to the update that brings an order to this version."""
        end = time.monotonic() + ORDER_SECONDS
        for update in self.messages:
            self.resume_token = update.resume_token
            if update.order.id == order.id and update.order.version == order.version:
                assert update.order == order, f"{self.path}: another order than was answered: {update.order}"
                return
            assert time.monotonic() < end, f"{self.path}: no update in {ORDER_SECONDS:.0f} s"
        raise AssertionError(f"{self.path}: the stream has ended")


def updates(paths: dict[str, Server]) -> str:
    """Places an order on each path, while streams on all of them look on; and resumes on another path."""
    cookie = Visitor(next(iter(paths.values()))).sign_in_as_demo()
    slowest = 0.0
    with contextlib.ExitStack() as stack:
        followers = [
            stack.enter_context(_following(path, server, MODES[number % 2], cookie))
            for path, server in paths.items()
            for number in range(STREAMS_EACH)
        ]
        for server in paths.values():
            token = followers[0].resume_token
            start = time.monotonic()
            placed = _place(server, cookie)
            for follower in followers:
                follower.wait_for(placed)
            slowest = max(slowest, time.monotonic() - start)
            cancelled = _cancel(server, cookie, placed)
            _resume(paths, cookie, token, (placed, cancelled))
            for follower in followers:
                follower.wait_for(cancelled)
    return f"{len(followers)} streams, all told within {slowest * 1000:.0f} ms; resumed by token"


@contextlib.contextmanager
def _following(path: str, server: Server, mode: Mode, cookie: Headers, token: str = "") -> Iterator[Follower]:
    request = pb.StreamOrderUpdatesRequest(resume_token=token)
    with opened(server, mode, f"{ORDERS}StreamOrderUpdates", request, pb.StreamOrderUpdatesResponse, cookie) as reply:
        messages = iter(reply)
        first = next(messages)
        yield Follower(path, server, messages, first.resume_token)


def _resume(paths: dict[str, Server], cookie: Headers, token: str, orders: Sequence[pb.Order]) -> None:
    """Comes back on every path with a token from before the orders: they come in their order, and each once."""
    for path, server in paths.items():
        with _following(path, server, BINARY, cookie, token) as follower:
            for order in orders:
                follower.wait_for(order)


def _place(server: Server, cookie: Headers) -> pb.Order:
    products = call(server, BINARY, f"{ORDERS}ListProducts", pb.ListProductsRequest(), pb.ListProductsResponse).products
    product = max(products, key=lambda one: one.stock)
    request = pb.PlaceOrderRequest(
        items=[pb.PlaceOrderItem(product_id=product.id, quantity=1)], idempotency_key=str(uuid.uuid4())
    )
    return call(server, BINARY, f"{ORDERS}PlaceOrder", request, pb.PlaceOrderResponse, cookie).order


def _cancel(server: Server, cookie: Headers, order: pb.Order) -> pb.Order:
    request = pb.CancelOrderRequest(id=order.id)
    return call(server, BINARY, f"{ORDERS}CancelOrder", request, pb.CancelOrderResponse, cookie).order
