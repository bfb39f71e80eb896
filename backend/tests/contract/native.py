"""Native gRPC, as every gRPC client speaks it: a transport on grpcio's own client, for whatever serves HTTP/2."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

import grpc
from google.protobuf.message import Message

from tests.contract.case import Answer, Call, Metadata
from tests.contract.methods import METHODS, path

PATIENCE_SECONDS = 15.0
"""How long a call may take that has no deadline of its own."""

NEVER_ANSWERED = "never answered"
"""The details of a call that the client has given up; it has no code."""

NO_LIMIT = -1
METADATA_BYTES = 64 * 1024

# What an HTTP server and the bridge add to a response. All other headers must be initial metadata.
_HTTP_HEADERS = frozenset(("cache-control", "content-length", "date", "server", "x-accel-buffering"))


_OPTIONS = (
    ("grpc.enable_retries", 0),
    ("grpc.max_receive_message_length", NO_LIMIT),
    ("grpc.max_metadata_size", METADATA_BYTES),
    ("grpc.use_local_subchannel_pool", 1),
)


def connect(address: str, certificate: bytes | None = None) -> grpc.Channel:
    """Gives a channel with a connection of its own, that takes whatever a server may send and repeats nothing.

    With the certificate of an authority it takes TLS.
    """
    if certificate is None:
        return grpc.insecure_channel(address, options=_OPTIONS)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(certificate), options=_OPTIONS)


def metadata_of(entries: Iterable[tuple[str, str | bytes]] | None) -> Metadata:
    """Gives a client's metadata without what HTTP has added to it."""
    return tuple((key, value) for key, value in entries or () if key not in _HTTP_HEADERS)


def start(channel: grpc.Channel, flavour: str, call: Call, requests: Iterable[Message] | None = None) -> Any:
    """Starts a call and gives it as grpcio's client does. `requests` may still come, instead of those of the call.

    Every method is called as one that streams both ways. On the wire there is no difference; so a client shows the
    messages that come beside an error, and sends as many as it is told to.
    """
    multicallable = channel.stream_stream(
        path(flavour, call.method),
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=METHODS[call.method].response.FromString,
    )
    return multicallable(
        iter(call.requests if requests is None else requests),
        timeout=call.timeout,
        metadata=call.metadata,
        compression=call.compression,
    )


def until_the_end(running: Iterable[Message]) -> Iterator[Message]:
    """Gives the messages of a call, however it ends."""
    try:
        yield from running
    except grpc.RpcError:
        return


class NativeTransport:
    """Calls a running server."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel

    def call(self, flavour: str, call: Call, patience_seconds: float = PATIENCE_SECONDS) -> Answer:
        """Makes a call and gives its answer, if there is one within `patience_seconds`."""
        running = start(self.channel, flavour, call)
        given_up = threading.Event()

        def give_up() -> None:
            given_up.set()
            running.cancel()

        watchdog = threading.Timer(patience_seconds, give_up)
        watchdog.start()
        try:
            messages = tuple(until_the_end(running))
        finally:
            watchdog.cancel()
            watchdog.join()
        if given_up.is_set():
            return Answer(messages, None, NEVER_ANSWERED)
        return Answer(
            messages,
            running.code(),
            running.details(),
            metadata_of(running.initial_metadata()),
            metadata_of(running.trailing_metadata()),
        )
