"""`StreamOrderUpdates` over gRPC-Web, through the bridge and generated stubs, with each status it can give.

What comes of it in which order is tested in `test_live`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from typing import Any

import grpc
import pytest
from asgiref.sync import sync_to_async

from generated.orders.v1 import orders_pb2 as pb
from generated.orders.v1.orders_pb2_grpc import OrderServiceStub
from grpc_bridge.testing import AsyncClient
from services.orders import live
from services.orders.models import OrderEvent, OrderStatus
from services.orders.tests.shop import bring_to, make_customer, make_staff, place

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("feed_has_ended")]

Code = grpc.StatusCode


@pytest.fixture
def client() -> AsyncClient:
    """A browser without a session."""
    return AsyncClient()


@pytest.fixture
def rpcs(client: AsyncClient) -> Any:
    """Calls as whoever `client` is logged in as."""
    return OrderServiceStub(client)


@asynccontextmanager
async def opened(rpcs: Any, token: str = "") -> AsyncIterator[tuple[str, Any]]:
    """A stream: the token of its first message, and the call."""
    call = rpcs.StreamOrderUpdates(pb.StreamOrderUpdatesRequest(resume_token=token))
    try:
        first = await call.read()
        assert first == pb.StreamOrderUpdatesResponse(resume_token=first.resume_token)
        yield first.resume_token, call
    finally:
        call.cancel()


async def status(call: Any) -> tuple[grpc.StatusCode, str]:
    """How a call ends that gives no message."""
    with pytest.raises(grpc.RpcError):
        await call.read()
    return await call.code(), await call.details()


async def test_updates(rpcs: Any, client: AsyncClient):
    customer = await sync_to_async(make_customer)()
    await client.aforce_login(customer)
    async with opened(rpcs) as (_, call):
        order = await sync_to_async(place)(customer)
        update = await call.read()
        shown = (await rpcs.GetOrder(pb.GetOrderRequest(id=order.pk))).order
        assert update == pb.StreamOrderUpdatesResponse(
            resume_token=update.resume_token, order=shown, changed_at=shown.updated_at
        )
        await sync_to_async(bring_to)(order, OrderStatus.PACKED)
        seen = [await call.read() for _ in range(2)]
        assert [(u.previous_status, u.order.status, u.order.version) for u in seen] == [
            (pb.ORDER_STATUS_PLACED, pb.ORDER_STATUS_PAID, 2),
            (pb.ORDER_STATUS_PAID, pb.ORDER_STATUS_PACKED, 3),
        ]
        event = await OrderEvent.objects.alatest("pk")
        assert seen[1].changed_at.ToDatetime(UTC) == event.created_at
    async with opened(rpcs, update.resume_token) as (token, call):
        assert token == update.resume_token
        assert [await call.read() for _ in range(2)] == seen


async def test_a_list_and_the_updates_after_it_have_no_gap(rpcs: Any, client: AsyncClient):
    customer = await sync_to_async(make_customer)()
    await client.aforce_login(await sync_to_async(make_staff)())
    await sync_to_async(place)(customer)
    token = (await rpcs.ListOrders(pb.ListOrdersRequest())).resume_token
    order = await sync_to_async(place)(customer)
    async with opened(rpcs, token) as (_, call):
        assert (await call.read()).order.id == order.pk


async def test_who_is_not_known_is_told_so(rpcs: Any):
    call = rpcs.StreamOrderUpdates(pb.StreamOrderUpdatesRequest())
    assert (await status(call))[0] is Code.UNAUTHENTICATED


async def test_an_account_that_is_suspended_meanwhile(rpcs: Any, client: AsyncClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live, "RIGHTS_SECONDS", 0.05)
    customer = await sync_to_async(make_customer)()
    await client.aforce_login(customer)
    async with opened(rpcs) as (token, call):
        customer.is_active = False
        await customer.asave()
        assert await status(call) == (Code.ABORTED, "The rights of this account have changed: call again.")
    call = rpcs.StreamOrderUpdates(pb.StreamOrderUpdatesRequest(resume_token=token))
    assert (await status(call))[0] is Code.UNAUTHENTICATED


async def test_a_token_that_is_none(rpcs: Any, client: AsyncClient):
    await client.aforce_login(await sync_to_async(make_customer)())
    call = rpcs.StreamOrderUpdates(pb.StreamOrderUpdatesRequest(resume_token="none"))
    assert (await status(call))[0] is Code.INVALID_ARGUMENT


async def test_a_token_that_is_too_old(rpcs: Any, client: AsyncClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live, "RECENT_UPDATES", 1)
    customer = await sync_to_async(make_customer)()
    await client.aforce_login(customer)
    await sync_to_async(place)(customer)
    token = (await rpcs.ListOrders(pb.ListOrdersRequest())).resume_token
    await sync_to_async(place)(customer)
    await (await OrderEvent.objects.order_by("pk").afirst()).adelete()
    call = rpcs.StreamOrderUpdates(pb.StreamOrderUpdatesRequest(resume_token=token))
    expected = "The resume token is too old: list the orders anew, and go on from there."
    assert await status(call) == (Code.OUT_OF_RANGE, expected)
