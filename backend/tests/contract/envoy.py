"""gRPC-Web through Envoy: the same client, for answers that Envoy's filter has made of native gRPC.

Two things of the wire differ for every call, and are the same to all clients: where there is nothing but a status, it
comes in the headers, as "Trailers-Only" of the specification; and `grpc-accept-encoding` is always among them.
"""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator

from google.protobuf.message import Message

from grpc_bridge.codes import GRPCIO_CODES
from grpc_bridge.protocol.status import StatusCode, decode_message
from tests.contract.case import Answer, Call, Metadata
from tests.contract.grpc_web import HTTP_HEADERS, GrpcWebTransport, Reply, Status, metadata_of
from tests.contract.methods import METHODS

ENVOY_HEADERS = HTTP_HEADERS | {"grpc-accept-encoding", "grpc-encoding"}
STATUS_HEADERS = ("grpc-status", "grpc-message")

MOST_BROKEN_OFF = 10
"""How often in a row the same call may be broken off."""


class EnvoyReply(Reply):
    """An answer as it arrives from Envoy."""

    def __post_init__(self) -> None:
        # Base64 that the filter cannot read is the one thing of which it makes an error of HTTP.
        assert self.response.status in (200, 400), (self.response.status, self.response.read())
        assert self.response.headers.get_all("content-type") == [self.mode.content_type]
        code = self.response.headers["grpc-status"]
        if code is not None:
            # The space around a value belongs to HTTP.
            details = decode_message(self.response.headers.get("grpc-message", "").strip()) if code != "0" else ""
            self.status = Status(GRPCIO_CODES[StatusCode(int(code))], details, self._metadata())

    @property
    def initial_metadata(self) -> Metadata:
        """What the handler has sent with the headers. Beside a status there is only trailing metadata."""
        return () if "grpc-status" in self.response.headers else self._metadata()

    def _metadata(self) -> Metadata:
        entries = ((name.lower(), value) for name, value in self.response.getheaders())
        return metadata_of((key, value) for key, value in entries if key not in (*ENVOY_HEADERS, *STATUS_HEADERS))

    def __iter__(self) -> Iterator[Message]:
        if self.status is None:
            yield from super().__iter__()
        else:
            assert self.response.read() == b"", "something follows the status"


class EnvoyTransport(GrpcWebTransport):
    """Calls a server through Envoy."""

    reply_type = EnvoyReply

    def call(self, flavour: str, call: Call) -> Answer:
        """Makes a call, and makes it again where Envoy has broken its answer off.

        grpcio resets a stream that it answers before it has read all requests. Envoy now and then hands the reset on
        instead of the end of the answer, which a client of gRPC-Web takes for a lost connection. No browser is
        concerned: they cannot stream requests.
        """
        for _ in range(MOST_BROKEN_OFF if METHODS[call.method].request_streaming else 0):
            with contextlib.suppress(http.client.IncompleteRead):
                return super().call(flavour, call)
        return super().call(flavour, call)
