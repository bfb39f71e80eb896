"""Where the sync code of a call runs under a test client: in the test's thread, whose transaction it sees so."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from contextvars import Context
from functools import partial
from typing import Any, TypeVar

from asgiref.sync import AsyncToSync, SyncToAsync

from grpc_bridge.lifecycle import CallersThread, Put, callers_thread

T = TypeVar("T")


class ThreadOfTest(CallersThread):
    """The thread of a test as one of its calls sees it: a list of jobs, done wherever in the call the thread waits.

    It may wait in one place inside another, where interceptors cross between `def` and `async def`. A job that came too
    late for one place is done in the next.
    """

    def __init__(self, put: Put | None = None) -> None:
        self._put = put
        self._rest: Callable[[], None] | None = None
        self._jobs: deque[Callable[[], None]] = deque()
        self._pending: set[Future[Any]] = set()
        self._is_left = False
        self._lock = threading.Lock()

    def waits(self, put: Put, rest: Callable[[], None]) -> None:
        with self._lock:
            self._put, self._rest = put, rest
            self._poke()

    @contextmanager
    def waits_within(self, put: Put) -> Iterator[None]:
        with self._lock:
            before, self._put = self._put, put
            self._poke()
        try:
            yield
        finally:
            self._put = before  # where jobs are done already, and those that are left come next

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            if self._is_left:
                future.cancel()
                return future
            self._pending.add(future)
            self._jobs.append(partial(_settle, future, fn, *args, **kwargs))
            self._poke()
        future.add_done_callback(self._pending.discard)
        return future

    def _poke(self) -> None:
        if self._jobs and self._put is not None:
            self._put(self._run_jobs)

    def _run_jobs(self) -> None:
        while self._jobs:
            self._jobs.popleft()()

    def wait(self) -> None:
        """Waits for the end of a handler whose caller has gone, and does what that leaves to be done."""
        if self._rest is not None:
            self._rest()

    def leave(self) -> None:
        """Nobody waits any more: what has not been done never is."""
        self._is_left = True
        for future in list(self._pending):
            future.cancel()


def _settle(future: Future[T], function: Callable[..., T], *args: Any, **kwargs: Any) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function(*args, **kwargs))
    except BaseException as error:
        future.set_exception(error)


def use_thread_of_async_test(context: Context) -> None:
    """Gives calls in `context` the thread where the ORM calls of the test are: under Django's runner the main one."""
    executor: Executor | None = getattr(AsyncToSync.executors, "current", None)
    if executor is None and (sensitive := SyncToAsync.thread_sensitive_context.get(None)) is not None:
        executor = SyncToAsync.context_to_thread_executor.get(sensitive)
    if executor is None:
        executor = AsyncToSync.loop_thread_executors.get(asyncio.get_running_loop())
    context.run(callers_thread.set, ThreadOfTest((executor or SyncToAsync.single_thread_executor).submit))
    # What is there goes before any other, and does not know where else the thread may wait.
    context.run(setattr, AsyncToSync.executors, "current", None)
