"""The gRPC-Web transports of the suite, binary and text: a client of its own, over one raw connection for each call.

Frames, base64 and trailers are read by the project's protocol core, which has tables of tests for itself; the tests in
`test_literal_bytes.py` make sure that both cannot be wrong in the same way.
"""

from __future__ import annotations

import http.client
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType

import grpc
from google.protobuf.message import Message

from grpc_bridge.codes import GRPCIO_CODES
from grpc_bridge.protocol.compression import DEFLATE, GZIP, Encoding
from grpc_bridge.protocol.frames import FLAG_COMPRESSED, FLAG_TRAILERS, HEADER, HEADER_BYTES, encode_frame
from grpc_bridge.protocol.text import TextDecoder, encode_text
from grpc_bridge.protocol.trailers import decode_trailers
from tests.contract.case import Answer, Call, Metadata
from tests.contract.http_client import Connection, pieces
from tests.contract.methods import METHODS, path
from tests.servers import Server

BINARY = "application/grpc-web+proto"
TEXT = "application/grpc-web-text+proto"

ENCODINGS = {grpc.Compression.NoCompression: None, grpc.Compression.Deflate: DEFLATE, grpc.Compression.Gzip: GZIP}

# What the server and the bridge add to a response. All other headers must be initial metadata.
HTTP_HEADERS = frozenset(
    (
        "cache-control", "connection", "content-length", "content-type", "date", "server", "transfer-encoding",
        "x-accel-buffering",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Mode:
    """One of the two ways that gRPC-Web travels."""

    name: str
    content_type: str
    is_text: bool

    def request_body(self, requests: Iterable[Message], encoding: Encoding | None = None) -> bytes:
        """Gives the bytes of request messages, each a segment of its own in text mode, and compressed if asked for."""
        messages = (request.SerializeToString() for request in requests)
        if encoding is not None:
            return b"".join(self.encode(encode_frame(encoding.compress(one), FLAG_COMPRESSED)) for one in messages)
        return b"".join(self.encode(encode_frame(one)) for one in messages)

    def encode(self, data: bytes) -> bytes:
        """Gives the bytes on the wire."""
        return encode_text(data) if self.is_text else data

    def headers(self) -> list[tuple[str, str]]:
        """Gives the headers that every call has."""
        return [("content-type", self.content_type), ("accept", self.content_type), ("x-grpc-web", "1")]


MODES = (Mode("binary", BINARY, is_text=False), Mode("text", TEXT, is_text=True))


def metadata_headers(metadata: Metadata) -> list[tuple[str, str]]:
    """Gives metadata as request headers."""
    return [(key, b64encode(value).decode() if isinstance(value, bytes) else value) for key, value in metadata]


def metadata_of(headers: Iterable[tuple[str, str]]) -> Metadata:
    decoded: list[tuple[str, str | bytes]] = []
    for name, value in headers:
        key = name.lower()
        is_binary = key.endswith("-bin")
        decoded.append((key, b64decode(value + "=" * (-len(value) % 4), validate=True) if is_binary else value))
    return tuple(decoded)


@dataclass
class Status:
    """How a call ended."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: Metadata


@dataclass
class Reply:
    """An answer as it arrives: its messages by iteration, and after the last one its status."""

    response: http.client.HTTPResponse
    response_type: type[Message]
    mode: Mode
    status: Status | None = None
    _buffer: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        assert self.response.status == 200, (self.response.status, self.response.read())
        assert self.response.headers.get_all("content-type") == [self.mode.content_type]
        assert not any(name.lower().startswith("grpc-") for name in self.response.headers), "a status in the headers"

    @property
    def initial_metadata(self) -> Metadata:
        """What the handler has sent with the headers."""
        return metadata_of(entry for entry in self.response.getheaders() if entry[0].lower() not in HTTP_HEADERS)

    def __iter__(self) -> Iterator[Message]:
        text = TextDecoder() if self.mode.is_text else None
        for piece in pieces(self.response):
            self._buffer += text.receive_data(piece) if text else piece
            yield from self._whole_messages()
        if text:
            text.end()
        assert not self._buffer, f"the answer ends inside a frame: {bytes(self._buffer)!r}"
        assert self.status is not None, "the answer has no trailers"

    def _whole_messages(self) -> Iterator[Message]:
        while len(self._buffer) >= HEADER_BYTES:
            flags, length = HEADER.unpack_from(self._buffer)
            end = HEADER_BYTES + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[HEADER_BYTES:end])
            del self._buffer[:end]
            assert self.status is None, "something follows the trailers"
            if flags == FLAG_TRAILERS:
                code, details, trailing = decode_trailers(payload)
                # A success has no message; grpcio's client drops one too.
                self.status = Status(GRPCIO_CODES[code], details if code else "", metadata_of(trailing))
            else:
                assert flags == 0, flags
                yield self.response_type.FromString(payload)

    def answer(self) -> Answer:
        """Reads to the end."""
        messages = tuple(self)
        assert self.status is not None
        return Answer(
            messages, self.status.code, self.status.details, self.initial_metadata, self.status.trailing_metadata
        )


class OpenCall:
    """A call on a connection of its own that stays open, for tests that look at it while it runs."""

    def __init__(
        self, transport: GrpcWebTransport, flavour: str, method: str, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        mode = transport.mode
        self.connection = Connection(transport.server)
        self._transport = transport
        self._mode = mode
        self._method = method
        self._path = path(flavour, method)
        self._headers = [*mode.headers(), *headers]

    def __enter__(self) -> OpenCall:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.connection.close()

    def send_whole(self, requests: Sequence[Message], encoding: Encoding | None = None) -> None:
        """Sends the request with all its messages, compressed if asked for, and its length."""
        body = self._mode.request_body(requests, encoding)
        self.connection.send_head("POST", self._path, [*self._headers, ("content-length", str(len(body)))])
        self.connection.send(body)

    def start_chunked(self) -> None:
        """Sends the head of a request whose messages follow by `send_message`."""
        self.connection.send_head("POST", self._path, [*self._headers, ("transfer-encoding", "chunked")])

    def send_message(self, request: Message) -> None:
        """Sends one message as one chunk."""
        data = self._mode.request_body([request])
        self.connection.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def end_messages(self) -> None:
        """Sends the last chunk, which is empty."""
        self.connection.send(b"0\r\n\r\n")

    def reply(self) -> Reply:
        """Waits for the head of the answer."""
        return self._transport.reply_to(self.connection, METHODS[self._method].response)


class GrpcWebTransport:
    """Calls a running server."""

    reply_type: type[Reply] = Reply

    def __init__(self, server: Server, mode: Mode) -> None:
        self.server = server
        self.mode = mode

    def call(self, flavour: str, call: Call) -> Answer:
        """Makes a call and gives its answer."""
        headers = metadata_headers(call.metadata)
        encoding = ENCODINGS[call.compression]
        if encoding is not None:
            headers.append(("grpc-encoding", encoding.name))
        if call.timeout is not None:
            headers.append(("grpc-timeout", f"{call.timeout * 1000:.0f}m"))
        with self.open(flavour, call.method, headers) as open_call:
            open_call.send_whole(call.requests, encoding)
            return open_call.reply().answer()

    def open(self, flavour: str, method: str, headers: Sequence[tuple[str, str]] = ()) -> OpenCall:
        """Opens a connection for a call that the test drives itself."""
        return OpenCall(self, flavour, method, headers)

    def reply_to(self, connection: Connection, response_type: type[Message]) -> Reply:
        """Waits for the head of the answer to a call that the test has made itself."""
        return self.reply_type(connection.response(), response_type, self.mode)
