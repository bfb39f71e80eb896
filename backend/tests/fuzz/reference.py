"""What a request says, read by code of its own: slowly, at once, from the whole body.

It shares nothing with the bridge, so where both agree they do not just have the same mistake.
"""

from __future__ import annotations

import base64
import gzip
import re
import zlib
from dataclasses import dataclass
from functools import lru_cache

from tests.fuzz.case import Case

MAX_MESSAGE_BYTES = 1024
"""The limit that the bridge under fuzz is set to, in both directions. Small, so that bodies beyond it are cheap."""

BINARY_TYPES = {"application/grpc-web", "application/grpc-web+proto"}
TEXT_TYPES = {"application/grpc-web-text", "application/grpc-web-text+proto", "application/grpc-web-text-base64"}
NATIVE_TYPES = {"application/grpc", "application/grpc+proto"}


_UNPADDED = re.compile(rb"(?:[A-Za-z0-9+/]{4})+")
_PADDED = re.compile(rb"[A-Za-z0-9+/]{2}(?:[A-Za-z0-9+/]=|==)")


@dataclass(frozen=True)
class Sent:
    """The messages that a client has sent whole, before the first fault if there is one."""

    messages: tuple[bytes, ...]
    is_whole: bool
    """Whether the body has no fault and came to its end."""


def content_type(case: Case) -> str:
    """Gives the media type of the request without parameters."""
    return (case.header("content-type") or "").split(";")[0].strip().lower()


def is_rpc(case: Case) -> bool:
    """Whether the request is an RPC by its content type, on this server."""
    kind = content_type(case)
    return kind in BINARY_TYPES or kind in TEXT_TYPES or (kind in NATIVE_TYPES and case.has_trailers)


@lru_cache(maxsize=8)
def sent(case: Case) -> Sent:
    """Reads the body as far as it is delivered."""
    body, is_whole = b"".join(case.delivered), not case.breaks_off
    if content_type(case) in TEXT_TYPES:
        body, text_is_whole = decoded(body)
        is_whole = is_whole and text_is_whole
    messages, frames_are_whole = _messages(body, case.header("grpc-encoding"))
    return Sent(tuple(messages), is_whole and frames_are_whole)


def decoded(text: bytes) -> tuple[bytes, bool]:
    """Gives the bytes of base64 segments up to the first fault, and whether there is none."""
    text = text.replace(b"\r", b"").replace(b"\n", b"")
    data = b""
    while text:
        run = _UNPADDED.match(text) or _PADDED.match(text)
        if run is None:
            return data, False
        data += base64.b64decode(run[0])
        text = text[run.end() :]
    return data, True


def _messages(body: bytes, encoding: str | None) -> tuple[list[bytes], bool]:
    messages: list[bytes] = []
    while body:
        length = int.from_bytes(body[1:5], "big")
        if len(body) < 5 or len(body) < 5 + length or length > MAX_MESSAGE_BYTES:
            return messages, False
        message = plain(body[0], body[5 : 5 + length], (encoding or "identity").strip().lower())
        if message is None or len(message) > MAX_MESSAGE_BYTES:
            return messages, False
        messages.append(message)
        body = body[5 + length :]
    return messages, True


def plain(flags: int, payload: bytes, encoding: str) -> bytes | None:
    if flags == 0:
        return payload
    if flags != 1 or encoding not in ("gzip", "deflate"):
        return None
    try:
        if encoding == "deflate":
            decompressor = zlib.decompressobj()
            message = decompressor.decompress(payload) + decompressor.flush()
            return message if decompressor.eof and not decompressor.unused_data else None
        return _one_gzip_member(payload)
    except (OSError, EOFError, zlib.error):
        return None


def _one_gzip_member(payload: bytes) -> bytes | None:
    message = gzip.decompress(payload)
    decompressor = zlib.decompressobj(wbits=31)
    decompressor.decompress(payload)
    return message if decompressor.eof and not decompressor.unused_data else None
