"""Reads one answer of gRPC-Web over HTTP/1.1 as its bytes arrive, without I/O: its messages, then its outcome."""

from __future__ import annotations

from typing import NamedTuple

from grpc_bridge.protocol.frames import FLAG_TRAILERS, HEADER, HEADER_BYTES
from grpc_bridge.protocol.status import StatusCode, decode_message
from grpc_bridge.protocol.text import TextDecoder
from grpc_bridge.protocol.trailers import decode_trailers

BY_TRAILERS = "status"
BY_HEADERS = "status in headers"
CUT = "cut without a status"
CONNECTION_LOST = "connection lost"

PUSHBACK = "grpc-retry-pushback-ms"

_HTTP_CODES = {
    400: StatusCode.INTERNAL,
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.UNIMPLEMENTED,
    429: StatusCode.UNAVAILABLE,
    502: StatusCode.UNAVAILABLE,
    503: StatusCode.UNAVAILABLE,
    504: StatusCode.UNAVAILABLE,
}
"""What an HTTP status means that came without one of gRPC (grpc/grpc doc/http-grpc-status-mapping.md)."""

_END_OF_CHUNK = 2  # CR and LF


class Outcome(NamedTuple):
    """How a call has ended, and who said so."""

    code: StatusCode
    details: str
    cause: str
    pushback_seconds: float | None = None
    """When the server wants to see the caller again, if it says so."""

    def __str__(self) -> str:
        return f"{self.code.name} ({self.cause})"


def lost(details: str, cause: str = CONNECTION_LOST) -> Outcome:
    """Gives the outcome of a call whose answer has not come to its end: to be called again."""
    return Outcome(StatusCode.UNAVAILABLE, details, cause)


class AnswerReader:
    """Reads one answer. `outcome` is set once it is known; no message is given after that."""

    def __init__(self, *, is_text: bool) -> None:
        self.outcome: Outcome | None = None
        self.keeps_open = False
        """Whether the connection can carry another request, once this answer is over."""
        self._buffer = bytearray()
        self._frames = bytearray()
        self._text = TextDecoder() if is_text else None
        self._has_head = False
        self._is_chunked = False
        self._left = 0
        self._is_last_chunk = False
        self._body_ended = False

    def receive_data(self, data: bytes) -> list[bytes]:
        """Gives the messages that `data` completes. Raises `ValueError` for what is no answer at all."""
        self._buffer += data
        if not self._has_head and not self._read_head():
            return []
        body = self._chunks() if self._is_chunked else self._plain()
        messages = self._messages(self._text.receive_data(body) if self._text else body)
        if self._body_ended and self.outcome is None:
            self.outcome = lost("the body ends before the trailers", CUT)
        return messages

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be read of this answer that anybody would wait for."""
        return self.outcome is not None and (self._body_ended or not self.keeps_open)

    def connection_lost(self) -> None:
        """Nothing more arrives."""
        self.keeps_open = False
        if self.outcome is None:
            self.outcome = lost("inside the answer" if self._has_head else "before the answer")

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        first, *lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        self._has_head = True
        version, status, *_ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.keeps_open = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        self._is_chunked = headers.get("transfer-encoding", "") == "chunked"
        self._left = int(headers.get("content-length", 0 if self._is_chunked else -1))
        self._body_ended = self._left == 0 and not self._is_chunked
        if status != "200":
            self.keeps_open = False
            self.outcome = Outcome(_HTTP_CODES.get(int(status), StatusCode.UNKNOWN), first, f"HTTP {status}")
        elif "grpc-status" in headers:
            details = decode_message(headers.get("grpc-message", ""))
            self.outcome = Outcome(StatusCode(int(headers["grpc-status"])), details, BY_HEADERS)
        return True

    def _plain(self) -> bytes:
        body = bytes(self._buffer)
        self._buffer.clear()
        if self._left > 0:
            self._left -= len(body)
            self._body_ended = self._left <= 0
        return body

    def _chunks(self) -> bytes:
        """Takes what there is of chunks. `_left` counts the bytes of the current one with its end."""
        parts = []
        start, available = 0, len(self._buffer)
        while not self._body_ended:
            if self._left <= 0:
                line = self._buffer.find(b"\r\n", start)
                if line < 0:
                    break
                size = int(self._buffer[start:line].split(b";")[0], 16)
                self._is_last_chunk = size == 0
                self._left = size + _END_OF_CHUNK
                start = line + 2
            taken = min(self._left, available - start)
            if not taken:
                break
            parts.append(self._buffer[start : start + min(taken, max(self._left - _END_OF_CHUNK, 0))])
            start += taken
            self._left -= taken
            self._body_ended = self._is_last_chunk and self._left == 0
        del self._buffer[:start]
        return b"".join(parts)

    def _messages(self, data: bytes) -> list[bytes]:
        self._frames += data
        messages = []
        start, available = 0, len(self._frames)
        while available - start >= HEADER_BYTES and self.outcome is None:
            flags, length = HEADER.unpack_from(self._frames, start)
            end = start + HEADER_BYTES + length
            if end > available:
                break
            payload = bytes(self._frames[start + HEADER_BYTES : end])
            if flags == FLAG_TRAILERS:
                self._end(payload)
            elif flags:
                raise ValueError(f"a frame with flags {flags:#x}")
            else:
                messages.append(payload)
            start = end
        del self._frames[:start]
        return messages

    def _end(self, trailers: bytes) -> None:
        code, details, pairs = decode_trailers(trailers)
        pushback = dict(pairs).get(PUSHBACK)
        self.outcome = Outcome(code, details, BY_TRAILERS, None if pushback is None else int(pushback) / 1000)
