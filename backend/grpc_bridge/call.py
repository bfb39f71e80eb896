"""One call as the transports and the dispatch hand it on: what was registered, asked for and allowed, in one place."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from grpc_bridge.call_state import CallContext
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.errors import HandlerError
from grpc_bridge.limits import StreamClock
from grpc_bridge.protocol.frames import larger_than_max
from grpc_bridge.protocol.negotiation import HttpAnswer
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.protocol.wire import BinaryWire, RequestReader

logger = logging.getLogger("grpc_bridge")


NOTHING = object()
"""Stands for a request or a response that is not there."""


def explained(error: HandlerError, request: object, response: object, context: CallContext) -> HandlerError:
    """Gives the error to end a unary call with, where one was raised on the way from its message to its answer.

    `request` is `NOTHING` until the message has been decoded, and `response` but for the time in which it is encoded.
    """
    if request is NOTHING:
        return _undecodable()
    return error if response is NOTHING else _unserializable(context, error)


def _undecodable() -> StatusError:
    return StatusError(StatusCode.INTERNAL, "Exception deserializing request!")


def _unserializable(context: CallContext, error: HandlerError) -> StatusError:
    text = "%s gave a response that cannot be serialized (call %s)"
    logger.error(text, context.call_path, context.call_id, exc_info=error)
    return StatusError(StatusCode.INTERNAL, "Failed to serialize response!")


class Call:
    """A call that has been admitted: its method exists and its headers are understood.

    `method` is the plan's until an interceptor chooses another. `clock` is set for streams that may not take any time
    they like.
    """

    __slots__ = ("clock", "context", "method", "plan")

    def __init__(self, context: CallContext) -> None:
        self.plan = context.call_plan
        self.method = context.call_plan.method
        self.context = context
        self.clock: StreamClock | None = None

    @property
    def settings(self) -> BridgeSettings:
        """What is set for the bridge."""
        return self.plan.settings

    @property
    def wire(self) -> BinaryWire:
        """The wire of the answer."""
        return self.plan.wire

    def reader(self) -> RequestReader:
        """Gives a reader for the request's body."""
        return self.plan.request_wire.reader(self.plan.max_receive_bytes, self.plan.request_encoding)

    def read_body(self, body: bytes) -> Iterable[bytes]:
        """Gives the messages of a body that is there as a whole. Iterating raises `StatusError` for bad input."""
        return self.plan.request_wire.read_body(body, self.plan.max_receive_bytes, self.plan.request_encoding)

    def message_of(self, body: bytes) -> bytes:
        """Gives the one message of a body that is there as a whole. Raises `StatusError` for bad input."""
        message = self.plan.request_wire.only_message(body, self.plan.max_receive_bytes)
        return self.one_message(self.read_body(body)) if message is None else message

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
            raise _undecodable() from None

    def encode(self, response: Any) -> bytes:
        """Gives the message that a response is. Raises `StatusError` for none, and for one that is too large."""
        try:
            message = self.method.serialize(response)
            size = len(message)
        except Exception as error:  # as above; None, above all, is no message
            raise _unserializable(self.context, error) from None
        limit = self.plan.max_send_bytes
        if size > limit:
            raise larger_than_max("Sent", size, limit)
        return message

    def headers(self) -> list[tuple[str, str]]:
        """Gives the response headers but for the length, initial metadata included. They are final from now on."""
        pairs, encoding = self.context.initial_pairs, self.context.response_encoding
        if not pairs and encoding is None:
            return list(self.plan.plain_headers)
        return self.plan.headers(pairs, encoding)

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
