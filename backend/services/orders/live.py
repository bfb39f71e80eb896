"""Brings what happens to orders to the streams that are open in this process, however many: see `follow`.

One feed for each event loop reads new events once and shares them with all its streams. It exists while a stream is
open. PostgreSQL wakes it by NOTIFY; SQLite, which can tell nobody, is asked every now and then.

A stream keeps nothing but its position. One that waits is handed what comes. One that was busy meanwhile, because its
reader is slow, takes what it has missed from the feed's memory of recent updates, or else from the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple, ParamSpec, TypeVar

from django.contrib.auth.models import AbstractBaseUser
from django.db import DatabaseError, close_old_connections, connection, connections

from services.orders.history import BEGINNING, CHANNEL, Update, check_kept, newest_updates, position_of, updates_after
from services.orders.rights import Follower, RightsChangedError, follower_of, without_right

logger = logging.getLogger("services.orders")

POLL_SECONDS = 0.05
"""How often a database is asked that cannot tell of new events."""

CHECK_SECONDS = 15.0
"""How often a database is asked that can: a connection may be dead without anybody having noticed."""

RETRY_SECONDS = 1.0
"""How long to wait after the database has failed."""

RIGHTS_SECONDS = 30.0
"""How often the accounts of all streams are looked at, by one query: a right may have been taken away meanwhile."""

RECENT_UPDATES = 256
"""How many updates a feed remembers for streams that were busy or come back. Others ask the database."""

CHUNK = 100
"""How many updates are read at a time."""

THREAD_NAME = "order_feed"

P = ParamSpec("P")
T = TypeVar("T")


class News(NamedTuple):
    """What a stream did not know, and its position after that."""

    updates: Sequence[Update]
    position: int


async def follow(user: AbstractBaseUser, resume_token: str = "") -> AsyncGenerator[tuple[int, Update | None], None]:
    """Gives the user's updates, for staff everybody's, each with the position after it, and never ends.

    First comes the position to begin with, without an update: the token's, or now if there is none. Then every update
    after it exactly once, in the order of the changes. Raises ValidationError, `TokenTooOldError` and
    `RightsChangedError`, the last within `RIGHTS_SECONDS` of the change.
    """
    position = position_of(resume_token) if resume_token else None
    follower = follower_of(user)
    async with _joined_feed(follower) as feed:
        if position is None:
            position = feed.position
        else:
            await feed.check_kept(position)
        yield position, None
        while True:
            updates, reached = await feed.news(position, follower.customer_id)
            if follower in feed.refused:
                raise RightsChangedError
            for update in updates:
                if update.position > position:  # a token may be from after the feed's last look at the database
                    yield update.position, update
            position = max(position, reached)


class DatabaseThread:
    """A thread that keeps one database connection."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, THREAD_NAME)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Gives what the function gives."""

        def call() -> T:
            if connection.vendor != "sqlite":  # a file does not go away, and `_data_version` is about one connection
                close_old_connections()
            try:
                return function(*args, **kwargs)
            except DatabaseError:
                connections.close_all()
                raise

        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    def close(self) -> None:
        """Ends the thread and its connection, without waiting for them."""
        self._executor.submit(connections.close_all)
        self._executor.shutdown(wait=False)


class Feed:
    """The updates of one event loop's streams. Everything here runs on the loop, so nothing needs a lock."""

    position: int
    """The last event that was read. A stream with this position that waits has missed nothing."""

    def __init__(self) -> None:
        self.followers: Counter[Follower] = Counter()
        self.refused: set[Follower] = set()
        self._recent: deque[Update] = deque()
        self._forgotten = BEGINNING  # the last position whose update is not among the recent ones
        self._waiting: dict[int | None, set[asyncio.Future[News]]] = {}
        self._ready = asyncio.Event()
        # Streams that come back all at once must not keep the feed from reading on.
        self._own_thread, self._streams_thread = DatabaseThread(), DatabaseThread()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._run(), name="order feed"),
            loop.create_task(self._watch_rights(), name="rights of order feed"),
        ]

    async def ready(self) -> None:
        """Waits until the position is known."""
        await self._ready.wait()

    def close(self) -> None:
        """The last stream has ended."""
        for task in self._tasks:
            task.cancel()
        self._own_thread.close()
        self._streams_thread.close()

    async def check_kept(self, position: int) -> None:
        """Raises `TokenTooOldError` unless a stream can go on from there."""
        if not self._remembers(position):
            await self._streams_thread.run(check_kept, position)

    async def news(self, position: int, customer_id: int | None) -> News:
        """Gives what comes after a position, once there is something: of one customer's orders, or of all for None."""
        if position >= self.position:
            return await self._next(customer_id)
        if self._remembers(position):
            missed = (update for update in self._recent if update.position > position)
            return News(_of_customer(missed, customer_id), self.position)
        reached = self.position  # ids become visible in order: what is read now has all up to here
        updates = await self._streams_thread.run(updates_after, position, CHUNK, customer_id)
        return News(updates, updates[-1].position if len(updates) == CHUNK else reached)

    async def _next(self, customer_id: int | None) -> News:
        future: asyncio.Future[News] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(customer_id, set())
        waiting.add(future)
        try:
            return await future
        finally:
            waiting.discard(future)
            if not waiting and self._waiting.get(customer_id) is waiting:
                del self._waiting[customer_id]

    def _remembers(self, position: int) -> bool:
        return self._forgotten <= position <= self.position

    async def _run(self) -> None:
        while True:
            try:
                async with _wake_ups(self._own_thread) as wait:
                    while True:
                        await self._read()
                        await wait()
            except Exception:
                logger.exception("order updates cannot be read; trying again in %s seconds", RETRY_SECONDS)
                await asyncio.sleep(RETRY_SECONDS)

    async def _read(self) -> None:
        if not self._ready.is_set():
            self._remember(await self._own_thread.run(newest_updates, RECENT_UPDATES))
            self._ready.set()
        while updates := await self._own_thread.run(updates_after, self.position, CHUNK):
            self._publish(updates)

    def _remember(self, updates: Sequence[Update]) -> None:
        self._recent.extend(updates)
        if not self._ready.is_set() and updates:
            self._forgotten = self._recent.popleft().position  # whether there were others before is not known
        while len(self._recent) > RECENT_UPDATES:
            self._forgotten = self._recent.popleft().position
        self.position = updates[-1].position if updates else self._forgotten

    def _publish(self, updates: Sequence[Update]) -> None:
        self._remember(updates)
        self._wake({None, *(update.order.customer_id for update in updates)}, updates)

    def _wake(self, customer_ids: Iterable[int | None], updates: Sequence[Update]) -> None:
        for customer_id in customer_ids:
            if futures := self._waiting.pop(customer_id, None):
                news = News(_of_customer(updates, customer_id), self.position)
                for future in futures:
                    if not future.done():  # its stream has ended
                        future.set_result(news)

    async def _watch_rights(self) -> None:
        while True:
            await asyncio.sleep(RIGHTS_SECONDS)
            try:
                lost = await self._streams_thread.run(without_right, frozenset(self.followers))
            except DatabaseError:
                continue  # of which `_run` tells
            self.refused.update(lost & self.followers.keys())
            self._wake({follower.customer_id for follower in lost}, ())


def _of_customer(updates: Iterable[Update], customer_id: int | None) -> list[Update]:
    return [update for update in updates if customer_id in (None, update.order.customer_id)]


_feeds: dict[asyncio.AbstractEventLoop, Feed] = {}


@asynccontextmanager
async def _joined_feed(follower: Follower) -> AsyncIterator[Feed]:
    """Gives the feed of this loop: the first stream makes it, and the last one closes it."""
    loop = asyncio.get_running_loop()
    if loop not in _feeds:
        _feeds[loop] = Feed()
    feed = _feeds[loop]
    feed.followers[follower] += 1
    feed.refused.discard(follower)  # whoever may begin a stream has the right
    try:
        await feed.ready()
        yield feed
    finally:
        feed.followers[follower] -= 1
        if not feed.followers[follower]:
            del feed.followers[follower]
            feed.refused.discard(follower)
        if not feed.followers:
            del _feeds[loop]
            feed.close()


def _wake_ups(thread: DatabaseThread) -> AbstractAsyncContextManager[Callable[[], Awaitable[None]]]:
    """Gives a function that waits until there may be new events."""
    return _notifications() if connection.vendor == "postgresql" else _changes(thread)


@asynccontextmanager
async def _changes(thread: DatabaseThread) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Asks SQLite for the number that differs after any commit of another connection, which costs next to nothing."""
    seen = await thread.run(_data_version)

    async def wait() -> None:
        nonlocal seen
        before = seen
        while seen == before:
            await asyncio.sleep(POLL_SECONDS)
            seen = await thread.run(_data_version)

    yield wait


def _data_version() -> int:
    with connection.cursor() as cursor:
        version: int = cursor.execute("PRAGMA data_version").fetchone()[0]
        return version


@asynccontextmanager
async def _notifications() -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Listens from before the first look at the database, so that nothing is missed in between."""
    from psycopg import AsyncConnection  # noqa: PLC0415 - who uses SQLite does not load it

    of_django: set[str] = {"context", "cursor_factory"}
    parameters: dict[str, Any] = {
        name: value for name, value in connection.get_connection_params().items() if name not in of_django
    }
    listener = await AsyncConnection.connect(**parameters, autocommit=True)

    async def wait() -> None:
        async for _ in listener.notifies(timeout=CHECK_SECONDS, stop_after=1):
            pass

    try:
        await listener.execute(f"LISTEN {CHANNEL}")
        yield wait
    finally:
        await listener.close()  # which does not wait, as leaving its context would: the loop may be about to end
