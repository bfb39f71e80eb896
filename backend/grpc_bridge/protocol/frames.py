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
_pack = HEADER.pack

FLAG_COMPRESSED = 0x01
FLAG_TRAILERS = 0x80

SERVER = "SERVER"
CLIENT = "CLIENT"
"""Who refuses a message, as grpcio's words for it begin."""


SHORT_BYTES = 1024
"""Messages shorter than this have their header ready: to pack it costs as much as to copy them."""

_SHORT_HEADERS = [_pack(0, length) for length in range(SHORT_BYTES)]


def plain_header(length: int) -> bytes:
    """Gives the header of a frame without flags."""
    return _SHORT_HEADERS[length] if length < SHORT_BYTES else _pack(0, length)


def encode_frame(payload: bytes, flags: int = 0) -> bytes:
    """Gives the frame of one payload."""
    return HEADER.pack(flags, len(payload)) + payload


def plain_frame(payload: bytes) -> bytes:
    """Gives the frame of one payload without flags."""
    return plain_header(len(payload)) + payload


def only_frame(data: bytes, max_message_bytes: int) -> bytes | None:
    """Gives the message where `data` is one frame, without flags and not too large. None says to ask `split_frames`."""
    length = len(data) - HEADER_BYTES
    if 0 <= length <= max_message_bytes and data[:HEADER_BYTES] == plain_header(length):
        return data[HEADER_BYTES:]
    return None


def split_frames(
    data: bytes | bytearray, max_message_bytes: int, encoding: Encoding | None = None, side: str = SERVER
) -> tuple[list[bytes], int, int, StatusError | None]:
    """Gives the messages of the whole frames at the start of `data`, the number of bytes that they took, the number of
    bytes from there that the next frame needs before another call can find it whole, and what is wrong with that frame.

    `encoding` is how frames with the compressed flag are compressed. A frame is refused on its header alone, before its
    payload is waited for: with RESOURCE_EXHAUSTED for a message above `max_message_bytes`, with INTERNAL for flags that
    a message cannot have and for what cannot be decompressed. `side` is who reads.
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
                raise larger_than_max("Received", length, max_message_bytes, side)
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


def split_trailers(
    data: bytes | bytearray, start: int, max_bytes: int, encoding: Encoding | None = None
) -> tuple[bytes | None, int]:
    """Gives the payload of the trailer frame that begins at `start`, if one does and it is whole, and the number of
    bytes from there that another call needs to find it so: 0 where no trailer frame begins.

    Takes compressed trailers, which some servers send. Raises `StatusError` for trailers above `max_bytes`, on their
    header alone, for other flags beside that of trailers, and for what cannot be decompressed.
    """
    if len(data) - start < HEADER_BYTES or not data[start] & FLAG_TRAILERS:
        return None, 0
    flags, length = HEADER.unpack_from(data, start)
    compressed = flags & ~FLAG_TRAILERS
    if compressed and (encoding is None or compressed != FLAG_COMPRESSED):
        raise StatusError(StatusCode.INTERNAL, f"Frame with flags {flags:#04x} is not trailers")
    if length > max_bytes:
        larger = f"Received trailers larger than max ({length} vs. {max_bytes})"
        raise StatusError(StatusCode.RESOURCE_EXHAUSTED, larger)
    needed = HEADER_BYTES + length
    if len(data) - start < needed:
        return None, needed
    payload = bytes(data[start + HEADER_BYTES : start + needed])
    return (encoding.decompress(payload, max_bytes) if compressed and encoding else payload), needed


def messages_then(messages: Iterable[bytes], error: StatusError) -> Iterator[bytes]:
    """Gives the messages before something wrong, then raises what it is."""
    yield from messages
    raise error


def _refused_flags(flags: int) -> str:
    if flags == FLAG_COMPRESSED:
        return "Compressed flag set in a frame, but there is no grpc-encoding"
    return f"Frame with flags {flags:#04x} is not a message"


def larger_than_max(what: str, length: int, max_bytes: int, side: str = SERVER) -> StatusError:
    """Gives the error of a message of `length` bytes, in grpcio's words. `what` is "Received" or "Sent"."""
    return StatusError(
        StatusCode.RESOURCE_EXHAUSTED, f"{side}: {what} message larger than max ({length} vs. {max_bytes})"
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
