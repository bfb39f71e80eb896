"""What the examples share: the command line, and a connection with a stub for each service."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from generated.echo.v1 import echo_pb2_grpc
from generated.orders.v1 import orders_pb2_grpc
from generated.users.v1 import users_pb2_grpc

ADDRESS = "127.0.0.1:50051"
SECONDS = 10.0
"""How long a call may take. Each should have a deadline: without one it waits for ever for a server that hangs."""


@dataclass(frozen=True)
class Client:
    """A connection to the server. Stubs cost nothing; a channel is shared by all threads and all services."""

    channel: grpc.Channel

    @property
    def echo(self) -> echo_pb2_grpc.EchoServiceStub:
        """`echo.v1.EchoService`."""
        return echo_pb2_grpc.EchoServiceStub(self.channel)

    @property
    def users(self) -> users_pb2_grpc.UserServiceStub:
        """`users.v1.UserService`."""
        return users_pb2_grpc.UserServiceStub(self.channel)

    @property
    def orders(self) -> orders_pb2_grpc.OrderServiceStub:
        """`orders.v1.OrderService`."""
        return orders_pb2_grpc.OrderServiceStub(self.channel)


@contextmanager
def connected(
    address: str,
    credentials: grpc.ChannelCredentials | None = None,
    options: Sequence[tuple[str, Any]] = (),
    interceptors: Sequence[grpc.UnaryUnaryClientInterceptor] = (),
    compression: grpc.Compression | None = None,
) -> Iterator[Client]:
    """Gives a client, and closes its connection at the end. Without credentials nothing is encrypted."""
    if credentials is None:
        channel = grpc.insecure_channel(address, options, compression)
    else:
        channel = grpc.secure_channel(address, credentials, options, compression)
    with channel:
        yield Client(grpc.intercept_channel(channel, *interceptors))


def arguments(doc: str | None, *names: str, address: str = ADDRESS) -> argparse.Namespace:
    """Reads the command line: the address, and what else an example needs."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--address", default=address, help=f"of the server ({address})")
    for name in names:
        parser.add_argument(f"--{name}", required=True, **OPTIONS[name])
    return parser.parse_args()


OPTIONS: dict[str, dict[str, Any]] = {
    "ca": {"type": Path, "help": "file with the certificate of the authority that has certified the server"},
    "cert": {"type": Path, "help": "file with this client's certificate"},
    "key": {"type": Path, "help": "file with its private key"},
    "token": {"help": "the secret of an API token, as the admin or CreateToken gives it"},
}
