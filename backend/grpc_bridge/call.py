"""One call as the transports and the dispatch hand it on: what was registered, asked for and allowed, in one place."""

from __future__ import annotations

import time
from collections.abc import Sequence

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.context import AsyncContext, CallContext, CallSource, SyncContext
from grpc_bridge.protocol.negotiation import answer_wire, check_encoding
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.protocol.timeout import decode_timeout
from grpc_bridge.protocol.wire import BinaryWire, RequestReader
from grpc_bridge.registry import Method

STREAM_HEADERS = (
    ("cache-control", "no-cache, no-transform"),  # no cache may keep it, no proxy may compress and so collect it
    ("x-accel-buffering", "no"),  # nginx and those that follow it pass each message on at once
)


class Call:
    """A call that has been admitted: its method exists and its headers are understood."""

    __slots__ = ("context", "method", "request_wire", "settings", "wire")

    def __init__(
        self, method: Method, request_wire: BinaryWire, wire: BinaryWire, context: CallContext, settings: BridgeSettings
    ) -> None:
        self.method = method
        self.request_wire = request_wire
        self.wire = wire
        self.context = context
        self.settings = settings

    def reader(self) -> RequestReader:
        """Gives a reader for the request's body."""
        return self.request_wire.reader(self.settings.max_receive_message_bytes)

    def read_body(self, body: bytes) -> list[bytes]:
        """Gives the messages of a body that is there as a whole. Raises `StatusError` for bad input."""
        return self.request_wire.read_body(body, self.settings.max_receive_message_bytes)

    def one_message(self, messages: list[bytes]) -> bytes:
        """Gives the message of a request that has one. Raises `StatusError` UNIMPLEMENTED for any other number."""
        if len(messages) != 1:
            raise StatusError(StatusCode.UNIMPLEMENTED, f'"{self.method.path}" requires exactly one request message.')
        return messages[0]

    def headers(self) -> list[tuple[str, str]]:
        """Gives the response headers but for the length, initial metadata included."""
        headers = [("content-type", self.wire.content_type), *self.context.initial_pairs]
        if self.method.response_streaming:
            headers.extend(STREAM_HEADERS)
        return headers

    def unary_body(self, payload: bytes | None) -> bytes:
        """Gives the body of an answer of one message, or of none where `payload` is None."""
        context = self.context
        if payload is not None and context.plain:
            return self.wire.unary_ok(payload)
        if payload is None or context.ended_early:
            return self.trailers()
        return self.wire.message(payload) + self.trailers()

    def trailers(self) -> bytes:
        """Gives the bytes that end the answer."""
        code, message = self.context.status()
        return self.wire.trailers(code, message, self.context.trailing_pairs)


def admit(
    path: str,
    method: Method | None,
    request_wire: BinaryWire,
    source: CallSource,
    settings: BridgeSettings,
    *,
    accept: str | None,
    timeout: str | None,
    encoding: str | None,
) -> Call:
    """Makes the call of a request from its headers. Raises `StatusError` for a call that cannot be."""
    if method is None:
        raise StatusError(StatusCode.UNIMPLEMENTED, "Method not found!")
    if encoding is not None:
        check_encoding(encoding)
    deadline = None if timeout is None else time.monotonic() + decode_timeout(timeout)
    context = (AsyncContext if method.is_async else SyncContext)(path, source, deadline)
    return Call(method, request_wire, answer_wire(request_wire, accept), context, settings)


def refused_call(
    request_wire: BinaryWire, accept: str | None, error: StatusError
) -> tuple[Sequence[tuple[str, str]], bytes]:
    """Gives headers and body of the answer to a call that never began."""
    wire = answer_wire(request_wire, accept)
    body = wire.trailers(error.code, error.message)
    return [("content-type", wire.content_type), *error.headers], body
