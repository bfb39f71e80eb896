"""Length-prefixed frames: one byte of flags, four bytes of length (big-endian), the payload.

Rules: grpc/grpc doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message"; grpc/grpc doc/PROTOCOL-WEB.md for the trailer flag.
All frames are split by `split_frames`, but for the common case that there is one, which is `only_frame`'s.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from grpc_bridge.protocol.compression import Encoding
from grpc_bridge.protocol.status import StatusCode, StatusError

HEADER = struct.Struct(">BI")
HEADER_BYTES = HEADER.size

FLAG_COMPRESSED = 0x01
FLAG_TRAILERS = 0x80


def encode_frame(payload: bytes, flags: int = 0) -> bytes:
    """Gives the frame of one payload."""
    return HEADER.pack(flags, len(payload)) + payload


def only_frame(data: bytes, max_message_bytes: int) -> bytes | None:
    """Gives the message where `data` is one frame, without flags and not too large. None says to ask `split_frames`."""
    if len(data) < HEADER_BYTES:
        return None
    flags, length = HEADER.unpack_from(data)
    if flags or length != len(data) - HEADER_BYTES or length > max_message_bytes:
        return None
    return data[HEADER_BYTES:]


def split_frames(
    data: bytes | bytearray, max_message_bytes: int, encoding: Encoding | None = None
) -> tuple[list[bytes], int, int, StatusError | None]:
    """Gives the messages of the whole frames at the start of `data`, the number of bytes that they took, the number of
    bytes from there that the next frame needs before another call can find it whole, and what is wrong with that frame.

    `encoding` is how frames with the compressed flag are compressed. A frame is refused on its header alone, before its
    payload is waited for: with RESOURCE_EXHAUSTED for a message above `max_message_bytes`, with INTERNAL for flags that
    a request message cannot have and for what cannot be decompressed.
    """
    messages: list[bytes] = []
    start = 0
    available = len(data)
    source = data if isinstance(data, bytes) else memoryview(data)  # either way a slice is copied once
    try:
        while available - start >= HEADER_BYTES:
            flags, length = HEADER.unpack_from(data, start)
            if flags and (encoding is None or flags != FLAG_COMPRESSED):
                raise StatusError(StatusCode.INTERNAL, _refused_flags(flags))
            if length > max_message_bytes:
                raise larger_than_max("Received", length, max_message_bytes)
            end = start + HEADER_BYTES + length
            if end > available:
                return messages, start, end - start, None
            payload = bytes(source[start + HEADER_BYTES : end])
            messages.append(encoding.decompress(payload, max_message_bytes) if flags and encoding else payload)
            start = end
    except StatusError as error:
        if isinstance(source, memoryview):
            source.release()  # the error's traceback would keep it, and a bytearray that is looked at cannot shrink
        return messages, start, HEADER_BYTES, error
    return messages, start, HEADER_BYTES, None


def messages_then(messages: Iterable[bytes], error: StatusError) -> Iterator[bytes]:
    """Gives the messages before something wrong, then raises what it is."""
    yield from messages
    raise error


def _refused_flags(flags: int) -> str:
    if flags == FLAG_COMPRESSED:
        return "Compressed flag set in a frame, but the request has no grpc-encoding"
    return f"Frame with flags {flags:#04x} is not a message"


def larger_than_max(what: str, length: int, max_bytes: int) -> StatusError:
    """Gives the error of a message of `length` bytes, in grpcio's words. `what` is "Received" or "Sent"."""
    return StatusError(
        StatusCode.RESOURCE_EXHAUSTED, f"SERVER: {what} message larger than max ({length} vs. {max_bytes})"
    )


def truncated() -> StatusError:
    """Gives the error of a body that ends inside a frame."""
    return StatusError(StatusCode.INTERNAL, "Request body ends inside a frame")


class FrameReader:
    """Takes a body in chunks of any size and gives its messages as soon as each is whole.

    Holds at most one incomplete frame, hence at most `max_message_bytes` and a header beyond the chunk just given.
    """

    def __init__(self, max_message_bytes: int, encoding: Encoding | None = None) -> None:
        self._max_message_bytes = max_message_bytes
        self._encoding = encoding
        self._buffer = bytearray()
        self._needed = HEADER_BYTES

    def receive_data(self, data: bytes) -> Iterable[bytes]:
        """Gives the messages that `data` completes.

        Iterating raises the `StatusError` of `split_frames` after the messages before it, so that what a caller gets
        does not depend on how the body was cut.
        """
        self._buffer += data
        if len(self._buffer) < self._needed:
            return ()
        messages, taken, self._needed, error = split_frames(self._buffer, self._max_message_bytes, self._encoding)
        del self._buffer[:taken]
        return messages if error is None else messages_then(messages, error)

    @property
    def wanted_bytes(self) -> int:
        """How many bytes are missing until `receive_data` can tell more, at least one."""
        return self._needed - len(self._buffer)

    def end(self) -> None:
        """The body has ended. Raises `StatusError` INTERNAL if it ended inside a frame."""
        if self._buffer:
            raise truncated()
