"""All four kinds of methods: one message or many, in either direction."""

from __future__ import annotations

import queue
from collections.abc import Iterator

from google.protobuf.duration_pb2 import Duration

from examples.client import SECONDS, Client, arguments, connected
from generated.echo.v1 import echo_pb2

WORDS = ("one", "two", "three")


def unary(client: Client) -> None:
    """One request, one response."""
    response = client.echo.Echo(echo_pb2.EchoRequest(message="Hello"), timeout=SECONDS)
    print("unary:", response.message)


def server_streaming(client: Client) -> None:
    """One request, many responses, each as soon as it is there."""
    request = echo_pb2.ServerStreamingEchoRequest(
        message="tick", message_count=3, message_interval=Duration(nanos=50_000_000)
    )
    for response in client.echo.ServerStreamingEcho(request, timeout=SECONDS):
        print("server streaming:", response.sequence, response.message)


def client_streaming(client: Client) -> None:
    """Many requests, one response. An iterator is asked for the next request when there is room for it."""
    requests = (echo_pb2.ClientStreamingEchoRequest(message=word) for word in WORDS)
    response = client.echo.ClientStreamingEcho(requests, timeout=SECONDS)
    print("client streaming:", response.message_count, "messages")


def full_duplex(client: Client) -> None:
    """Many of both, at the same time: each request here depends on the response before it."""
    requests: queue.SimpleQueue[echo_pb2.FullDuplexEchoRequest | None] = queue.SimpleQueue()
    requests.put(echo_pb2.FullDuplexEchoRequest(message="ping"))
    # `iter` with two arguments: it takes from the queue until there is a None, and so the requests end.
    outgoing: Iterator[echo_pb2.FullDuplexEchoRequest] = iter(requests.get, None)
    for response in client.echo.FullDuplexEcho(outgoing, timeout=SECONDS):
        print("full duplex:", response.sequence, response.message)
        is_enough = response.sequence == len(WORDS)
        requests.put(None if is_enough else echo_pb2.FullDuplexEchoRequest(message=f"{response.message}!"))


def half_duplex(client: Client) -> None:
    """Many of both, one after the other: the server answers when all requests are there."""
    requests = (echo_pb2.HalfDuplexEchoRequest(message=word) for word in WORDS)
    for response in client.echo.HalfDuplexEcho(requests, timeout=SECONDS):
        print("half duplex:", response.sequence, response.message)


def cancelled(client: Client) -> None:
    """Who has seen enough cancels, and the handler on the server ends."""
    request = echo_pb2.ServerStreamingEchoRequest(
        message="tick", message_count=100, message_interval=Duration(seconds=1)
    )
    responses = client.echo.ServerStreamingEcho(request, timeout=100 * SECONDS)
    print("cancelled after:", next(responses).sequence)
    responses.cancel()


if __name__ == "__main__":
    given = arguments(__doc__)
    with connected(given.address) as client:
        for show in (unary, server_streaming, client_streaming, full_duplex, half_duplex, cancelled):
            show(client)
