"""Who calls `async def` handlers is looked up in a few threads, however many call at the same moment."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from django.test import override_settings

from grpc_bridge import aget_user
from grpc_bridge.executors import LOOKUP_THREADS
from grpc_bridge.lifecycle import AsyncCallThread

CALLS = 5 * LOOKUP_THREADS


class Context:
    """As much of a handler's context as tells who calls."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def invocation_metadata(self) -> Any:
        return (("authorization", f"Bearer {self._secret}"),)


class Lookups:
    """Finds users slowly, and knows how many at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self.most_at_a_time = 0
        self.threads: set[str] = set()

    def user_of(self, secret: str) -> str:
        with self._lock:
            self._running += 1
            self.most_at_a_time = max(self.most_at_a_time, self._running)
            self.threads.add(threading.current_thread().name)
        time.sleep(0.01)
        with self._lock:
            self._running -= 1
        return f"user of {secret}"


lookups = Lookups()


def user_of(secret: str) -> str:
    return lookups.user_of(secret)


@pytest.fixture(autouse=True)
def new_lookups() -> Any:
    global lookups
    lookups = Lookups()
    with override_settings(GRPC_BRIDGE={"TOKEN_USER": f"{__name__}.user_of"}):
        yield


async def user_in_call(secret: str) -> Any:
    with AsyncCallThread():
        return await aget_user(Context(secret))


async def test_all_callers_who_come_back_at_once_share_a_few_threads() -> None:
    users = await asyncio.gather(*(user_in_call(str(number)) for number in range(CALLS)))
    assert users == [f"user of {number}" for number in range(CALLS)]
    assert lookups.most_at_a_time <= LOOKUP_THREADS
    assert len(lookups.threads) <= LOOKUP_THREADS


async def test_a_caller_who_goes_is_not_looked_up_any_more() -> None:
    tasks = [asyncio.ensure_future(user_in_call(str(number))) for number in range(CALLS)]
    await asyncio.sleep(0)
    for task in tasks[1:]:
        task.cancel()
    assert await tasks[0] == "user of 0"
    await asyncio.wait(tasks)
    await user_in_call("last")
    assert lookups.most_at_a_time <= LOOKUP_THREADS


async def test_outside_a_call_it_is_the_thread_of_async_orm_calls() -> None:
    """As Django's tests and scripts expect, whose transaction it sees so."""
    assert await aget_user(Context("a")) == "user of a"
    assert not any(name.startswith("grpc_bridge") for name in lookups.threads)
