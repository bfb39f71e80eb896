"""What a request is: an RPC on one of the wires, a request to be refused, or none of the bridge's business.

The decision reads as a table in `classify`. It needs the HTTP method, two headers and whether the path names a
registered method; no transport decides any of this for itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.protocol.wire import BINARY, TEXT, BinaryWire

# grpc/grpc doc/PROTOCOL-WEB.md names the first four; -base64 stands in its prose.
_WIRES: dict[str, BinaryWire] = {
    "application/grpc-web": BINARY,
    "application/grpc-web+proto": BINARY,
    "application/grpc-web-text": TEXT,
    "application/grpc-web-text+proto": TEXT,
    "application/grpc-web-text-base64": TEXT,
}

ACCEPT_ENCODING = "identity"
"""The message encodings that a request may use."""


@dataclass(frozen=True)
class Refusal:
    """An HTTP answer to a request that names a registered method but cannot be an RPC."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]

    @property
    def all_headers(self) -> tuple[tuple[str, str], ...]:
        """The response headers but for the length."""
        return (("content-type", "text/plain; charset=utf-8"), *self.headers)

    @property
    def body(self) -> bytes:
        """The text of the answer, for the person who reads it in a terminal."""
        return f"{self.status} {self.reason}\n".encode("ascii")


METHOD_NOT_ALLOWED = Refusal(405, "Method Not Allowed", (("allow", "POST"),))
UNSUPPORTED_MEDIA_TYPE = Refusal(415, "Unsupported Media Type", (("accept-post", ", ".join(_WIRES)),))


def wire_of(content_type: str | None) -> BinaryWire | None:
    """Gives the wire of a content type, or None where it is not gRPC-Web. Case and parameters do not matter."""
    if content_type is None:
        return None
    wire = _WIRES.get(content_type)
    return wire if wire is not None else _WIRES.get(content_type.partition(";")[0].strip().lower())


def classify(registered: bool, http_method: str, content_type: str | None) -> BinaryWire | Refusal | None:
    """Says what a request is: the wire of its body, the refusal to answer with, or None for Django's.

    Only these content types make an RPC, never the path alone: a page on another site cannot send them without asking
    by a CORS preflight first, while it can post forms and plain text wherever it likes.
    """
    wire = wire_of(content_type)
    if wire is None and not registered:
        return None  # an ordinary request
    if http_method != "POST":
        return METHOD_NOT_ALLOWED if registered else None
    if wire is None:
        return UNSUPPORTED_MEDIA_TYPE
    return wire  # also for an unknown method: its caller expects a gRPC status, not a web page


def answer_wire(request_wire: BinaryWire, accept: str | None) -> BinaryWire:
    """Gives the wire of the answer: text if the caller lists it, else the wire of the request."""
    if accept is not None and "application/grpc-web-text" in accept.lower():
        return TEXT
    return request_wire


def check_encoding(encoding: str | None) -> None:
    """Raises `StatusError` UNIMPLEMENTED, with the encodings there are, for a `grpc-encoding` that cannot be read."""
    if encoding is not None and encoding.strip().lower() not in ("", "identity"):
        raise StatusError(
            StatusCode.UNIMPLEMENTED,
            f"Message encoding {encoding!r} is not supported",
            headers=(("grpc-accept-encoding", ACCEPT_ENCODING),),
        )
