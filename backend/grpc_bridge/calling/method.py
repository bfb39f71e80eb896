"""What a stub says of a method and of each call, and how a request message becomes bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import grpc

from grpc_bridge.protocol.compression import ACCEPT_ENCODING, DEFLATE, GZIP, Encoding
from grpc_bridge.protocol.frames import CLIENT, FLAG_COMPRESSED, encode_frame, larger_than_max
from grpc_bridge.protocol.metadata import Metadata, encode_metadata
from grpc_bridge.protocol.timeout import encode_timeout
from grpc_bridge.protocol.wire import BINARY

LARGEST_MESSAGE_BYTES = 2**32 - 1
"""What the length in front of a message can say."""

_ENCODINGS = {grpc.Compression.Gzip: GZIP, grpc.Compression.Deflate: DEFLATE}

_HEADERS = (
    ("content-type", BINARY.content_type),
    ("accept", BINARY.content_type),
    ("x-grpc-web", "1"),
    ACCEPT_ENCODING,
)


class StubMethod(NamedTuple):
    """What a stub says of a method when it asks the channel for it, and how large the channel lets messages be."""

    path: str
    request_streaming: bool
    response_streaming: bool
    serialize: Callable[[Any], bytes] | None = None
    deserialize: Callable[[bytes], Any] | None = None
    max_send_bytes: int = LARGEST_MESSAGE_BYTES
    max_receive_bytes: int = LARGEST_MESSAGE_BYTES


class CallOptions(NamedTuple):
    """What a stub is called with besides the request, in grpcio's order. `timeout` is in seconds."""

    timeout: float | None = None
    metadata: Metadata | None = None
    credentials: Any = None
    wait_for_ready: bool | None = None
    compression: grpc.Compression | None = None

    def headers(self) -> list[tuple[str, str]]:
        """Gives the request's headers, all but those of HTTP and the timeout.

        Raises `ValueError` for metadata that may not travel.
        """
        headers = [*_HEADERS, *encode_metadata(self.metadata or ())]
        if self.encoding is not None:
            headers.append(("grpc-encoding", self.encoding.name))
        return headers

    @property
    def encoding(self) -> Encoding | None:
        """How the messages of the request are compressed."""
        return None if self.compression is None else _ENCODINGS.get(self.compression)


def timeout_header(seconds: float) -> tuple[str, str]:
    """Gives the header that tells the server how long the caller waits."""
    return "grpc-timeout", encode_timeout(seconds)


def call_arguments(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, CallOptions]:
    """Gives request and options of a stub's call, whose first parameter has one of two names or is left out."""
    for name in ("request", "request_iterator"):
        if name in keywords:
            arguments = (keywords.pop(name), *arguments)
    return (arguments[0] if arguments else None), CallOptions(*arguments[1:], **keywords)


class RequestError(Exception):
    """A request message could not be made; the serializer's exception is the cause."""


def request_frame(method: StubMethod, request: Any, encoding: Encoding | None) -> bytes:
    """Gives the bytes that carry one request message.

    Raises `RequestError` for what is none, and `StatusError` RESOURCE_EXHAUSTED for one that is too large.
    """
    try:
        message = request if method.serialize is None else method.serialize(request)
        payload = message if encoding is None else encoding.compress(message)
    except Exception as error:
        raise RequestError("Exception serializing request!") from error
    if len(payload) > method.max_send_bytes:
        raise larger_than_max("Sent", len(payload), method.max_send_bytes, CLIENT)
    return encode_frame(payload, FLAG_COMPRESSED if encoding is not None else 0)
