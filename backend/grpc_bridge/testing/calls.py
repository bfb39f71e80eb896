"""What both test clients share of a call: how its request is written and how its answer is read.

No bytes move here, and no thread or event loop is known.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import grpc

from grpc_bridge.errors import GRPCIO_CODES
from grpc_bridge.protocol.compression import DEFLATE, GZIP, Encoding, request_encoding
from grpc_bridge.protocol.frames import FLAG_COMPRESSED, FLAG_TRAILERS, HEADER, HEADER_BYTES, encode_frame
from grpc_bridge.protocol.metadata import Metadata, Metadatum, decode_metadata, encode_metadata
from grpc_bridge.protocol.timeout import encode_timeout
from grpc_bridge.protocol.trailers import decode_trailers

CONTENT_TYPE = "application/grpc-web+proto"
HOST = "testserver"
"""Django's test runner adds this one to ALLOWED_HOSTS."""

_ENCODINGS = {grpc.Compression.Gzip: GZIP, grpc.Compression.Deflate: DEFLATE}

_NOT_INITIAL_METADATA = frozenset(("cache-control", "set-cookie", "vary", "x-accel-buffering"))
"""Response headers that are HTTP's. Those that `decode_metadata` leaves out, and all of CORS, are so too."""

# grpc/grpc doc/http-grpc-status-mapping.md
_CODES_OF_HTTP = {
    400: grpc.StatusCode.INTERNAL,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.UNIMPLEMENTED,
    429: grpc.StatusCode.UNAVAILABLE,
    502: grpc.StatusCode.UNAVAILABLE,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.UNAVAILABLE,
}

_MAX_MESSAGE_BYTES = 2**30  # what may be sent is the server's business; this only bounds a decompression


class StubMethod(NamedTuple):
    """What a stub says of a method when it asks the channel for it."""

    path: str
    request_streaming: bool
    response_streaming: bool
    serialize: Callable[[Any], bytes] | None = None
    deserialize: Callable[[bytes], Any] | None = None
    is_registered: bool | None = False


class CallOptions(NamedTuple):
    """What a stub is called with besides the request, in grpcio's order. `timeout` is in seconds."""

    timeout: float | None = None
    metadata: Metadata | None = None
    credentials: grpc.CallCredentials | None = None
    wait_for_ready: bool | None = None
    compression: grpc.Compression | None = None

    def headers(self) -> dict[str, str]:
        """Gives the request headers of the call. Raises `ValueError` for metadata that may not travel."""
        if self.credentials is not None:
            raise ValueError("call credentials need a channel with TLS; a test gives what they would add as metadata")
        headers = {"content-type": CONTENT_TYPE, "accept": CONTENT_TYPE, "x-grpc-web": "1"}
        for key, value in encode_metadata(self.metadata or ()):
            headers[key] = f"{headers[key]},{value}" if key in headers else value
        if self.timeout is not None:
            headers["grpc-timeout"] = encode_timeout(self.timeout)
        if self.encoding is not None:
            headers["grpc-encoding"] = headers["grpc-accept-encoding"] = self.encoding.name
        return headers

    @property
    def encoding(self) -> Encoding | None:
        """How the messages of the request are compressed, and those of the answer may be."""
        return None if self.compression is None else _ENCODINGS.get(self.compression)


def call_arguments(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, CallOptions]:
    """Gives request and options of a stub's call, whose first parameter has one of two names or is left out."""
    for name in ("request", "request_iterator"):
        if name in keywords:
            arguments = (keywords.pop(name), *arguments)
    return (arguments[0] if arguments else None), CallOptions(*arguments[1:], **keywords)


class RequestError(Exception):
    """A request message could not be made; the serializer's exception is the cause."""


def request_frame(method: StubMethod, request: Any, encoding: Encoding | None) -> bytes:
    """Gives the bytes that carry one request message. Raises `RequestError` for what is none."""
    try:
        message = request if method.serialize is None else method.serialize(request)
    except Exception as error:
        raise RequestError("Exception serializing request!") from error
    if encoding is None:
        return encode_frame(message)
    return encode_frame(encoding.compress(message), FLAG_COMPRESSED)


class Outcome(NamedTuple):
    """How a call ended."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[Metadatum, ...] = ()
    cause: BaseException | None = None
    """What the handler raised, if that is not what it told its caller; or what kept the request from being made."""


CANCELLED = Outcome(grpc.StatusCode.CANCELLED, "Locally cancelled by application!")


def request_failed(error: Exception) -> Outcome:
    """Gives the end of a call whose iterator of requests, or whose serializer, has raised `error`."""
    if isinstance(error, RequestError):
        return Outcome(grpc.StatusCode.INTERNAL, str(error), (), error.__cause__)
    return Outcome(grpc.StatusCode.UNKNOWN, "Exception iterating requests!", (), error)


class Answer:
    """An answer as it arrives. Its messages wait to be taken."""

    def __init__(self, method: StubMethod) -> None:
        self._method = method
        self._buffer = bytearray()
        self._http_status = 0
        self._is_rpc = False
        self._encoding: Encoding | None = None
        self.messages: deque[Any] = deque()
        self.waiting_bytes = 0
        """The size of the messages that wait; 0 when all have been taken."""
        self.initial_metadata: tuple[Metadatum, ...] | None = None
        self.cookies: list[str] = []
        """The values of the `set-cookie` headers."""
        self.failures: list[BaseException] = []
        """Exceptions of the handler that the caller is not told about."""
        self.outcome: Outcome | None = None
        self.has_status = False
        """Whether the outcome is the one that the answer brought."""

    def start(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Takes the head of the answer."""
        pairs = [(name.lower(), value) for name, value in headers]
        by_name = dict(pairs)
        self._http_status = status
        self._is_rpc = status == 200 and by_name.get("content-type") == CONTENT_TYPE
        self._encoding = request_encoding(by_name.get("grpc-encoding", ""))
        self.cookies = [value for name, value in pairs if name == "set-cookie"]
        self.initial_metadata = decode_metadata(
            (name, value)
            for name, value in pairs
            if name not in _NOT_INITIAL_METADATA and not name.startswith("access-control-")
        )

    def receive_data(self, data: bytes) -> None:
        """Takes a piece of the body."""
        self._buffer += data
        while self._is_rpc and self.outcome is None and len(self._buffer) >= HEADER_BYTES:
            flags, length = HEADER.unpack_from(self._buffer)
            end = HEADER_BYTES + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[HEADER_BYTES:end])
            del self._buffer[:end]
            if flags & FLAG_TRAILERS:
                self._end_with_trailers(payload)
            else:
                self._add_message(payload, flags)

    def _add_message(self, payload: bytes, flags: int) -> None:
        self.waiting_bytes += HEADER_BYTES + len(payload)
        if flags & FLAG_COMPRESSED and self._encoding is not None:
            payload = self._encoding.decompress(payload, _MAX_MESSAGE_BYTES)
        deserialize = self._method.deserialize
        try:
            self.messages.append(payload if deserialize is None else deserialize(payload))
        except Exception as error:  # the call fails where its caller cannot read it, as with grpcio
            self.end(Outcome(grpc.StatusCode.INTERNAL, "Exception deserializing response!", (), error))

    def _end_with_trailers(self, payload: bytes) -> None:
        code, details, pairs = decode_trailers(payload)
        self.has_status = True
        if not code and not self._method.response_streaming and len(self.messages) != 1:
            self.end(Outcome(grpc.StatusCode.INTERNAL, f"The answer has {len(self.messages)} messages instead of one"))
        cause = self.failures[-1] if self.failures else None
        # A success has no message; grpcio's client drops one, too.
        self.end(Outcome(GRPCIO_CODES[code], details if code else "", decode_metadata(pairs), cause))

    def take_message(self) -> Any:
        """Gives the first message that waits."""
        message = self.messages.popleft()
        if not self.messages:
            self.waiting_bytes = 0
        return message

    def end(self, outcome: Outcome | None = None) -> None:
        """The call ends with `outcome`, or because the body has ended. After the end this changes nothing."""
        if self.outcome is not None:
            return
        if outcome is None and self._http_status and not self._is_rpc:
            code = _CODES_OF_HTTP.get(self._http_status, grpc.StatusCode.UNKNOWN)
            text = self._buffer.decode("utf-8", errors="replace").strip()
            outcome = Outcome(code, f"HTTP status {self._http_status}: {text}")
        self.outcome = outcome or Outcome(grpc.StatusCode.INTERNAL, "The answer ends without a status")
        self.initial_metadata = self.initial_metadata or ()
