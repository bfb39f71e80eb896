"""What a request is: an RPC on one of the wires, a request to be refused, or none of the bridge's business.

The decision reads as a table in `classify`. It needs the HTTP method, two headers and whether the path names a
registered method; no transport decides any of this for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from grpc_bridge.protocol.wire import BINARY, NATIVE, TEXT, BinaryWire

# grpc/grpc doc/PROTOCOL-HTTP2.md, "Content-Type", for the first two; doc/PROTOCOL-WEB.md for the others, of which
# -base64 stands in its prose.
_WIRES: dict[str, BinaryWire] = {
    "application/grpc": NATIVE,
    "application/grpc+proto": NATIVE,
    "application/grpc-web": BINARY,
    "application/grpc-web+proto": BINARY,
    "application/grpc-web-text": TEXT,
    "application/grpc-web-text+proto": TEXT,
    "application/grpc-web-text-base64": TEXT,
}


class HttpAnswer(NamedTuple):
    """A whole answer to a request for which no handler runs. `headers` are all but the length."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes
    trailers: Sequence[tuple[str, str]] = ()


def text_answer(status: int, text: str, *headers: tuple[str, str]) -> HttpAnswer:
    """Gives an answer for the person who reads it in a terminal. `text` is one line of ASCII."""
    return HttpAnswer(status, (("content-type", "text/plain; charset=utf-8"), *headers), f"{text}\n".encode("ascii"))


METHOD_NOT_ALLOWED = text_answer(405, "405 Method Not Allowed", ("allow", "POST"))
UNSUPPORTED_MEDIA_TYPE = text_answer(415, "415 Unsupported Media Type", ("accept-post", ", ".join(_WIRES)))
NO_TRAILERS = text_answer(
    505, "505 This server has no HTTP trailers here: use gRPC over HTTP/2 where it offers that, or gRPC-Web"
)


def wire_of(content_type: str | None) -> BinaryWire | None:
    """Gives the wire of a content type, or None where it is not gRPC. Case and parameters do not matter."""
    if content_type is None:
        return None
    wire = _WIRES.get(content_type)
    return wire if wire is not None else _WIRES.get(content_type.partition(";")[0].strip().lower())


def classify(
    registered: bool, http_method: str, content_type: str | None, has_http_trailers: bool
) -> BinaryWire | HttpAnswer | None:
    """Says what a request is: the wire of its body, the refusal to answer with, or None for Django's.

    Only these content types make an RPC, never the path alone: a page on another site cannot send them without asking
    by a CORS preflight first, while it can post forms and plain text wherever it likes.
    """
    wire = wire_of(content_type)
    if wire is None and not registered:
        return None  # an ordinary request
    if http_method != "POST":
        if not registered:
            return None
        return METHOD_NOT_ALLOWED if http_method != "HEAD" else METHOD_NOT_ALLOWED._replace(body=b"")
    if wire is None:
        return UNSUPPORTED_MEDIA_TYPE
    if wire.needs_http_trailers and not has_http_trailers:
        return NO_TRAILERS if registered else None
    return wire  # also for an unknown method: its caller expects a gRPC status, not a web page


def answer_wire(request_wire: BinaryWire, accept: str | None) -> BinaryWire:
    """Gives the wire of the answer: text if a gRPC-Web caller lists it, else the wire of the request."""
    if request_wire.needs_http_trailers:
        return request_wire
    if accept is not None and "application/grpc-web-text" in accept.lower():
        return TEXT
    return request_wire
