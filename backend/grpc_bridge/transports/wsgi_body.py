"""The request body of the WSGI transport: `wsgi.input` within its length, and the messages in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.protocol.wire import BinaryWire, RequestReader

CHUNK_BYTES = 64 * 1024

DISCARD_BYTES = 64 * 1024 * 1024
"""How much of a body that nobody wants is read all the same, if its length is known. A client that still sends does not
see an answer on a connection that is reset under it."""


class WsgiBody:
    """Reads a request body once, never past its end."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self._input = environ["wsgi.input"]
        length: str = environ.get("CONTENT_LENGTH") or ""
        self._left: int | None = int(length) if length.isdecimal() and len(length) < 20 else None
        if self._left is None and not environ.get("wsgi.input_terminated"):
            self._left = 0  # without a length, only a server that marks the end by itself may be read from

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """Gives at most `size` bytes, b"" at the end. Raises `StatusError` for a body that breaks off."""
        if self._left is not None:
            size = min(size, self._left)
            if not size:
                return b""
        try:
            data: bytes = self._input.read(size)
        except Exception as error:  # servers have their own exceptions for a bad chunk or a lost connection
            self._left = 0
            raise StatusError(StatusCode.CANCELLED, "Request body could not be read") from error
        if self._left is not None:
            if not data:
                self._left = 0
                raise StatusError(StatusCode.CANCELLED, "Request body ends before its content-length")
            self._left -= len(data)
        elif not data:
            self._left = 0
        return data

    def read_messages(self, wire: BinaryWire, max_message_bytes: int) -> list[bytes]:
        """Gives the messages of the body, two at most. Raises `StatusError` for bytes that cannot be a request."""
        if self._left is not None and self._left <= 2 * max_message_bytes:
            return wire.read_body(self._read_whole(self._left), max_message_bytes)
        messages: list[bytes] = []
        for message in self.messages(wire, max_message_bytes):
            messages.append(message)
            if len(messages) == 2:
                break
        return messages

    def _read_whole(self, length: int) -> bytes:
        data = self.read(length)
        if len(data) == length:
            return data
        parts = [data]
        while part := self.read():
            parts.append(part)
        return b"".join(parts)

    def messages(self, wire: BinaryWire, max_message_bytes: int) -> Iterator[bytes]:
        """Gives the messages one by one, reading no further than it is asked to. Raises `StatusError` as above."""
        reader: RequestReader = wire.reader(max_message_bytes)
        while data := self.read():
            yield from reader.receive_data(data)
        reader.end()

    def discard(self) -> None:
        """Reads what is left of the body, if that is known to be little enough."""
        if self._left is None or self._left > DISCARD_BYTES:
            return
        try:
            while self.read():
                pass
        except StatusError:
            return
