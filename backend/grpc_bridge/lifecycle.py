"""What Django does around a view is done around a call: its signals, so that database connections are recycled.

Connections belong to threads, so the signals are sent in the thread that runs the handler. They are sent when they can
change something: when this thread has used a database, when a cache wants closing, or when somebody besides Django
listens. For any other call they would cost more than all the rest of the bridge.

An async handler has no thread until it touches one (every async ORM call does, by `sync_to_async`): as under Django's
own ASGI handler each call gets a thread of its own for that, but only when it asks for it.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, MutableMapping
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar, copy_context
from typing import Any

from asgiref.sync import AsyncToSync, SyncToAsync
from django.core.cache import caches, close_caches
from django.core.cache.backends.base import BaseCache
from django.core.handlers.base import reset_urlconf
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections, reset_queries
from django.db.backends.signals import connection_created
from django.dispatch import Signal
from django.utils.module_loading import import_string

from grpc_bridge.loops import callers_thread

_DJANGO_RECEIVERS = {id(receiver) for receiver in (close_caches, close_old_connections, reset_queries, reset_urlconf)}


class ThreadState:
    """What is known of one thread."""

    has_connections = False
    """Whether it has used a database since its connections were last closed."""


class _ThisThread(threading.local):
    def __init__(self) -> None:
        self.state = ThreadState()


this_thread = _ThisThread()
"""Its `state` is that of the thread that asks."""


class Call:
    """The sender of the signals."""


def call_started() -> None:
    """Sends `request_started`, if need be. For the thread of a `def` handler, before it runs."""
    if this_thread.state.has_connections or _started.is_beyond_django():
        _send(request_started)


def call_finished() -> None:
    """Sends `request_finished`, if need be. For the thread of a `def` handler, after it has run."""
    if this_thread.state.has_connections or _finished.is_beyond_django() or caches_are_closed():
        _send(request_finished)
        _look_for_connections()


def recycle_connections() -> None:
    """Closes what `request_finished` would close. For a thread that has run callbacks of a call, and not its handler,
    around which the signals were sent."""
    if this_thread.state.has_connections:
        close_old_connections()
        _look_for_connections()


def _look_for_connections() -> None:
    this_thread.state.has_connections = any(
        wrapper.connection is not None for wrapper in connections.all(initialized_only=True)
    )


def nobody_listens() -> bool:
    """Whether nobody besides Django listens. Then an `async def` handler needs no thread for the signals, and a `def`
    handler no signals, unless its thread has connections or `caches_are_closed`."""
    if request_started.receivers == _started.django and request_finished.receivers == _finished.django:
        return True
    return not (_started.is_beyond_django() or _finished.is_beyond_django())


def _send(signal: Signal) -> None:
    if callers_thread.get() is None:
        signal.send(sender=Call)
    else:
        with _connections_kept():
            signal.send(sender=Call)


@contextmanager
def _connections_kept() -> Iterator[None]:
    """Around the sending of a signal: lets it close no connections, as Django's test client does."""
    signals = request_started, request_finished
    for signal in signals:
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in signals:
            signal.connect(close_old_connections)


def _remember_connection(**_: Any) -> None:
    this_thread.state.has_connections = True


connection_created.connect(_remember_connection, dispatch_uid="grpc_bridge")


@functools.cache
def caches_are_closed() -> bool:
    """Whether any configured cache does something when it is closed. Most do not."""
    backends = (import_string(cache["BACKEND"]) for cache in caches.settings.values())
    return any(backend.close is not BaseCache.close for backend in backends)


class _Audience:
    """Who listens to a signal. It hardly ever changes, so what was found out stands while the list is the same."""

    def __init__(self, signal: Signal) -> None:
        self._signal = signal
        self.django: list[Any] | None = None
        """Receivers of which it was found out that they are all Django's own."""

    def is_beyond_django(self) -> bool:
        """Whether somebody besides Django listens."""
        receivers = self._signal.receivers
        if receivers == self.django:
            return False
        # Each entry begins with its key: the id of the receiver, or its dispatch_uid, and the id of the sender.
        if any(entry[0][0] not in _DJANGO_RECEIVERS for entry in receivers):
            return True
        self.django = list(receivers)
        return False


_started, _finished = _Audience(request_started), _Audience(request_finished)


thread_of_call: ContextVar[Any] = SyncToAsync.thread_sensitive_context
"""Where asgiref looks for the key of the thread that sync code of the current call runs in."""

_threads: MutableMapping[Any, Executor] = SyncToAsync.context_to_thread_executor
"""Where it keeps those threads."""


def has_thread_of_its_own() -> bool:
    """Whether sync code of the current task gets a thread that belongs to its call: not under a test client, where it
    runs in the test's thread, and not outside a call."""
    return isinstance(thread_of_call.get(None), AsyncCallThread) and callers_thread.get() is None


class AsyncCallThread:
    """Around an `async def` handler: gives it a thread for sync code on demand and lets that go at its end.

    To asgiref it is what a `ThreadSensitiveContext` would be to code inside it: the key of the thread.
    """

    is_used = False
    """Whether somebody has looked for the thread, and so perhaps made it."""

    _exited = False  # asks asgiref

    def __hash__(self) -> int:
        # Threads are kept in a dictionary. Most calls never have one, and need not be looked for at their end.
        self.is_used = True
        return id(self)

    def __enter__(self) -> AsyncCallThread:
        self._token = thread_of_call.set(self)
        self._callers_thread = callers_thread.get()
        if self._callers_thread is not None:
            _threads[self] = self._callers_thread
        return self

    def __exit__(self, *_: object) -> None:
        thread_of_call.reset(self._token)
        executor = self._take()
        if self._callers_thread is not None:
            self._callers_thread.submit(copy_context().run, call_finished)
        elif executor is not None:
            _end_thread(executor)

    def _take(self) -> Executor | None:
        return _threads.pop(self, None) if self.is_used else None

    def end(self) -> None:
        """Lets the thread go that was made while this was in `thread_of_call`, if there is one."""
        executor = self._take()
        if executor is not None:
            _end_thread(executor)

    async def started(self) -> None:
        """Sends `request_started` if somebody besides Django listens; `request_finished` then follows at the end."""
        if _started.is_beyond_django() or _finished.is_beyond_django():
            with _connections_kept() if self._callers_thread is not None else nullcontext():
                await request_started.asend(sender=Call)


def release_thread() -> None:
    """Lets go of the thread that an `async def` handler has used for sync code so far, with its database connections.

    For a stream that has asked the database who calls and will now wait for long: it would keep both until its end.
    Sync code that it runs later gets a new thread. Does nothing for a call that has none.
    """
    context = thread_of_call.get(None)
    if context is None or callers_thread.get() is not None:
        return
    executor = _threads.pop(context, None)
    if executor is not None:
        _end_thread(executor)


def _end_thread(executor: Executor) -> None:
    executor.submit(leave_thread)
    executor.shutdown(wait=False)  # waiting would hold up the event loop for a query that was cancelled


def leave_thread() -> None:
    """Sends `request_finished` and closes the connections of a thread that ends."""
    request_finished.send(sender=Call)
    connections.close_all()  # of no use to another thread


@contextmanager
def sync_code_in(executor: Executor) -> Iterator[None]:
    """Has `executor` run what the current task hands to `sync_to_async`, as every async ORM call does."""
    before = getattr(AsyncToSync.executors, "current", None)
    AsyncToSync.executors.current = executor  # in this task only
    try:
        yield
    finally:
        AsyncToSync.executors.current = before
