"""The same with asyncio: `grpc.aio`, for programs that make many calls at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc

from examples.client import SECONDS, arguments
from generated.echo.v1 import echo_pb2, echo_pb2_grpc

CALLS = 20


async def requests() -> AsyncIterator[echo_pb2.FullDuplexEchoRequest]:
    """Requests as they come."""
    for word in ("one", "two", "three"):
        yield echo_pb2.FullDuplexEchoRequest(message=word)


async def main(address: str) -> None:
    """Makes calls side by side, and reads a stream while it writes another."""
    async with grpc.aio.insecure_channel(address) as channel:
        echo: echo_pb2_grpc.EchoServiceAsyncStub = echo_pb2_grpc.EchoServiceStub(channel)
        responses = await asyncio.gather(
            *(echo.Echo(echo_pb2.EchoRequest(message=str(number)), timeout=SECONDS) for number in range(CALLS))
        )
        print("side by side:", sum(int(response.message) for response in responses))
        async for response in echo.FullDuplexEcho(requests(), timeout=SECONDS):
            print("full duplex:", response.sequence, response.message)


if __name__ == "__main__":
    asyncio.run(main(arguments(__doc__).address))
