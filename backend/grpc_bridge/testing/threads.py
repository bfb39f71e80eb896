"""Where the sync code of a call runs under a test client: in the test's thread, whose transaction it sees so."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

from asgiref.sync import AsyncToSync, SyncToAsync

from grpc_bridge.loops import CallersThread

T = TypeVar("T")


class WaitingThread(CallersThread):
    """The thread of a sync test, which waits for an `async def` handler and runs that handler's sync code meanwhile."""

    def __init__(self) -> None:
        self._put: Callable[[Callable[[], None]], None] | None = None
        self._rest: Callable[[], None] = _nothing
        self._serve: Callable[[Future[Any]], None] = _nothing_for
        self._own_id = threading.get_ident()
        self._pending: set[Future[Any]] = set()
        self._is_gone = False

    def waits(
        self,
        put: Callable[[Callable[[], None]], None],
        rest: Callable[[], None],
        serve: Callable[[Future[Any]], None],
    ) -> None:
        self._put, self._rest, self._serve = put, rest, serve

    def serve_until(self, future: Future[Any]) -> None:
        if threading.get_ident() == self._own_id:
            self._serve(future)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        if self._put is None or self._is_gone:
            future.cancel()
            return future

        def run() -> None:
            self._pending.discard(future)
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        self._pending.add(future)
        self._put(run)
        return future

    def wait(self) -> None:
        """Waits for the end of a handler whose caller has gone, and runs what that does at its end."""
        self._rest()

    def leave(self) -> None:
        """Nobody waits any more: what was submitted and has not run never does."""
        self._is_gone = True
        for future in list(self._pending):
            future.cancel()


def _nothing() -> None:
    return


def _nothing_for(future: Future[Any]) -> None:
    return


class ThreadOfAsyncTest(CallersThread):
    """The thread in which the async ORM calls of the running test are made."""

    def __init__(self) -> None:
        self._executor = _thread_sensitive_executor()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        return self._executor.submit(fn, *args, **kwargs)


def _thread_sensitive_executor() -> Executor:
    """Gives what `sync_to_async` would use now: under Django's test runner it runs code in the test's main thread."""
    executor: Executor | None = getattr(AsyncToSync.executors, "current", None)
    if executor is None and (context := SyncToAsync.thread_sensitive_context.get(None)) is not None:
        executor = SyncToAsync.context_to_thread_executor.get(context)
    if executor is None:
        executor = AsyncToSync.loop_thread_executors.get(asyncio.get_running_loop())
    return executor or SyncToAsync.single_thread_executor
