"""gRPC-Web over HTTP/1.1: the same stubs on the site itself, for programs behind a load balancer that knows no HTTP/2.

make demo                                                        # in one terminal, from the top folder
cd backend && ../.venv/bin/python -m examples.grpc_web           # in another
"""

from __future__ import annotations

import asyncio

import grpc

from examples.client import SECONDS, Client, arguments
from examples.streaming import cancelled, client_streaming, half_duplex, server_streaming, unary
from generated.echo.v1 import echo_pb2, echo_pb2_grpc
from grpc_bridge.client import aio, insecure_web_channel

ADDRESS = "127.0.0.1:8000"
CALLS = 20


def as_with_grpcio(address: str) -> None:
    """What the other examples do with `grpc.insecure_channel`. Interceptors, metadata and the rest are the same, too.

    With TLS: `secure_web_channel(address, ssl_channel_credentials())`. A path behind the address is one in front of all
    methods. Calls at the same time have a connection each, and those are used again.
    """
    with insecure_web_channel(address) as channel:
        client = Client(channel)
        for show in (unary, server_streaming, client_streaming, half_duplex, cancelled):
            show(client)
        try:
            code: int = grpc.StatusCode.NOT_FOUND.value[0]
            client.echo.EchoAbort(echo_pb2.EchoAbortRequest(message="no such thing", code=code), timeout=SECONDS)
        except grpc.RpcError as error:
            print(f"{error.code().name}: {error.details()}")


async def side_by_side(address: str) -> None:
    """The same with asyncio, as with `grpc.aio`."""
    async with aio.insecure_web_channel(address) as channel:
        echo: echo_pb2_grpc.EchoServiceAsyncStub = echo_pb2_grpc.EchoServiceStub(channel)
        responses = await asyncio.gather(
            *(echo.Echo(echo_pb2.EchoRequest(message=str(number)), timeout=SECONDS) for number in range(CALLS))
        )
        print("side by side:", sum(int(response.message) for response in responses))


if __name__ == "__main__":
    given = arguments(__doc__, address=ADDRESS)
    as_with_grpcio(given.address)
    asyncio.run(side_by_side(given.address))
