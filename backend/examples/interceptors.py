"""Client interceptors: what happens around every call, written once. This one adds metadata and measures time."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import grpc

from examples.client import SECONDS, arguments, connected
from generated.echo.v1 import echo_pb2


class Details(NamedTuple):
    """What grpcio asks of `grpc.ClientCallDetails`. Those of a call cannot be changed; a copy can."""

    method: str
    timeout: float | None
    metadata: Sequence[tuple[str, str | bytes]] | None
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class Tracing(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Sends a request id with each call, and prints how long it took and how it ended. There is one base class for each
    kind of methods, with the same arguments."""

    def intercept_unary_unary(self, continuation: Callable[..., Any], client_call_details: Any, request: Any) -> Any:
        """Around calls with one response. `continuation` makes the call and returns at once."""
        return self._traced(continuation, client_call_details, request)

    def intercept_unary_stream(self, continuation: Callable[..., Any], client_call_details: Any, request: Any) -> Any:
        """Around calls whose responses stream."""
        return self._traced(continuation, client_call_details, request)

    def _traced(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        begun = time.monotonic()
        metadata = [*(details.metadata or ()), ("x-request-id", uuid.uuid4().hex)]
        call = continuation(
            Details(
                details.method,
                details.timeout,
                metadata,
                details.credentials,
                details.wait_for_ready,
                details.compression,
            ),
            request,
        )

        def tell(_: Any) -> None:
            print(f"{details.method} {call.code().name} {(time.monotonic() - begun) * 1000:.1f} ms")

        call.add_done_callback(tell)
        return call


if __name__ == "__main__":
    given = arguments(__doc__)
    with connected(given.address, interceptors=[Tracing()]) as client:
        client.echo.Echo(echo_pb2.EchoRequest(message="Hello"), timeout=SECONDS)
        list(
            client.echo.ServerStreamingEcho(
                echo_pb2.ServerStreamingEchoRequest(message="tick", message_count=3), timeout=SECONDS
            )
        )
