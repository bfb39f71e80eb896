"""Calls to the methods of `rpc.py` and to health."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.native_server.rpc import SERVICE

PATIENCE_SECONDS = 20.0
TOKEN = (("authorization", "Bearer token"),)

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def open_channel(address: str, *options: tuple[str, Any]) -> grpc.Channel:
    """Gives a channel with a connection of its own, which tries again soon."""
    return grpc.insecure_channel(address, options=[*CHANNEL_OPTIONS, *options])


CHANNEL_OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
]


def call(channel: grpc.Channel, method: str, text: str = "", **options: Any) -> str:
    """Makes a unary call and gives the text of its answer."""
    multicallable = channel.unary_unary(f"/{SERVICE}/{method}", StringValue.SerializeToString, StringValue.FromString)
    return multicallable(StringValue(value=text), timeout=PATIENCE_SECONDS, **options).value  # type: ignore[no-any-return]


def stream(channel: grpc.Channel, method: str, text: str = "", **options: Any) -> Any:
    """Starts a call whose responses stream, and gives it when its handler has begun."""
    multicallable = channel.unary_stream(f"/{SERVICE}/{method}", StringValue.SerializeToString, StringValue.FromString)
    running = multicallable(StringValue(value=text), timeout=PATIENCE_SECONDS, **options)
    assert next(running).value == "begun"
    return running


def health(channel: grpc.Channel, service: str = "") -> int:
    """Asks for the health of a service."""
    request = health_pb2.HealthCheckRequest(service=service)
    return health_pb2_grpc.HealthStub(channel).Check(request, timeout=PATIENCE_SECONDS, wait_for_ready=True).status  # type: ignore[no-any-return]


def watch_health(channel: grpc.Channel, service: str = "") -> Any:
    """Follows the health of a service."""
    request = health_pb2.HealthCheckRequest(service=service)
    return health_pb2_grpc.HealthStub(channel).Watch(request, timeout=PATIENCE_SECONDS, wait_for_ready=True)
