"""The wires as one object each: how a request body is read and what the bytes of an answer are.

A transport picks a wire once per call and from then on does not know which one it carries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from grpc_bridge.protocol.compression import Encoding
from grpc_bridge.protocol.frames import (
    FLAG_COMPRESSED,
    FrameReader,
    encode_frame,
    messages_then,
    only_frame,
    plain_frame,
    plain_header,
    split_frames,
    truncated,
)
from grpc_bridge.protocol.status import StatusCode
from grpc_bridge.protocol.text import TextDecoder, encode_text
from grpc_bridge.protocol.trailers import encode_trailers, trailer_pairs

_OK_TRAILERS = encode_trailers(StatusCode.OK)


class RequestReader:
    """Takes the body of a binary request in chunks and gives its messages."""

    def __init__(self, max_message_bytes: int, encoding: Encoding | None = None) -> None:
        self._frames = FrameReader(max_message_bytes, encoding)

    def receive_data(self, data: bytes) -> Iterable[bytes]:
        """Gives the messages that `data` completes.

        Iterating raises `StatusError` for bytes that cannot be a request, after the messages before them.
        """
        return self._frames.receive_data(data)

    @property
    def wanted_bytes(self) -> int:
        """How many bytes of the body are missing until `receive_data` can tell more, at least one."""
        return self._frames.wanted_bytes

    def end(self) -> None:
        """The body has ended. Raises `StatusError` INTERNAL if it ended too early."""
        self._frames.end()


class TextRequestReader(RequestReader):
    """Takes the body of a text request in chunks and gives its messages."""

    def __init__(self, max_message_bytes: int, encoding: Encoding | None = None) -> None:
        super().__init__(max_message_bytes, encoding)
        self._text = TextDecoder()

    def receive_data(self, data: bytes) -> Iterable[bytes]:
        """Gives the messages that `data` completes, as a binary reader does."""
        messages = self._frames.receive_data(self._text.receive_data(data))
        error = self._text.error
        return messages if error is None else messages_then(messages, error)

    @property
    def wanted_bytes(self) -> int:
        """How many bytes of the body are missing until `receive_data` can tell more, at least one."""
        return self._text.wanted_characters(self._frames.wanted_bytes)

    def end(self) -> None:
        """The body has ended. Raises `StatusError` INTERNAL if it ended too early."""
        self._text.end()
        self._frames.end()


class BinaryWire:
    """`application/grpc-web+proto`: frames as they are."""

    content_type = "application/grpc-web+proto"
    reader: type[RequestReader] = RequestReader
    needs_http_trailers = False

    def read_body(self, body: bytes, max_message_bytes: int, encoding: Encoding | None = None) -> Iterable[bytes]:
        """Gives the messages of a body that is there as a whole. Iterating raises `StatusError` as with a reader.

        The same as a reader given all at once, without its copies: this is the way of nearly every unary call.
        """
        messages, taken, _, error = split_frames(body, max_message_bytes, encoding)
        if error is None and taken == len(body):
            return messages
        return messages_then(messages, error or truncated())

    plain_message = staticmethod(plain_frame)
    """Gives the bytes that carry one message of the answer as it is. A stream may have very many."""

    only_message = staticmethod(only_frame)
    """Gives the message of a whole body where it is one plain frame, None where `read_body` has to look at it."""

    def message(self, payload: bytes, flags: int = 0) -> bytes:
        """Gives the bytes that carry one message of the answer. `flags` are those of its frame."""
        return encode_frame(payload, flags)

    def compressed_message(self, payload: bytes, encoding: Encoding) -> bytes:
        """Gives the bytes that carry one message of the answer, compressed."""
        return self.message(encoding.compress(payload), FLAG_COMPRESSED)

    def trailers(self, code: int, message: str = "", metadata: Sequence[tuple[str, str]] = ()) -> bytes:
        """Gives the bytes that end the body. `metadata` are pairs from `encode_metadata`."""
        return encode_trailers(code, message, metadata)

    def http_trailers(
        self, code: int, message: str = "", metadata: Sequence[tuple[str, str]] = ()
    ) -> Sequence[tuple[str, str]]:
        """Gives what HTTP has to send after the body. `metadata` are pairs from `encode_metadata`."""
        return ()

    def unary_ok(self, payload: bytes) -> bytes:
        """Gives the bytes of a whole answer of one message with status OK and no trailing metadata."""
        return b"".join((plain_header(len(payload)), payload, _OK_TRAILERS))  # a large one is copied once


class TextWire(BinaryWire):
    """`application/grpc-web-text+proto`: each frame a base64 segment of its own.

    Every segment ends on a group, so a client that decodes what has arrived never waits for the next message.
    """

    content_type = "application/grpc-web-text+proto"
    reader: type[RequestReader] = TextRequestReader

    def read_body(self, body: bytes, max_message_bytes: int, encoding: Encoding | None = None) -> Iterable[bytes]:
        """Gives the messages of a body that is there as a whole. Iterating raises `StatusError` as with a reader."""
        text = TextDecoder()
        binary = text.receive_data(body)
        messages, taken, _, error = split_frames(binary, max_message_bytes, encoding)
        if error is None:  # a reader refuses a frame by its header, too, before it looks for the end of the text
            error = text.error_at_end() or (truncated() if taken != len(binary) else None)
        return messages if error is None else messages_then(messages, error)

    @staticmethod
    def plain_message(payload: bytes) -> bytes:
        """Gives the bytes that carry one message of the answer as it is."""
        return encode_text(plain_frame(payload))

    @staticmethod
    def only_message(data: bytes, max_message_bytes: int) -> bytes | None:
        """Gives None: what is in a text has to be decoded first."""
        return None

    def message(self, payload: bytes, flags: int = 0) -> bytes:
        """Gives the bytes that carry one message of the answer. `flags` are those of its frame."""
        return encode_text(encode_frame(payload, flags))

    def trailers(self, code: int, message: str = "", metadata: Sequence[tuple[str, str]] = ()) -> bytes:
        """Gives the bytes that end the body. `metadata` are pairs from `encode_metadata`."""
        return encode_text(encode_trailers(code, message, metadata))

    def unary_ok(self, payload: bytes) -> bytes:
        """Gives the bytes of a whole answer of one message with status OK and no trailing metadata."""
        return encode_text(encode_frame(payload)) + _OK_TRAILERS_TEXT


_OK_TRAILERS_TEXT = encode_text(_OK_TRAILERS)


class NativeWire(BinaryWire):
    """`application/grpc`: frames as in binary mode, and the status in the trailers of HTTP/2.

    There are always headers, a body and trailers. gRPC's short form, with the status in the only header block, is not
    for servers in front of an ASGI or WSGI application: they end it by an empty data frame, which clients refuse.
    """

    content_type = "application/grpc"
    needs_http_trailers = True

    def trailers(self, code: int, message: str = "", metadata: Sequence[tuple[str, str]] = ()) -> bytes:
        """Gives nothing: the body ends with its last message."""
        return b""

    def http_trailers(
        self, code: int, message: str = "", metadata: Sequence[tuple[str, str]] = ()
    ) -> Sequence[tuple[str, str]]:
        """Gives what HTTP has to send after the body. `metadata` are pairs from `encode_metadata`."""
        return trailer_pairs(code, message, metadata)

    def unary_ok(self, payload: bytes) -> bytes:
        """Gives the body of an answer of one message."""
        return encode_frame(payload)


class GrpcioWire(NativeWire):
    """`application/grpc` where grpcio is the server: it makes the frames that travel, and compresses what is in them.

    The frames made here only carry each message and its flag from dispatch to transport.
    """

    def compressed_message(self, payload: bytes, encoding: Encoding) -> bytes:
        """Gives a frame of one message that is still to be compressed."""
        return self.message(payload, FLAG_COMPRESSED)


NATIVE = NativeWire()
GRPCIO = GrpcioWire()
BINARY = BinaryWire()
TEXT = TextWire()
