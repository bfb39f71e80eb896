"""Status codes, the bridge's one error type, and how a status message travels. Nothing here knows a transport.

Exceptions of this package:

    StatusError             the call ends with this status. Raised by the protocol core for what a peer did wrong
    InvalidMetadataError    a `ValueError`: the application asked for metadata that cannot be put on the wire
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from urllib.parse import quote, unquote_to_bytes


class StatusCode(enum.IntEnum):
    """The seventeen status codes with their numbers on the wire (grpc/grpc: doc/statuscodes.md)."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


# grpc/grpc doc/http-grpc-status-mapping.md
_CODES_OF_HTTP = {
    400: StatusCode.INTERNAL,
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.UNIMPLEMENTED,
    429: StatusCode.UNAVAILABLE,
    502: StatusCode.UNAVAILABLE,
    503: StatusCode.UNAVAILABLE,
    504: StatusCode.UNAVAILABLE,
}


def code_of_http(http_status: int) -> StatusCode:
    """Gives what an HTTP status means for a call that got no status of its own, also the 200 of what is no answer."""
    return _CODES_OF_HTTP.get(http_status, StatusCode.UNKNOWN)


class StatusError(Exception):
    """A call that ends with a status other than OK.

    `message` goes to the caller as it stands, so it must hold nothing that only the server may know.
    `headers` are (name, value) pairs for the response headers that explain the status, `trailers` those that travel
    with it.
    """

    def __init__(
        self,
        code: StatusCode,
        message: str,
        headers: Sequence[tuple[str, str]] = (),
        trailers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message
        self.headers = tuple(headers)
        self.trailers = tuple(trailers)


# grpc/grpc doc/PROTOCOL-HTTP2.md, "Percent-Encoded": 0x20-0x24 and 0x26-0x7E stand for themselves. The percent sign
# never does: decodeURIComponent in the browser's client throws on a lone one.
_UNESCAPED = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


def encode_message(message: str) -> str:
    """Percent-encodes a status message for `grpc-message`. Lone surrogates become question marks."""
    encoded = quote(message, safe=_UNESCAPED, errors="replace")
    inner = encoded.strip(" ")
    if inner == encoded:
        return encoded
    # Who reads a header or a trailer takes spaces at its ends for none of its value.
    leading = len(encoded) - len(encoded.lstrip(" "))
    return "%20" * leading + inner + "%20" * (len(encoded) - leading - len(inner))


def decode_message(value: str) -> str:
    """Decodes `grpc-message`. Never fails: what is not percent-encoded UTF-8 is kept or replaced, as the rule asks."""
    return unquote_to_bytes(value.encode("utf-8", errors="replace")).decode("utf-8", errors="replace")
