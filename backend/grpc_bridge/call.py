"""One call as the transports and the dispatch hand it on: what was registered, asked for and allowed, in one place."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

from grpc_bridge.call_state import CallContext
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.limits import StreamClock
from grpc_bridge.protocol.compression import ACCEPT_ENCODING, Encoding
from grpc_bridge.protocol.frames import larger_than_max
from grpc_bridge.protocol.negotiation import HttpAnswer
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.protocol.wire import BinaryWire, RequestReader
from grpc_bridge.registry import Method

logger = logging.getLogger("grpc_bridge")

STREAM_HEADERS = (
    ("cache-control", "no-cache, no-transform"),  # no cache may keep it, no proxy may compress and so collect it
    ("x-accel-buffering", "no"),  # nginx and those that follow it pass each message on at once
)


class Call:
    """A call that has been admitted: its method exists and its headers are understood.

    `request_encoding` is how messages of the request may be compressed. `clock` is set for streams that may not take
    any time they like. `cors` is None where CORS is off, else it gives the headers for it, by the keys of the metadata
    that is sent.
    """

    __slots__ = ("clock", "context", "cors", "method", "request_encoding", "request_wire", "settings", "wire")

    def __init__(
        self,
        method: Method,
        request_wire: BinaryWire,
        wire: BinaryWire,
        context: CallContext,
        settings: BridgeSettings,
        request_encoding: Encoding | None = None,
    ) -> None:
        self.method = method
        self.request_wire = request_wire
        self.request_encoding = request_encoding
        self.wire = wire
        self.context = context
        self.settings = settings
        self.clock: StreamClock | None = None
        self.cors: Callable[[Iterable[str]], Iterable[tuple[str, str]]] | None = None

    def reader(self) -> RequestReader:
        """Gives a reader for the request's body."""
        return self.request_wire.reader(self.settings.max_receive_message_bytes, self.request_encoding)

    def read_body(self, body: bytes) -> Iterable[bytes]:
        """Gives the messages of a body that is there as a whole. Iterating raises `StatusError` for bad input."""
        return self.request_wire.read_body(body, self.settings.max_receive_message_bytes, self.request_encoding)

    def one_message(self, messages: Iterable[bytes]) -> bytes:
        """Gives the message of a request that has one. Raises `StatusError` UNIMPLEMENTED for any other number."""
        # Whoever sent two is told so, whatever follows: who reads piece by piece has not seen more, either.
        first_two = messages if isinstance(messages, list) else list(islice(messages, 2))
        if len(first_two) != 1:
            raise StatusError(StatusCode.UNIMPLEMENTED, f'"{self.method.path}" requires exactly one request message.')
        return first_two[0]

    def decode(self, message: bytes) -> Any:
        """Gives the request that a message is. Raises `StatusError` INTERNAL for one that is none."""
        try:
            return self.method.deserialize(message)
        except Exception:  # protobuf raises DecodeError, another codec may raise anything
            raise StatusError(StatusCode.INTERNAL, "Exception deserializing request!") from None

    def encode(self, response: Any) -> bytes:
        """Gives the message that a response is. Raises `StatusError` for none, and for one that is too large."""
        try:
            message = self.method.serialize(response)
        except Exception:  # as above; None, above all, is no message
            logger.exception(
                "%s gave a response that cannot be serialized (call %s)", self.method.path, self.context.call_id
            )
            raise StatusError(StatusCode.INTERNAL, "Failed to serialize response!") from None
        limit = self.settings.max_send_message_bytes
        if len(message) > limit:
            raise larger_than_max("Sent", len(message), limit)
        return message

    def headers(self) -> list[tuple[str, str]]:
        """Gives the response headers but for the length, initial metadata included. They are final from now on."""
        context = self.context
        headers = [("content-type", self.wire.content_type), *context.initial_pairs]
        if context.response_encoding is not None:
            headers.append(("grpc-encoding", context.response_encoding.name))
        if self.cors is not None:
            headers.extend(self.cors([name for name, _ in headers[1:]]))
        if self.wire.needs_http_trailers:
            headers.append(ACCEPT_ENCODING)
        elif self.method.response_streaming:
            headers.extend(STREAM_HEADERS)
        return headers

    def message(self, payload: bytes) -> bytes:
        """Gives the bytes that carry one message of the answer, compressed if the handler asked for it."""
        encoding = self.context.next_message_encoding()
        return self.wire.message(payload) if encoding is None else self.wire.compressed_message(payload, encoding)

    def unary_answer(self, payload: bytes | None) -> HttpAnswer:
        """Gives the answer of one message, or of none where `payload` is None."""
        context = self.context
        if payload is not None and context.plain:
            body = self.wire.unary_ok(payload)
        elif payload is None or context.ended_early:
            body = self.trailers()
        else:
            body = self.message(payload) + self.trailers()
        return HttpAnswer(200, self.headers(), body, self.http_trailers())

    def trailers(self) -> bytes:
        """Gives the bytes that end the body."""
        code, message = self.context.status()
        return self.wire.trailers(code, message, self.context.trailing_pairs)

    def http_trailers(self) -> Sequence[tuple[str, str]]:
        """Gives what HTTP has to send after the body."""
        if not self.wire.needs_http_trailers:
            return ()
        code, message = self.context.status()
        return self.wire.http_trailers(code, message, self.context.trailing_pairs)
