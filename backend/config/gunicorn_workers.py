"""gunicorn's workers, which here say when they are about to end: streams end soon, and nobody keeps the worker.

AsgiWorker      gunicorn's `asgi`
ThreadWorker    gunicorn's `gthread`

A worker ends on SIGTERM (a stop, a reload by SIGHUP, one worker less), when it has served its number of requests, and
when its master has gone. Then

at once                 it takes no more connections
after LINGER_SECONDS    it closes connections that nobody uses; a browser keeps several of them
after `stream_grace`    its streams end with UNAVAILABLE and a hint when to come back
at last                 what is still open LAST_SECONDS before the end of its time of grace ends like the streams

gunicorn imports this module before it forks its workers. Nothing of the application may come with it, or workers would
go on with the old code after a reload.
"""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
import time
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi, gthread
from gunicorn.workers.base import Worker
from gunicorn.workers.gasgi import ASGIWorker
from gunicorn.workers.gthread import ThreadWorker as GunicornThreadWorker

LINGER_SECONDS = 0.25
"""How long unused connections stay open in a worker that ends: somebody may be sending a request already. Shorter than
the shortest hint of the bridge, or whoever comes back on such a connection would be sent away once more."""

LOOP_SECONDS = 1.0
"""How long an event loop may be too busy to hear that it takes no more connections."""

LAST_SECONDS = 2.0
"""How long the answers of calls that are ended last of all may take to reach their callers."""

MAX_LINGERING = 64
"""How many connections may be waited for at a time to be closed by their callers. Those beyond are closed at once."""

_lingering = threading.BoundedSemaphore(MAX_LINGERING)


class _Alive:
    """The attribute `alive` of a worker, which tells it when it becomes false. To read it costs nothing more."""

    def __set__(self, worker: _Draining, value: bool) -> None:
        worker.__dict__["alive"] = value
        if not value:
            worker.stopping.put(None)


class _Draining(Worker):
    """What both workers have in common."""

    alive = _Alive()
    stream_grace = 0.0
    """How many seconds streams may take to end by themselves. To be set in `post_worker_init`."""

    def __init__(self, *arguments: Any) -> None:
        # Put into by signal handlers; of all queues this one may be.
        self.stopping: queue.SimpleQueue[None] = queue.SimpleQueue()
        super().__init__(*arguments)

    def init_process(self) -> None:
        """Begins in the new process, which has its own handlers for signals later, and its master's until then."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        super().init_process()

    def load_wsgi(self) -> None:
        """Loads the application."""
        super().load_wsgi()
        threading.Thread(target=self._drain, name="drain", daemon=True).start()

    def _drain(self) -> None:
        """In a thread of its own."""
        import grpc_bridge

        self.stopping.get()
        begun, grace = time.monotonic(), self.cfg.graceful_timeout
        last = begun + max(grace - LAST_SECONDS, grace / 2)
        self.begin_to_end()
        _sleep_until(min(begun + self.stream_grace, last))
        grpc_bridge.drain()
        _sleep_until(last)
        grpc_bridge.drain(everything=True)

    def begin_to_end(self) -> None:
        """Takes no more connections. Worker classes that do so by themselves have nothing to add."""


def _sleep_until(moment: float) -> None:
    time.sleep(max(moment - time.monotonic(), 0))


class AsgiWorker(_Draining, ASGIWorker):
    """gunicorn's ASGI worker."""

    def __init__(self, *arguments: Any) -> None:
        self.connections: set[Connection] = set()
        super().__init__(*arguments)

    def init_signals(self) -> None:
        """Sets the handlers. uvloop would forget signals that come before it runs, while the application is loaded."""
        super().init_signals()
        signal.signal(signal.SIGTERM, lambda *_: self.handle_exit_signal())
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, lambda *_: self.handle_quit_signal())

    def begin_to_end(self) -> None:
        """Takes no more connections, and soon closes those that are not used.

        gunicorn itself would take connections for up to a second more, and wait for unused ones until it is killed.
        """
        begun = threading.Event()
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            self.loop.call_soon_threadsafe(self._begin_to_end, begun)
            begun.wait(LOOP_SECONDS)

    def _begin_to_end(self, begun: threading.Event) -> None:
        for server in self.servers:
            server.close()
        begun.set()
        self.loop.call_later(LINGER_SECONDS, self._close_unused)

    def _close_unused(self) -> None:
        for connection in list(self.connections):
            connection.close_if_unused()

    async def _shutdown(self) -> None:
        self.alive = False  # where the master has gone nobody has said so
        await super()._shutdown()


class Connection(ASGIProtocol):
    """A connection that its worker can find."""

    def connection_made(self, transport: Any) -> None:
        """The connection begins."""
        self.worker.connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self.worker.connections.discard(self)
        super().connection_lost(exc)

    def close_if_unused(self) -> None:
        """Closes the connection if it waits for a request. Those of HTTP/2 gunicorn ends by itself, with GOAWAY."""
        if self._awaiting_request and not self._finishing_calls:
            self._keepalive_timeout()
        elif self._h2c_buffer == b"":  # nothing has come yet that would tell HTTP/1 from HTTP/2
            self._close_transport()


class ThreadConnection(gthread.TConn):
    """A connection of a worker with threads."""

    def close(self, graceful: bool = False) -> None:
        """Closes the connection. After an answer it is waited, for two seconds at most, for the caller to do so first.

        gunicorn waits in the thread that takes connections and hands requests out, so that one caller who forgets to
        close a connection would hold up all others.
        """
        if graceful and _lingering.acquire(blocking=False):
            threading.Thread(target=self._linger, name="linger").start()
        else:
            super().close()

    def _linger(self) -> None:
        try:
            super().close(graceful=True)
        finally:
            _lingering.release()


class ThreadWorker(_Draining, GunicornThreadWorker):
    """gunicorn's worker with threads."""

    def _cap_keepalive(self, deadline: float) -> None:
        self.alive = False  # where the master has gone nobody has said so
        super()._cap_keepalive(deadline)


# gunicorn has no other place for them.
gasgi.ASGIProtocol = Connection
gthread.TConn = ThreadConnection
gthread.STOP_KEEPALIVE_LINGER = LINGER_SECONDS
