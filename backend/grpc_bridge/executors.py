"""Where handlers run that cannot run where the server calls: a thread pool for `def`, an event loop for `async def`.
And a small pool that finds out who calls an `async def` handler.

All are made on first use, one a process, and forgotten in a forked child: threads do not survive a fork.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Protocol, TypeVar

from django.db import close_old_connections

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.lifecycle import call_finished, call_started
from grpc_bridge.loops import Outcome, attempted, callers_thread, outcome, settle
from grpc_bridge.threads import Job, SyncThreads

T = TypeVar("T")

LOOKUP_THREADS = 8
"""How many callers of `async def` handlers are looked up at a time. Each of these threads keeps a database connection.
When a server has restarted all streams come back at once: with a thread for each, more connections would be asked for
than the database has."""

LOOKUPS_WAITING = 100_000
"""How many more may wait. Streams and calls are limited elsewhere, this is above all such limits."""


class Cancellable(Protocol):
    """What has been handed to a thread."""

    def cancel(self) -> object:
        """Gives up its place among those that wait."""


_lock = threading.Lock()
_threads: SyncThreads | None = None
_lookup_threads: SyncThreads | None = None
_loop: asyncio.AbstractEventLoop | None = None


def sync_threads(settings: BridgeSettings) -> SyncThreads:
    """Gives the pool that runs `def` handlers. The settings count on the first call in a process."""
    global _threads
    if _threads is None:
        with _lock:
            if _threads is None:
                _threads = SyncThreads(settings.sync_threads, settings.sync_queue)
    return _threads


async def in_call_thread(run: Callable[[], T], settings: BridgeSettings) -> T:
    """Runs a `def` handler in a thread of the pool, with this task's context variables and Django's signals around it.

    When the call ends early this task stops waiting. The handler learns of it by its context; if it had not begun yet
    it never does. The loop may be closed before the handler ends. Raises what `begin_in_call_thread` raises.
    """
    job, settled = begin_in_call_thread(run, settings)
    try:
        return outcome(await settled)
    except asyncio.CancelledError:
        job.cancel()
        raise


def begin_in_call_thread(
    run: Callable[[], T], settings: BridgeSettings
) -> tuple[Cancellable, asyncio.Future[Outcome[T]]]:
    """Has a thread of the pool do what `in_call_thread` says, and does not wait for it.

    Raises `StatusError` RESOURCE_EXHAUSTED when no thread is free and no more calls may wait for one.
    """

    loop = asyncio.get_running_loop()
    settled: asyncio.Future[Outcome[T]] = loop.create_future()
    threads = callers_thread.get() or sync_threads(settings)
    return threads.submit(settle, loop, settled, copy_context(), _with_signals, run), settled


def run_in_call_thread(run: Callable[[], T], settings: BridgeSettings, give: Callable[[Outcome[T]], None]) -> Job:
    """The same for a caller without a loop: `give` gets, in that thread, what the handler gave or raised."""
    in_context = copy_context().run
    return sync_threads(settings).submit(lambda: give(attempted(in_context, _with_signals, run)))


def _with_signals(run: Callable[[], T]) -> T:
    call_started()
    try:
        return run()
    finally:
        call_finished()


async def in_lookup_thread(run: Callable[[], T]) -> T:
    """Runs a short query that belongs to no transaction of the call's, in one of a few threads that keep their database
    connections as long as `CONN_MAX_AGE` says."""
    global _lookup_threads
    if _lookup_threads is None:
        with _lock:
            if _lookup_threads is None:
                _lookup_threads = SyncThreads(LOOKUP_THREADS, LOOKUPS_WAITING)

    def around() -> T:
        close_old_connections()
        try:
            return run()
        finally:
            close_old_connections()

    loop = asyncio.get_running_loop()
    settled: asyncio.Future[Outcome[T]] = loop.create_future()
    job = _lookup_threads.submit(settle, loop, settled, copy_context(), around)
    try:
        return outcome(await settled)
    except asyncio.CancelledError:
        job.cancel()
        raise


def background_loop() -> asyncio.AbstractEventLoop:
    """Gives a running event loop for servers that have none. It runs in a daemon thread until the process ends."""
    global _loop
    if _loop is None:
        with _lock:
            if _loop is None:
                loop = asyncio.new_event_loop()
                threading.Thread(target=loop.run_forever, name="grpc_bridge_loop", daemon=True).start()
                _loop = loop
    return _loop


def _forget() -> None:
    global _threads, _lookup_threads, _loop, _lock
    _threads, _lookup_threads, _loop, _lock = None, None, None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
