"""An answer as its caller reads it: the head, then the body in pieces of any size.

Rules: grpc/grpc doc/PROTOCOL-WEB.md; doc/http-grpc-status-mapping.md for what is no answer to a call at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from grpc_bridge.protocol.compression import Encoding, response_encoding
from grpc_bridge.protocol.frames import CLIENT, HEADER_BYTES, messages_then, split_frames, split_trailers
from grpc_bridge.protocol.metadata import Metadatum, decode_answer_metadata, decode_metadata
from grpc_bridge.protocol.negotiation import wire_of
from grpc_bridge.protocol.status import StatusCode, StatusError, code_of_http
from grpc_bridge.protocol.trailers import decode_trailers, status_of_pairs
from grpc_bridge.protocol.wire import BINARY

MAX_TRAILERS_BYTES = 64 * 1024
"""More trailers than this are refused. It is four times what grpcio's client takes."""

MAX_TEXT_BYTES = 1024
"""How much is kept of a page that came in place of an answer."""


class AnswerStatus(NamedTuple):
    """How the server says that a call has ended."""

    code: StatusCode
    message: str
    trailing_metadata: tuple[Metadatum, ...]


class AnswerReader:
    """Takes an answer in binary gRPC-Web and gives its messages as soon as each is whole, and at last its status.

    Holds at most one incomplete frame beyond the piece just given. Where the head says that there is a status in the
    headers, it counts only if no frame follows: then all headers are trailers.
    """

    def __init__(self, max_message_bytes: int) -> None:
        self._max_message_bytes = max_message_bytes
        self._http_status = 0
        self._status_headers: list[tuple[str, str]] | None = None
        self._encoding: Encoding | None = None
        self._buffer = bytearray()
        self._needed = HEADER_BYTES
        self.is_rpc = False
        """Whether the body is frames. If not, it is text for people."""
        self.initial_metadata: tuple[Metadatum, ...] | None = None
        """None until it is known."""
        self.status: AnswerStatus | None = None
        """None until the trailers are there. Nothing is read that follows them."""

    def start(self, http_status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Takes the head. Raises `StatusError` INTERNAL for an encoding that there is not, and for broken metadata."""
        pairs = [(name.lower(), value) for name, value in headers]
        by_name = dict(pairs)
        self._http_status = http_status
        self.is_rpc = http_status == 200 and wire_of(by_name.get("content-type")) is BINARY
        if self.is_rpc:
            self._encoding = response_encoding(by_name.get("grpc-encoding", ""))
        if "grpc-status" in by_name:
            self._status_headers = pairs
        else:
            self.initial_metadata = decode_answer_metadata(pairs)

    def receive_data(self, data: bytes) -> Iterable[bytes]:
        """Gives the messages that `data` completes.

        Iterating raises `StatusError`, after the messages before them, for bytes that cannot be an answer, and for a
        page in place of an answer, as soon as enough of it is there.
        """
        if self.status is not None:
            return ()
        self._buffer += data
        if not self.is_rpc:
            return messages_then((), self._no_answer()) if len(self._buffer) >= MAX_TEXT_BYTES else ()
        if len(self._buffer) < self._needed:
            return ()
        return self._split()

    def _split(self) -> Iterable[bytes]:
        buffer = self._buffer
        messages, taken, self._needed, error = split_frames(buffer, self._max_message_bytes, self._encoding, CLIENT)
        try:
            if error is not None:
                error = self._look_for_trailers(taken, error)
            if self._status_headers is not None:
                pairs, self._status_headers = self._status_headers, None
                self.initial_metadata = decode_answer_metadata(pairs)
        except StatusError as other:
            error = other
        del buffer[:taken]
        return messages if error is None else messages_then(messages, error)

    def _look_for_trailers(self, start: int, error: StatusError) -> StatusError | None:
        """Takes the trailers that begin at `start`, or gives the error of what does."""
        payload, needed = split_trailers(self._buffer, start, MAX_TRAILERS_BYTES, self._encoding)
        if not needed:
            return error
        self._needed = needed
        if payload is not None:
            code, message, pairs = decode_trailers(payload)
            self.status = AnswerStatus(code, message, decode_metadata(pairs))
        return None

    def end(self) -> None:
        """The body has ended. Raises `StatusError` if there is no status: the one that this has instead."""
        if self.status is not None:
            return
        if self._status_headers is not None and not (self.is_rpc and self._buffer):
            code, message, pairs = status_of_pairs(self._status_headers)
            self.initial_metadata = ()
            self.status = AnswerStatus(code, message, decode_answer_metadata(pairs))
        elif self.is_rpc:
            raise StatusError(StatusCode.INTERNAL, "The answer ends without a status")
        else:
            raise self._no_answer()

    def _no_answer(self) -> StatusError:
        text = self._buffer[:MAX_TEXT_BYTES].decode("utf-8", errors="replace").strip()
        return StatusError(code_of_http(self._http_status), f"HTTP status {self._http_status}: {text}".rstrip(": "))
