"""A client of HTTP/2 that does what it is told: it has no deadline of its own and gives calls up when the test says so.

grpcio's client keeps a deadline itself, so it cannot tell whether the server has.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from types import TracebackType

import grpc
import h2.config
import h2.connection
import h2.errors
import h2.events
from google.protobuf.message import Message

from grpc_bridge.codes import GRPC_CODES
from tests.contract.http_client import PIECE_BYTES, READ_SECONDS
from tests.contract.methods import METHODS, path
from tests.servers import Server

FRAME_HEADER = struct.Struct(">BI")
CODES = {code.value[0]: code for code in GRPC_CODES}


class Http2Connection:
    """One connection without TLS."""

    def __init__(self, server: Server) -> None:
        self._socket = socket.create_connection(server.address, timeout=READ_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._authority = server.authority
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.state.initiate_connection()
        self.calls: dict[int, Http2Call] = {}
        self.send()

    def __enter__(self) -> Http2Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self) -> None:
        """Sends what is ready."""
        self._socket.sendall(self.state.data_to_send())

    def receive(self) -> None:
        """Receives something. Raises `TimeoutError` if nothing comes, `ConnectionError` at the end."""
        data = self._socket.recv(PIECE_BYTES)
        if not data:
            raise ConnectionError("the server has closed the connection")
        for event in self.state.receive_data(data):
            call = self.calls.get(getattr(event, "stream_id", 0))
            if call is not None:
                call.take(event)
        self.send()

    def start(self, flavour: str, method: str, headers: Iterable[tuple[str, str]] = ()) -> Http2Call:
        """Starts a native call."""
        stream_id = self.state.get_next_available_stream_id()
        call = self.calls[stream_id] = Http2Call(self, stream_id, METHODS[method].response)
        fixed = (
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path(flavour, method)),
            (":authority", self._authority),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        )
        self.state.send_headers(stream_id, [*fixed, *headers])
        self.send()
        return call


class Http2Call:
    """One call. What is read of it is read from the connection, for all its calls."""

    def __init__(self, connection: Http2Connection, stream_id: int, response: type[Message]) -> None:
        self._connection = connection
        self._id = stream_id
        self._response = response
        self._body = bytearray()
        self._headers: dict[str, str] = {}
        self._trailers: dict[str, str] = {}
        self._is_over = False

    def send(self, message: Message, *, end: bool = False) -> None:
        """Sends a message, and with `end` says that it was the last."""
        payload = message.SerializeToString()
        self.send_bytes(FRAME_HEADER.pack(0, len(payload)) + payload, end=end)

    def send_bytes(self, data: bytes, *, end: bool = False) -> None:
        """Sends a piece of the body."""
        self._connection.state.send_data(self._id, data, end_stream=end)
        self._connection.send()

    def end(self) -> None:
        """Says that no message follows."""
        self._connection.state.end_stream(self._id)
        self._connection.send()

    def cancel(self, *, with_what_follows: bool = False) -> None:
        """Gives the call up, as gRPC clients do: at once, or in one packet with what is sent next."""
        self._connection.state.reset_stream(self._id, h2.errors.ErrorCodes.CANCEL)
        if not with_what_follows:
            self._connection.send()

    def take(self, event: h2.events.Event) -> None:
        """Takes note of something that has come for this call."""
        if isinstance(event, h2.events.ResponseReceived):
            self._headers = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self._body += event.data
            self._connection.state.acknowledge_received_data(event.flow_controlled_length, self._id)
        elif isinstance(event, h2.events.TrailersReceived):
            self._trailers = dict(event.headers)
        elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
            self._is_over = True

    def initial(self) -> dict[str, str]:
        """Waits for the headers and gives them."""
        while not self._headers:
            self._connection.receive()
        return self._headers

    def messages(self) -> Iterator[Message]:
        """Gives the messages, each as soon as it is there."""
        while True:
            while len(self._body) < FRAME_HEADER.size or len(self._body) < self._next_end():
                if self._is_over:
                    return
                self._connection.receive()
            end = self._next_end()
            payload = bytes(self._body[FRAME_HEADER.size : end])
            del self._body[:end]
            yield self._response.FromString(payload)

    def _next_end(self) -> int:
        length: int = FRAME_HEADER.unpack_from(self._body)[1]
        return FRAME_HEADER.size + length

    def status(self) -> tuple[grpc.StatusCode, str]:
        """Waits for the end and gives code and message. Raises `AssertionError` for a call that ended without."""
        while not self._is_over:
            self._connection.receive()
        assert "grpc-status" in self._trailers, "the call has ended without a status"
        return CODES[int(self._trailers["grpc-status"])], self._trailers.get("grpc-message", "")
