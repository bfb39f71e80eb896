"""Callers of WSGI streams that go away while nothing is sent to them.

WSGI has no word for it, and a server's thread that waits for a handler looks at nothing else. Where the server shows
its socket (gunicorn does) and the system can tell (Linux), one thread of the process watches the sockets of all open
streams. Elsewhere a caller's end is noticed when the next message is sent to it.

A caller that closes its sending side only is taken for gone, as by gunicorn's ASGI worker.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Callable, Iterator
from typing import Any

from grpc_bridge.call import Call

_IS_SUPPORTED = hasattr(select, "EPOLLRDHUP")


class _Watch:
    """The thread that watches, and what it calls for each file descriptor."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._lock = threading.Lock()
        self._callbacks: dict[int, Callable[[], Any]] = {}
        threading.Thread(target=self._run, name="grpc_bridge_hangups", daemon=True).start()

    def add(self, descriptor: int, callback: Callable[[], Any]) -> bool:
        """Has `callback` called, once, when the peer hangs up. Gives False for a descriptor that is watched already."""
        with self._lock:
            if descriptor in self._callbacks:
                return False  # another stream of the same connection
            self._callbacks[descriptor] = callback
            self._epoll.register(descriptor, select.EPOLLRDHUP | select.EPOLLONESHOT)
            return True

    def remove(self, descriptor: int) -> None:
        """Watches a descriptor no more. To be called before it is closed."""
        with self._lock:
            del self._callbacks[descriptor]
            self._epoll.unregister(descriptor)

    def _run(self) -> None:
        while True:
            for descriptor, _ in self._epoll.poll():
                with self._lock:
                    # Since the event the descriptor may have become another connection's.
                    callback = self._callbacks.get(descriptor) if _has_hung_up(descriptor) else None
                if callback is not None:
                    callback()


def _has_hung_up(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    return bool(poll.poll(0))


_lock = threading.Lock()
_watch: _Watch | None = None


def _process_watch() -> _Watch:
    global _watch
    with _lock:
        if _watch is None:
            _watch = _Watch()
        return _watch


@contextlib.contextmanager
def watched(call: Call, environ: dict[str, Any]) -> Iterator[None]:
    """Around a stream: ends the call when its caller goes, if that can be known."""
    connection: Any = environ.get("gunicorn.socket")
    descriptor: int = connection.fileno() if _IS_SUPPORTED and hasattr(connection, "fileno") else -1
    if descriptor < 0 or not _process_watch().add(descriptor, call.context.disconnect):
        yield
        return
    try:
        yield
    finally:
        _process_watch().remove(descriptor)


def _forget() -> None:
    global _watch, _lock
    _watch, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
