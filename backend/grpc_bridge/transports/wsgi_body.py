"""The request body of the WSGI transport: `wsgi.input` within its length, and the messages in it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

from grpc_bridge.call import Call
from grpc_bridge.limits import patience, too_late
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.transports.wsgi_http2 import http2_stream
from grpc_bridge.transports.wsgi_patience import limited

CHUNK_BYTES = 64 * 1024

DISCARD_BYTES = 64 * 1024 * 1024
DISCARD_SECONDS = 2.0
DISCARD_PIECE_BYTES = 8 * 1024
"""How much of a body that nobody wants is read all the same, for how long, and how much at a time. A caller that still
sends does not see an answer on a connection that is reset under it."""


class WsgiBody:
    """Reads a request body once, never past its end."""

    def __init__(self, environ: dict[str, Any], *, is_read: bool = False) -> None:
        """`is_read` says that somebody else has read it to its end."""
        self._input = environ["wsgi.input"]
        self._socket = environ.get("gunicorn.socket")  # without it no wait can be limited
        self.stream = http2_stream(environ)
        """The HTTP/2 stream of which this is the body, None over HTTP/1, and where a server does not show it."""
        self.give_up_at = 0.0
        """When the wait for a piece ends that `arriving` has told of, by `time.monotonic`."""
        length: str = environ.get("CONTENT_LENGTH") or ""
        self._is_waiting = False
        self._is_late = False
        self._left: int | None = int(length) if length.isdecimal() and len(length) < 20 else None
        if is_read or (self._left is None and not environ.get("wsgi.input_terminated")):
            self._left = 0  # without a length, only a server that marks the end by itself may be read from

    @property
    def ended(self) -> bool:
        """Whether the body has been read to its end."""
        return self._left == 0

    def is_abandoned(self) -> bool:
        """Looks whether the caller has given the call up, as far as that can be known without waiting."""
        if self.stream is None:
            return False
        self.stream.look(0)
        return self.stream.is_abandoned

    def _read(self, size: int, seconds: float) -> bytes:
        """Gives at most `size` bytes, b"" at the end.

        Raises `TimeoutError` when no byte arrives for so long, `StatusError` CANCELLED for a body that breaks off.
        """
        if self._left is not None:
            size = min(size, self._left)
            if not size:
                return b""
        try:
            data = self._wait_for(size, seconds)
        except TimeoutError:
            self._left = 0
            raise
        except Exception as error:  # servers have their own exceptions for a bad chunk or a lost connection
            self._left = 0
            raise StatusError(StatusCode.CANCELLED, "Request body could not be read") from error
        if self._left is None:
            self._left = None if data else 0
        elif data:
            self._left -= len(data)
        else:
            self._left = 0
            raise StatusError(StatusCode.CANCELLED, "Request body ends before its content-length")
        return data

    def _wait_for(self, size: int, seconds: float) -> bytes:
        if self.stream is not None:
            if not self.stream.wait(seconds):
                raise TimeoutError
            return self.stream.read(size)
        if self._socket is None:
            data: bytes = self._input.read(size)
            return data
        before = self._socket.gettimeout()
        self._socket.settimeout(seconds)
        try:
            data = self._input.read(size)
        finally:
            self._socket.settimeout(before)
        return data

    def _receive(self, size: int, call: Call) -> bytes:
        """Gives what `_read` gives. Raises `StatusError` for a body that breaks off or does not arrive in time."""
        try:
            return self._read(size, patience(call))
        except TimeoutError:
            raise self._too_late(call) from None
        except StatusError:
            if self._is_late:
                raise self._too_late(call) from None
            raise

    def _too_late(self, call: Call) -> StatusError:
        """Ends the call, so that a handler notices the same as when the event loop sees first that its time is over."""
        self._left = 0
        error = too_late(call)
        call.context.terminate(error.code, error.message)
        return error

    def only_message(self, call: Call) -> bytes:
        """Gives the one message of a method whose requests do not stream. Raises `StatusError` for bad input."""
        if self._socket is None or self.stream is not None:
            return self._only_message(call)
        with limited(patience(call), self._be_late):
            return self._only_message(call)

    def _be_late(self) -> None:
        """From any thread: the request has taken too long, although its pieces keep coming."""
        self._is_late = True
        self.interrupt()

    def _only_message(self, call: Call) -> bytes:
        if self._left is not None and self._left <= call.plan.max_body_bytes:
            self._is_waiting = True
            try:
                return call.message_of(self._read_whole(call))
            finally:
                self._is_waiting = False
        messages: list[bytes] = []
        for message in self.messages(call):
            messages.append(message)
            if len(messages) > 1:
                break
        return call.one_message(messages)

    def _read_whole(self, call: Call) -> bytes:
        parts: list[bytes] = []
        while self._left:
            parts.append(self._receive(self._left, call))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def messages(self, call: Call) -> Iterator[bytes]:
        """Gives the messages one by one. Raises `StatusError` for bad input.

        A server's `read` waits until it has all that it was asked for, so no more is asked for than the next step
        needs: a message is there as soon as it has arrived, and one that is too large is refused on its header.
        """
        reader = call.reader()
        while data := self._receive_unless_over(min(reader.wanted_bytes, CHUNK_BYTES), call):
            yield from reader.receive_data(data)
        reader.end()

    def arriving(self, call: Call) -> Iterator[bytes | None]:
        """The same for a thread that has more to do than to wait: None stands for every time that it would have to.

        Before it comes back it looks at `stream`. Without one there is no way but to wait.
        """
        stream = self.stream
        if stream is None:
            yield from self.messages(call)
            return
        reader = call.reader()
        while True:
            self.give_up_at = time.monotonic() + call.settings.request_body_seconds
            while self._left != 0 and not stream.is_readable:
                if time.monotonic() >= self.give_up_at:
                    raise self._too_late(call)
                yield None
            if not (data := self._receive(CHUNK_BYTES, call)):
                break
            yield from reader.receive_data(data)
        reader.end()

    def _receive_unless_over(self, size: int, call: Call) -> bytes:
        self._is_waiting = True
        try:
            if not call.context.active:  # looked at after `_is_waiting` is set, so that `interrupt` misses nobody
                raise StatusError(StatusCode.CANCELLED, "The call is over")
            return self._receive(size, call)
        finally:
            self._is_waiting = False

    def interrupt(self) -> None:
        """From any thread, after the end of the call: to whoever waits for a piece of the request it breaks off.

        The connection is of no use for another request then. TLS takes such an end for an attack and would not let the
        answer out either, so there the wait goes on. Over HTTP/2 the connection is not this request's alone, and its
        thread hears of the end by itself.
        """
        is_breakable = self.stream is None and not isinstance(self._socket, ssl.SSLSocket)
        if self._is_waiting and self._socket is not None and is_breakable:
            with contextlib.suppress(OSError):  # the caller has gone
                self._socket.shutdown(socket.SHUT_RD)

    def discard(self) -> None:
        """Reads what is left of the body, within limits. To be called when the answer has been sent."""
        if self._socket is None:
            return
        give_up = time.monotonic() + DISCARD_SECONDS
        discarded = 0
        try:
            while discarded < DISCARD_BYTES and (data := self._read(DISCARD_PIECE_BYTES, DISCARD_SECONDS)):
                discarded += len(data)
                if time.monotonic() > give_up:
                    return
        except (StatusError, TimeoutError):
            return
