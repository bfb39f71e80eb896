"""Deadlines: how long a caller waits. The server knows, too, and stops the handler."""

from __future__ import annotations

import time

import grpc
from google.protobuf.duration_pb2 import Duration

from examples.client import SECONDS, Client, arguments, connected
from generated.echo.v1 import echo_pb2

SHORT_SECONDS = 0.5


def in_time(client: Client) -> None:
    """A deadline costs nothing where it is kept."""
    client.echo.NoOp(echo_pb2.NoOpRequest(), timeout=SECONDS)
    print("in time")


def too_late(client: Client) -> None:
    """A stream that would take ten seconds. What has come until then is good."""
    request = echo_pb2.ServerStreamingEchoRequest(
        message="tick", message_count=2, message_interval=Duration(seconds=10)
    )
    begun = time.monotonic()
    try:
        for response in client.echo.ServerStreamingEcho(request, timeout=SHORT_SECONDS):
            print("message", response.sequence)
    except grpc.RpcError as error:
        print(f"{error.code().name} after {time.monotonic() - begun:.1f} s")


def until_the_server_is_there(client: Client) -> None:
    """Waits for a server that is just starting, instead of failing at once with UNAVAILABLE."""
    client.echo.NoOp(echo_pb2.NoOpRequest(), timeout=SECONDS, wait_for_ready=True)
    print("ready")


if __name__ == "__main__":
    given = arguments(__doc__)
    with connected(given.address) as client:
        for show in (until_the_server_is_there, in_time, too_late):
            show(client)
