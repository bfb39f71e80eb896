"""HTTP/2 under gunicorn's WSGI workers, as far as WSGI has no words for it.

One thread serves all streams of a connection. As long as it waits for one request's body in `wsgi.input.read`, nothing
is sent on that connection, and gunicorn's own time-out counts instead of the call's deadline; as long as it waits for
a handler, nobody reads that the caller has given the call up. Here it waits for all of that at once. Whatever it may
wait for, only that thread touches the connection.

gunicorn shows none of this in the environ, so it is taken from `wsgi.input`; where it is not there, or not as expected,
a request is served as any other.
"""

from __future__ import annotations

import os
import queue
import select
import threading
import time
from itertools import islice
from typing import Any, Generic, TypeVar

T = TypeVar("T")

MILLISECOND = 0.001

_NEEDED_OF_STREAM = ("body_complete", "connection", "disconnected", "expect_continue", "stream_id", "unacked_size")
_NEEDED_OF_CONNECTION = ("is_closed", "pending_requests", "pump")


class Http2Stream:
    """The request's side of one stream. For the server's thread only."""

    def __init__(self, body: Any, stream: Any, socket: Any) -> None:
        self._body = body
        self._stream = stream
        self._connection = stream.connection
        self._socket = socket
        self._pending = getattr(socket, "pending", lambda: 0)  # bytes that TLS has decrypted already
        self._held = b""
        self._is_lost = False

    @property
    def is_abandoned(self) -> bool:
        """Whether the caller has reset the stream, or its connection has ended."""
        return self._is_lost or self._stream.disconnected or self._connection.is_closed

    @property
    def is_readable(self) -> bool:
        """Whether `read` gives or raises something without waiting."""
        return bool(self._held or self._stream.unacked_size or self._stream.body_complete or self.is_abandoned)

    def read(self, size: int) -> bytes:
        """Gives at most `size` bytes of what has arrived, b"" at the end. Raises what gunicorn raises."""
        if not self._held:
            self._held = self._body.read(self._stream.unacked_size or size)
        data, self._held = self._held[:size], self._held[size:]
        return data

    def wait(self, seconds: float) -> bool:
        """Waits until something can be read. Gives False when that took too long."""
        end = time.monotonic() + seconds
        while not self.is_readable:
            left = end - time.monotonic()
            if left <= 0:
                return False
            self.look(left)
        return True

    def look(self, seconds: float | None, bell: int | None = None) -> None:
        """Takes note of what the connection has, of whichever stream.

        Waits for it, for so many seconds at most, None for any time, and no longer than until `bell`, a file
        descriptor, can be read.
        """
        try:
            if self._has_news(seconds, bell):
                self._pump()
        except Exception:  # the socket's, and gunicorn's own for a connection whose caller broke the protocol
            self._is_lost = True

    def _pump(self) -> None:
        connection = self._connection
        waiting = connection.pending_requests
        already = len(waiting)
        connection.pump(self._stream.stream_id)
        if connection.pending_requests is not waiting:
            # Somebody has given up who waited for a turn, so gunicorn has another queue now. What came with the news of
            # it has been added to the one before, which nobody looks at any more.
            connection.pending_requests.extend(islice(waiting, already, None))

    def _has_news(self, seconds: float | None, bell: int | None) -> bool:
        # What the server has put aside, while it waited for a caller to take its answer, makes no socket readable.
        if getattr(self._connection, "_deferred_events", ()) or self._pending():
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        if bell is not None:
            poll.register(bell, select.POLLIN)
        ready = poll.poll(None if seconds is None else seconds / MILLISECOND)
        return any(descriptor != bell for descriptor, _ in ready)


def http2_stream(environ: dict[str, Any]) -> Http2Stream | None:
    """Gives the stream of a request that came over HTTP/2, None for any other, and where a server shows none."""
    if environ.get("SERVER_PROTOCOL") != "HTTP/2.0":
        return None
    body, socket = environ["wsgi.input"], environ.get("gunicorn.socket")
    stream: Any = getattr(body, "_stream", None)
    is_known = (
        all(hasattr(stream, name) for name in _NEEDED_OF_STREAM)
        and all(hasattr(stream.connection, name) for name in _NEEDED_OF_CONNECTION)
        and hasattr(socket, "fileno")
    )
    if not is_known or stream.expect_continue:  # such a caller sends nothing before the server has begun to read
        return None
    return Http2Stream(body, stream, socket)


class Mailbox(Generic[T]):
    """What other threads have for a thread. `bell` can be waited for beside a socket."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[T] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._pipe: tuple[int, int] | None = None
        self._rings = False

    def put(self, item: T) -> None:
        """From anywhere: adds something."""
        self._queue.put(item)
        with self._lock:
            if self._pipe is not None and not self._rings:
                self._rings = True
                os.write(self._pipe[1], b"!")

    def get(self) -> T:
        """Gives what came first, and waits for it."""
        return self._queue.get()

    def is_empty(self) -> bool:
        """Whether `get` would wait."""
        return self._queue.empty()

    def bell(self) -> int:
        """Gives a file descriptor that can be read as soon as something is added from now on."""
        with self._lock:
            if self._pipe is None:
                self._pipe = os.pipe()
            if self._rings:
                self._rings = False
                os.read(self._pipe[0], 1)
            return self._pipe[0]

    def close(self) -> None:
        """There will be no more waiting for the bell."""
        with self._lock:
            pipe, self._pipe = self._pipe, None
        for end in pipe or ():
            os.close(end)
