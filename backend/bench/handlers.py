"""The handlers that every row of the tables runs, each written twice: as a `def` and as an `async def`."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import grpc

from generated.echo.v1.echo_pb2 import (
    EchoRequest,
    EchoResponse,
    ServerStreamingEchoRequest,
    ServerStreamingEchoResponse,
)
from grpc_bridge.access import allow, anyone

DEF_SERVICE = "bench.Def"
ASYNC_SERVICE = "bench.Async"


@allow(anyone)
def echo(request: EchoRequest, context: Any) -> EchoResponse:
    """Answers with what it was sent."""
    return EchoResponse(message=request.message, message_count=1)


@allow(anyone)
async def echo_async(request: EchoRequest, context: Any) -> EchoResponse:
    """Answers with what it was sent."""
    return EchoResponse(message=request.message, message_count=1)


@allow(anyone)
def read(request: EchoRequest, context: Any) -> EchoResponse:
    """Reads one row of the database by its key, the number that it was sent."""
    from django.contrib.auth.models import Group  # noqa: PLC0415 - only where Django is set up

    return EchoResponse(message=Group.objects.get(pk=int(request.message)).name, message_count=1)


@allow(anyone)
async def read_async(request: EchoRequest, context: Any) -> EchoResponse:
    """Does what `read` does."""
    from django.contrib.auth.models import Group  # noqa: PLC0415 - as above

    group = await Group.objects.aget(pk=int(request.message))
    return EchoResponse(message=group.name, message_count=1)


@functools.cache
def _ready(text: str, count: int) -> Sequence[ServerStreamingEchoResponse]:
    """Gives messages that are made once: to make one costs as much as all that a library does with it."""
    return [ServerStreamingEchoResponse(message=text, sequence=sequence) for sequence in range(1, count + 1)]


@allow(anyone)
def stream(request: ServerStreamingEchoRequest, context: Any) -> Iterator[ServerStreamingEchoResponse]:
    """Gives as many messages as were asked for, without a pause."""
    yield from _ready(request.message, request.message_count)


@allow(anyone)
async def stream_async(request: ServerStreamingEchoRequest, context: Any) -> AsyncIterator[ServerStreamingEchoResponse]:
    """Gives as many messages as were asked for, without a pause."""
    for message in _ready(request.message, request.message_count):
        yield message


@allow(anyone)
async def hold_async(request: ServerStreamingEchoRequest, context: Any) -> AsyncIterator[ServerStreamingEchoResponse]:
    """Gives one message and then none until its caller goes."""
    yield ServerStreamingEchoResponse(message=request.message, sequence=1)
    await asyncio.get_running_loop().create_future()


def _unary(behavior: Any) -> Any:
    return grpc.unary_unary_rpc_method_handler(behavior, EchoRequest.FromString, EchoResponse.SerializeToString)


def _streaming(behavior: Any) -> Any:
    return grpc.unary_stream_rpc_method_handler(
        behavior, ServerStreamingEchoRequest.FromString, ServerStreamingEchoResponse.SerializeToString
    )


SERVICES = {
    DEF_SERVICE: {"Echo": _unary(echo), "Read": _unary(read), "Stream": _streaming(stream)},
    ASYNC_SERVICE: {
        "Echo": _unary(echo_async),
        "Read": _unary(read_async),
        "Stream": _streaming(stream_async),
        "Hold": _streaming(hold_async),
    },
}
"""By the names of the services, as the generated `add_XServicer_to_server` functions hand them to a server."""


def generic_handlers(service: str) -> Any:
    """Gives the same for servers that know only generic handlers."""
    return grpc.method_handlers_generic_handler(service, SERVICES[service])
