"""`grpc.health.v1` by the servicers of grpcio-health-checking, as they are."""

from __future__ import annotations

import select
from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from tests.contract.case import Answer
from tests.contract.control import eventually, new_key
from tests.servers import Server
from tests.standard.client import called, opened, watchers
from tests.standard.rpc import AIO

SERVING = HealthCheckResponse(status=HealthCheckResponse.SERVING)
NOT_SERVING = HealthCheckResponse(status=HealthCheckResponse.NOT_SERVING)
UNKNOWN = HealthCheckResponse(status=HealthCheckResponse.SERVICE_UNKNOWN)


@pytest.fixture(params=["", AIO], ids=["sync", "aio"])
def prefix(request: pytest.FixtureRequest) -> str:
    """Both servicers."""
    return request.param


def stop_serving(server: Server, prefix: str, service: str) -> None:
    """Changes what the servicer says of a service."""
    assert called(server, f"/{prefix}standard.Control/StopServing", StringValue(value=service), Empty) == Answer(
        (Empty(),)
    )


def test_check(any_server: Server, prefix: str) -> None:
    path = f"/{prefix}grpc.health.v1.Health/Check"
    assert called(any_server, path, HealthCheckRequest(), HealthCheckResponse) == Answer((SERVING,))
    unknown = called(any_server, path, HealthCheckRequest(service=new_key()), HealthCheckResponse)
    assert unknown.code is grpc.StatusCode.NOT_FOUND


def test_watch_tells_each_change(any_server: Server, prefix: str) -> None:
    service = new_key()
    with opened(
        any_server, f"/{prefix}grpc.health.v1.Health/Watch", [HealthCheckRequest(service=service)], HealthCheckResponse
    ) as reply:
        statuses: Iterator[object] = iter(reply)
        assert next(statuses) == UNKNOWN
        stop_serving(any_server, prefix, service)
        assert next(statuses) == NOT_SERVING


def test_a_watch_ends_when_its_caller_goes(any_server: Server, prefix: str) -> None:
    if not any_server.is_asgi and not hasattr(select, "EPOLLRDHUP"):
        pytest.skip("nothing here tells that a caller has gone")
    service, path = new_key(), f"/{prefix}grpc.health.v1.Health/Watch"
    with opened(any_server, path, [HealthCheckRequest(service=service)], HealthCheckResponse) as reply:
        assert next(iter(reply)) == UNKNOWN
        assert watchers(any_server, prefix, service) == 1
    assert eventually(lambda: watchers(any_server, prefix, service) == 0)


def test_many_watches_come_and_go(any_server: Server, prefix: str) -> None:
    """More than there are threads, one after the other: none may stay behind in its thread."""
    if not any_server.is_asgi and not hasattr(select, "EPOLLRDHUP"):
        pytest.skip("nothing here tells that a caller has gone")
    service, path = new_key(), f"/{prefix}grpc.health.v1.Health/Watch"
    for _ in range(80):
        with opened(any_server, path, [HealthCheckRequest(service=service)], HealthCheckResponse) as reply:
            assert next(iter(reply)) == UNKNOWN
    assert eventually(lambda: watchers(any_server, prefix, service) == 0)
