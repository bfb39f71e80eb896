"""What Django does around a view is done around a call: its signals, so that database connections are recycled.

Connections belong to threads, so the signals are sent in the thread that runs the handler. An async handler has no such
thread until it touches one (every async ORM call does, by `sync_to_async`): as under Django's own ASGI handler each
call gets a thread of its own for that, but only when it asks for it. A call that never does sends nothing.
"""

from __future__ import annotations

from asgiref.sync import SyncToAsync, ThreadSensitiveContext
from django.core.signals import request_finished, request_started
from django.db import connections


class Call:
    """The sender of the signals."""


def call_started() -> None:
    """Sends `request_started`. For the thread of a `def` handler, before it runs."""
    request_started.send(sender=Call)


def call_finished() -> None:
    """Sends `request_finished`. For the thread of a `def` handler, after it has run."""
    request_finished.send(sender=Call)


class AsyncCallThread:
    """Around an `async def` handler: gives it a thread for sync code on demand and lets that go at its end."""

    __slots__ = ("_context", "_token")

    def __enter__(self) -> None:
        self._context = ThreadSensitiveContext()
        self._token = SyncToAsync.thread_sensitive_context.set(self._context)

    def __exit__(self, *_: object) -> None:
        SyncToAsync.thread_sensitive_context.reset(self._token)
        executor = SyncToAsync.context_to_thread_executor.pop(self._context, None)
        if executor is not None:
            executor.submit(_leave_thread)
            executor.shutdown(wait=False)  # waiting would hold up the event loop for a query that was cancelled


def _leave_thread() -> None:
    call_finished()
    connections.close_all()  # the thread ends here, and a connection is of no use to another one
