"""Message encodings: how a frame's payload is compressed, and what a request may and an answer can use.

Rules: grpc/grpc doc/compression.md; doc/PROTOCOL-HTTP2.md, "Message-Encoding". Each message is compressed by itself.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from grpc_bridge.protocol.status import StatusCode, StatusError

_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS
_ZLIB_WINDOW_BITS = zlib.MAX_WBITS  # the encoding is called "deflate", but it is what zlib writes, header and checksum


@dataclass(frozen=True)
class Encoding:
    """One way to compress a message. `name` is what `grpc-encoding` says."""

    name: str
    window_bits: int

    def compress(self, message: bytes) -> bytes:
        """Gives the compressed message."""
        compressor = zlib.compressobj(wbits=self.window_bits)
        return compressor.compress(message) + compressor.flush()

    def decompress(self, payload: bytes, max_message_bytes: int) -> bytes:
        """Gives the message. Never makes more than one byte beyond `max_message_bytes`.

        Raises `StatusError`: RESOURCE_EXHAUSTED for a message that would be larger, INTERNAL for a payload that is not
        one whole compressed message.
        """
        decompressor = zlib.decompressobj(wbits=self.window_bits)
        try:
            message = decompressor.decompress(payload, max_message_bytes + 1)
        except zlib.error:
            raise StatusError(StatusCode.INTERNAL, f"Message is not {self.name}") from None
        if len(message) > max_message_bytes:
            raise StatusError(
                StatusCode.RESOURCE_EXHAUSTED,
                "Decompressed message larger than max",  # grpcio's words; nobody knows how large it would be
            )
        if not decompressor.eof or decompressor.unused_data:
            raise StatusError(StatusCode.INTERNAL, f"Message is not {self.name}")
        return message


GZIP = Encoding("gzip", _GZIP_WINDOW_BITS)
DEFLATE = Encoding("deflate", _ZLIB_WINDOW_BITS)

_ENCODINGS = {encoding.name: encoding for encoding in (GZIP, DEFLATE)}

ACCEPT_ENCODING = ("grpc-accept-encoding", ",".join(("identity", *_ENCODINGS)))
"""The header that tells a peer which encodings its messages may use."""


def request_encoding(grpc_encoding: str) -> Encoding | None:
    """Gives the encoding that a request's `grpc-encoding` names, None for identity.

    Raises `StatusError` UNIMPLEMENTED, with the encodings that there are, for any other.
    """
    return _encoding(grpc_encoding, StatusCode.UNIMPLEMENTED)


def response_encoding(grpc_encoding: str) -> Encoding | None:
    """Gives the encoding that a response's `grpc-encoding` names, None for identity.

    Raises `StatusError` INTERNAL for any other: the server was told by `ACCEPT_ENCODING` which there are.
    """
    return _encoding(grpc_encoding, StatusCode.INTERNAL)


def _encoding(grpc_encoding: str, refusal: StatusCode) -> Encoding | None:
    name = grpc_encoding.strip().lower()
    if name in ("", "identity"):
        return None
    encoding = _ENCODINGS.get(name)
    if encoding is None:
        raise StatusError(refusal, f"Message encoding {grpc_encoding!r} is not supported", headers=(ACCEPT_ENCODING,))
    return encoding


def is_accepted(encoding: Encoding, accept_encoding: str | None) -> bool:
    """Whether a client that sent this `grpc-accept-encoding` can read the encoding."""
    return accept_encoding is not None and any(
        name.strip().lower() == encoding.name for name in accept_encoding.split(",")
    )
