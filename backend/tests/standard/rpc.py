"""Registers the servicers, and one of this project by which a test changes what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import Int32Value, StringValue
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

AIO = "aio."
REFLECTED = (health.SERVICE_NAME, reflection.SERVICE_NAME)
"""The services that reflection tells of."""

sync_health = health.HealthServicer()
aio_health = health.aio.HealthServicer()

NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Renamed:
    """A server as the generated functions see it, under which services have another name."""

    def __init__(self, server: Any, prefix: str) -> None:
        self._server = server
        self._prefix = prefix

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler]) -> None:  # type: ignore[type-arg]
        self._server.add_registered_method_handlers(self._prefix + service, handlers)

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """The same handlers once more, for servers that know no others."""


def stop_serving(request: StringValue, context: Any) -> Empty:
    """Tells who watches a service that it has stopped."""
    sync_health.set(request.value, NOT_SERVING)
    return Empty()


async def stop_serving_async(request: StringValue, context: Any) -> Empty:
    """The same for the aio servicer, on whose event loop it has to run."""
    await aio_health.set(request.value, NOT_SERVING)
    return Empty()


def watchers(request: StringValue, context: Any) -> Int32Value:
    """Gives how many callers watch a service."""
    return Int32Value(value=len(sync_health._send_response_callbacks.get(request.value, ())))


async def watchers_async(request: StringValue, context: Any) -> Int32Value:
    """The same for the aio servicer."""
    return Int32Value(value=aio_health._watcher_count_by_service.get(request.value, 0))


def _handler(behavior: Any, response: Any) -> Any:
    return grpc.unary_unary_rpc_method_handler(
        behavior, request_deserializer=StringValue.FromString, response_serializer=response.SerializeToString
    )


def register(server: Any) -> None:
    """Adds both kinds of each."""
    aio_server = Renamed(server, AIO)
    health_pb2_grpc.add_HealthServicer_to_server(sync_health, server)
    health_pb2_grpc.add_HealthServicer_to_server(aio_health, aio_server)
    reflection.enable_server_reflection(REFLECTED, server)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflection.aio.ReflectionServicer(REFLECTED), aio_server)
    for target, stop, count in (
        (server, stop_serving, watchers),
        (aio_server, stop_serving_async, watchers_async),
    ):
        handlers = {"StopServing": _handler(stop, Empty), "Watchers": _handler(count, Int32Value)}
        target.add_registered_method_handlers("standard.Control", handlers)
