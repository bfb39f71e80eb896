"""HTTP headers to metadata and back. What a key or value may hold is decided here and nowhere else.

Rules: grpc/grpc doc/PROTOCOL-HTTP2.md, "Custom-Metadata", "Binary-Header".
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import NamedTuple

from grpc_bridge.protocol.status import StatusCode, StatusError


class Metadatum(NamedTuple):
    """One metadata entry. `value` is bytes where `key` ends with `-bin`, else str. grpcio's has the same two fields."""

    key: str
    value: str | bytes


class InvalidMetadataError(ValueError):
    """An application gave metadata that may not travel."""


Metadata = Iterable[tuple[str, str | bytes]]
"""What an application may give as metadata: pairs, as grpcio takes them."""

# Headers that steer HTTP or the RPC itself. A grpcio server does not show them to a servicer either.
_NOT_METADATA = frozenset(
    (
        "accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect",
        "grpc-accept-encoding", "grpc-encoding", "grpc-timeout", "host", "keep-alive", "proxy-authenticate",
        "proxy-authorization", "proxy-connection", "te", "trailer", "trailers", "transfer-encoding", "upgrade",
    )
)  # fmt: skip
_RESERVED = _NOT_METADATA | {"grpc-status", "grpc-message"}

# What servers and proxies add to a response for HTTP's sake, as does all of CORS; and a status, which is none.
_NOT_IN_ANSWER = frozenset(
    (
        "cache-control", "date", "grpc-message", "grpc-status", "server", "set-cookie", "vary", "via",
        "x-accel-buffering",
    )
)  # fmt: skip
_CORS = "access-control-"

_KEY = re.compile(r"[0-9a-z_.-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")


def decode_metadata(headers: Iterable[tuple[str, str]]) -> tuple[Metadatum, ...]:
    """Gives the invocation metadata in the order of the headers, duplicates kept.

    Raises `StatusError` INTERNAL for a `-bin` value that is not base64; a grpcio server answers the same.
    """
    metadata: list[Metadatum] = []
    for name, value in headers:
        key = name.lower()
        if key in _NOT_METADATA or _KEY.fullmatch(key) is None:
            continue
        if key.endswith("-bin"):
            metadata.extend(Metadatum(key, _decode_binary(key, part)) for part in value.split(","))
        else:
            metadata.append(Metadatum(key, value))
    return tuple(metadata)


def decode_answer_metadata(headers: Iterable[tuple[str, str]]) -> tuple[Metadatum, ...]:
    """Gives the metadata among the headers of a response, as `decode_metadata` does for those of a request.

    The names of `headers` are in lower case.
    """
    return decode_metadata(
        (name, value) for name, value in headers if name not in _NOT_IN_ANSWER and not name.startswith(_CORS)
    )


def _decode_binary(key: str, value: str) -> bytes:
    text = value.strip(" \t").rstrip("=")
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise StatusError(StatusCode.INTERNAL, f"Metadata entry {key!r} is not base64") from None


def encode_metadata(metadata: Metadata) -> tuple[tuple[str, str], ...]:
    """Gives the header pairs of an application's metadata, safe to write into a header block or a trailer frame.

    Raises `InvalidMetadataError` for a key or value that may not travel: reserved names, upper case, control characters
    (so that no value can forge another header), text in a `-bin` entry.
    """
    return tuple(_encode_entry(*entry) for entry in metadata)


def _encode_entry(key: str, value: str | bytes) -> tuple[str, str]:
    if not isinstance(key, str) or _KEY.fullmatch(key) is None:
        raise InvalidMetadataError(f"metadata key {key!r} may only hold lower case letters, digits and _ . -")
    if key in _RESERVED:
        raise InvalidMetadataError(f"metadata key {key!r} is reserved")
    if key.endswith("-bin"):
        if not isinstance(value, bytes):
            raise InvalidMetadataError(f"metadata value of {key!r} must be bytes")
        return key, b64encode(value).rstrip(b"=").decode("ascii")
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not isinstance(text, str) or _VALUE.fullmatch(text) is None:
        raise InvalidMetadataError(f"metadata value of {key!r} may only hold printable ASCII")
    return key, text
