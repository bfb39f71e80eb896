"""Requests that arrive too slowly under WSGI, where the server's thread waits for each piece of them anew.

A socket's own time-out begins again with every byte, so a caller that sends one now and then would hold a thread for as
long as it likes. One thread of the process looks after all threads that wait for a whole request.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOOK_SECONDS = 0.25
"""How often it is looked whether somebody waits for too long: by so much they may wait longer."""


class _Watch:
    """The thread that looks, and what it calls when it is too late. To tell it of a request costs next to nothing."""

    def __init__(self) -> None:
        self._waiting: dict[object, tuple[float, Callable[[], None]]] = {}
        self._somebody_waits = threading.Event()
        threading.Thread(target=self._run, name="grpc_bridge_patience", daemon=True).start()

    def add(self, token: object, until: float, give_up: Callable[[], None]) -> None:
        self._waiting[token] = (until, give_up)
        if not self._somebody_waits.is_set():
            self._somebody_waits.set()

    def remove(self, token: object) -> None:
        self._waiting.pop(token, None)

    def _run(self) -> None:
        while True:
            # Not woken by each request, most of which are there at once: that would cost more than to serve them.
            self._somebody_waits.wait()
            time.sleep(LOOK_SECONDS)
            self._look()
            if not self._waiting:
                self._somebody_waits.clear()
                if self._waiting:  # since the line before
                    self._somebody_waits.set()

    def _look(self) -> None:
        now = time.monotonic()
        for token, (until, give_up) in list(self._waiting.items()):
            if now >= until and self._waiting.pop(token, None) is not None:
                give_up()


_lock = threading.Lock()
_watch: _Watch | None = None


@contextmanager
def limited(seconds: float, give_up: Callable[[], None]) -> Iterator[None]:
    """Has `give_up` called, once and in another thread, if the block takes longer than so many seconds."""
    global _watch
    if _watch is None:
        with _lock:
            if _watch is None:
                _watch = _Watch()
    watch, token = _watch, object()
    watch.add(token, time.monotonic() + seconds, give_up)
    try:
        yield
    finally:
        watch.remove(token)


def _forget() -> None:
    global _watch, _lock
    _watch, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
