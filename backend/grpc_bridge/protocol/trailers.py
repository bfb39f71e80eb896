"""Trailers, which end every answer: in native gRPC those of HTTP, in gRPC-Web a frame of the body.

Rules: grpc/grpc doc/PROTOCOL-HTTP2.md, "Responses"; doc/PROTOCOL-WEB.md, "HTTP/2 related behavior". The status always
travels here and never in the response headers: browsers hide headers that CORS does not expose, and clients that find a
status in both places report it twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from grpc_bridge.protocol.frames import FLAG_TRAILERS, encode_frame
from grpc_bridge.protocol.status import StatusCode, StatusError, decode_message, encode_message

_DIGITS = re.compile("[0-9]{1,3}")  # int() would take "+5", "1_0" and the digits of other scripts as well


def trailer_pairs(code: int, message: str = "", metadata: Sequence[tuple[str, str]] = ()) -> list[tuple[str, str]]:
    """Gives the trailers as pairs. `metadata` is what `encode_metadata` gave, so it cannot hold a line break."""
    pairs = [("grpc-status", str(int(code)))]
    if message:
        pairs.append(("grpc-message", encode_message(message)))
    pairs.extend(metadata)
    return pairs


def encode_trailers(code: int, message: str = "", metadata: Sequence[tuple[str, str]] = ()) -> bytes:
    """Gives the trailer frame of the trailers that `trailer_pairs` gives."""
    lines = [f"{key}: {value}\r\n" for key, value in trailer_pairs(code, message, metadata)]
    return encode_frame("".join(lines).encode("ascii"), FLAG_TRAILERS)


def decode_trailers(payload: bytes) -> tuple[StatusCode, str, list[tuple[str, str]]]:
    """Reads a trailer frame's payload: the status code, its message, and the other entries as header pairs.

    Takes what other servers write as well: upper case, no space after the colon. Raises `StatusError` INTERNAL when
    there is no status that a client could act on.
    """
    return status_of_pairs(_pairs(payload))


def _pairs(payload: bytes) -> Iterator[tuple[str, str]]:
    for line in payload.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip().lower(), value.strip()


def status_of_pairs(pairs: Iterable[tuple[str, str]]) -> tuple[StatusCode, str, list[tuple[str, str]]]:
    """Reads trailers that are pairs already, in lower case: as `decode_trailers` does. They may be response headers."""
    code, message, metadata = None, "", []
    for key, value in pairs:
        if key == "grpc-status":
            code = value
        elif key == "grpc-message":
            message = decode_message(value)
        else:
            metadata.append((key, value))
    try:
        if code is None or _DIGITS.fullmatch(code) is None:
            raise ValueError
        return StatusCode(int(code)), message, metadata
    except ValueError:
        raise StatusError(StatusCode.INTERNAL, f"Trailers without a valid grpc-status: {code!r}") from None
