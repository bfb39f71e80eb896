"""Streams of updates: nothing is lost, nothing comes twice, and many streams cost little more than one.

Changes are made in threads that let their database connections go, as another process would make them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from django.core.exceptions import ValidationError
from django.db import OperationalError, connections

from services.orders import history, live, logic
from services.orders.models import OrderEvent, OrderStatus
from services.orders.rights import RightsChangedError
from services.orders.tests.shop import bring_to, make_customer, make_product, make_staff, place

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("feed_has_ended")]

T = TypeVar("T")
LONG_SECONDS = 20


async def elsewhere(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Gives what a function gives that uses the database."""

    def call() -> T:
        try:
            return function(*args, **kwargs)
        finally:
            connections.close_all()

    return await asyncio.to_thread(call)


async def until(condition: Callable[[], object]) -> None:
    """Waits until something is so."""
    async with asyncio.timeout(LONG_SECONDS):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


class Stream:
    """An open stream and what has come of it."""

    def __init__(self, updates: AsyncIterator[tuple[int, history.Update | None]]) -> None:
        self._updates = updates
        self.position = 0

    async def next(self) -> history.Update | None:
        """Gives the next message."""
        async with asyncio.timeout(LONG_SECONDS):
            self.position, update = await anext(self._updates)
        assert update is None or update.position == self.position
        return update

    async def take(self, count: int) -> list[tuple[int, str]]:
        """Gives the orders and statuses of the next updates."""
        updates = [await self.next() for _ in range(count)]
        return [(update.order.pk, update.order.status) for update in updates if update]

    @property
    def token(self) -> str:
        """The token of the last message."""
        return history.resume_token(self.position)


@asynccontextmanager
async def opened(user: Any, token: str = "") -> AsyncIterator[Stream]:
    """A stream whose first message has come."""
    updates = live.follow(user, token)
    try:
        stream = Stream(updates)
        assert await stream.next() is None
        yield stream
    finally:
        await updates.aclose()


async def test_what_happens_comes():
    customer = await elsewhere(make_customer)
    async with opened(customer) as stream:
        order = await elsewhere(place, customer)
        await elsewhere(bring_to, order, OrderStatus.SHIPPED)
        assert await stream.take(4) == [(order.pk, status) for status in ("placed", "paid", "packed", "shipped")]
    assert not live._feeds


async def test_a_stream_begins_now():
    customer = await elsewhere(make_customer)
    await elsewhere(place, customer)
    async with opened(customer) as stream:
        assert stream.position == await elsewhere(history.newest_position)
        order = await elsewhere(place, customer)
        assert await stream.take(1) == [(order.pk, "placed")]


async def test_who_sees_what():
    one, other, staff = [await elsewhere(make) for make in (make_customer, make_customer, make_staff)]
    async with opened(one) as ones, opened(other) as others, opened(staff) as everybodys:
        first = await elsewhere(place, one)
        second = await elsewhere(place, other)
        third = await elsewhere(place, one)
        assert await everybodys.take(3) == [(order.pk, "placed") for order in (first, second, third)]
        assert await ones.take(2) == [(first.pk, "placed"), (third.pk, "placed")]
        assert await others.take(1) == [(second.pk, "placed")]


@pytest.mark.parametrize("recent", [live.RECENT_UPDATES, 3, 1])
async def test_a_stream_goes_on_from_every_position(monkeypatch, recent: int):
    """With much, little and next to nothing in the feed's memory."""
    monkeypatch.setattr(live, "RECENT_UPDATES", recent)
    monkeypatch.setattr(live, "CHUNK", 2)
    one, other, staff = [await elsewhere(make) for make in (make_customer, make_customer, make_staff)]
    start = await elsewhere(history.newest_position)
    for customer in (one, other, one, one, other):
        await elsewhere(bring_to, await elsewhere(place, customer), OrderStatus.PAID)
    positions = [u.position for u in await elsewhere(history.updates_after, start, 100)]
    for user in (one, other, staff):
        customer_id = None if user is staff else user.pk
        for position in positions:
            missed = await elsewhere(history.updates_after, position, 1000, customer_id)
            async with opened(user, history.resume_token(position)) as stream:
                assert await stream.take(len(missed)) == [(u.order.pk, u.order.status) for u in missed]
                order = await elsewhere(place, other if user is other else one)
                assert await stream.take(1) == [(order.pk, "placed")]


@pytest.mark.parametrize("recent", [live.RECENT_UPDATES, 2])
async def test_a_reader_that_is_slow_misses_nothing(monkeypatch, recent: int):
    monkeypatch.setattr(live, "RECENT_UPDATES", recent)
    monkeypatch.setattr(live, "CHUNK", 2)
    customer, other = await elsewhere(make_customer), await elsewhere(make_customer)
    async with opened(customer) as slow, opened(customer) as fast:
        orders = []
        for _ in range(5):
            orders.append(await elsewhere(place, customer))
            await elsewhere(place, other)
            await fast.take(1)
        assert await slow.take(5) == [(order.pk, "placed") for order in orders]
        last = await elsewhere(place, customer)
        assert await slow.take(1) == await fast.take(1) == [(last.pk, "placed")]


async def test_a_token_from_after_the_feeds_last_look(monkeypatch):
    """A list may have been read a moment before: nothing of it comes again."""
    look = asyncio.Event()

    @asynccontextmanager
    async def when_told(_: live.DatabaseThread) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        async def wait() -> None:
            await look.wait()
            look.clear()

        yield wait

    monkeypatch.setattr(live, "_wake_ups", when_told)
    customer = await elsewhere(make_customer)
    async with opened(customer) as early:
        seen = await elsewhere(place, customer)
        token = (await elsewhere(logic.list_orders, customer)).resume_token
        async with opened(customer, token) as late:
            assert late.position > early.position
            waiting = asyncio.ensure_future(late.take(1))
            look.set()
            assert await early.take(1) == [(seen.pk, "placed")]
            order = await elsewhere(place, customer)
            look.set()
            assert await waiting == await early.take(1) == [(order.pk, "placed")]


async def test_many_changes_at_once_come_in_order():
    customer, staff = await elsewhere(make_customer), await elsewhere(make_staff)
    product = await elsewhere(make_product, 1000)
    async with opened(staff) as stream:
        orders = await asyncio.gather(*(elsewhere(place, customer, product) for _ in range(10)))
        await asyncio.gather(*(elsewhere(bring_to, order, OrderStatus.DELIVERED) for order in orders))
        seen = await stream.take(50)
    way = ["placed", "paid", "packed", "shipped", "delivered"]
    for order in orders:
        assert [status for pk, status in seen if pk == order.pk] == way


async def test_many_streams_ask_as_much_as_one():
    """One feed reads for all: what they are given is the same object."""
    staff, customer = await elsewhere(make_staff), await elsewhere(make_customer)
    follows = [live.follow(staff) for _ in range(50)]
    try:
        async with asyncio.timeout(LONG_SECONDS):
            await asyncio.gather(*(anext(updates) for updates in follows))
            await elsewhere(place, customer)
            given = await asyncio.gather(*(anext(updates) for updates in follows))
    finally:
        for updates in follows:
            await updates.aclose()
    assert len({id(update) for _, update in given}) == 1


async def test_a_stream_that_ends_leaves_nothing_behind():
    customer = await elsewhere(make_customer)
    async with opened(customer):
        (feed,) = live._feeds.values()
        for _ in range(3):
            updates = live.follow(customer)
            await anext(updates)
            waiting = asyncio.ensure_future(anext(updates))
            await until(lambda: feed._waiting)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await updates.aclose()
            assert not feed._waiting
        assert feed.followers.total() == 1
    assert not live._feeds


async def test_who_loses_a_right_loses_the_streams_that_need_it(monkeypatch):
    """And nobody else, not even others of the staff who wait for the same updates."""
    monkeypatch.setattr(live, "RIGHTS_SECONDS", 0.05)
    suspended, customer = [await elsewhere(make_customer) for _ in range(2)]
    demoted, staff = [await elsewhere(make_staff) for _ in range(2)]
    async with (
        opened(suspended) as of_suspended,
        opened(demoted) as of_demoted,
        opened(customer) as of_customer,
        opened(staff) as of_staff,
    ):
        waiting = [asyncio.ensure_future(stream.next()) for stream in (of_suspended, of_demoted)]
        others = [asyncio.ensure_future(stream.next()) for stream in (of_customer, of_staff)]
        suspended.is_active, demoted.is_staff, demoted.is_customer = False, False, True
        for user in (suspended, demoted):
            await elsewhere(user.save)
        for ended in waiting:
            with pytest.raises(RightsChangedError):
                await ended
        order = await elsewhere(place, customer)
        for update in await asyncio.gather(*others):
            assert update is not None
            assert update.order.pk == order.pk
        async with opened(demoted) as as_customer:  # with the rights of now
            order = await elsewhere(place, demoted)
            assert await as_customer.take(1) == [(order.pk, "placed")]
    assert not live._feeds


async def test_a_right_that_is_given_back_is_a_right(monkeypatch):
    monkeypatch.setattr(live, "RIGHTS_SECONDS", 0.05)
    customer = await elsewhere(make_customer)
    async with opened(customer) as slow:
        (feed,) = live._feeds.values()
        customer.is_active = False
        await elsewhere(customer.save)
        await until(lambda: feed.refused)
        customer.is_active = True
        await elsewhere(customer.save)
        async with opened(customer) as new:
            order = await elsewhere(place, customer)
            assert await new.take(1) == await slow.take(1) == [(order.pk, "placed")]


@pytest.mark.parametrize("token", ["?", "x" * 5000])
async def test_tokens_that_are_none(token: str):
    updates = live.follow(await elsewhere(make_customer), token)
    with pytest.raises(ValidationError):
        await anext(updates)
    assert not live._feeds


async def test_tokens_from_too_long_ago(monkeypatch):
    monkeypatch.setattr(live, "RECENT_UPDATES", 1)
    customer = await elsewhere(make_customer)
    for _ in range(3):
        await elsewhere(place, customer)
    oldest, *_ = await elsewhere(history.updates_after, 0, 10)
    await elsewhere(OrderEvent.objects.filter(pk=oldest.position).delete)
    updates = live.follow(customer, history.resume_token(oldest.position))
    with pytest.raises(history.TokenTooOldError):
        await anext(updates)
    assert not live._feeds


async def test_a_database_that_fails_for_a_while(monkeypatch, caplog):
    """Streams stay open, and go on where they were."""
    monkeypatch.setattr(live, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(live, "CHECK_SECONDS", 0.05)
    customer = await elsewhere(make_customer)
    fails = asyncio.Event()

    def updates_after(*args: Any) -> list[history.Update]:
        if fails.is_set():
            raise OperationalError("gone")
        return history.updates_after(*args)

    monkeypatch.setattr(live, "updates_after", updates_after)
    async with opened(customer) as stream:
        fails.set()
        order = await elsewhere(place, customer)
        await until(lambda: "order updates cannot be read" in caplog.text)
        fails.clear()
        assert await stream.take(1) == [(order.pk, "placed")]
