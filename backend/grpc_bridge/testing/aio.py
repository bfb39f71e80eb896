"""The async test client: a Django async test client that is a `grpc.aio.Channel` too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from types import TracebackType
from typing import Any, TypeVar

import django.test
import grpc

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.loops import callers_thread
from grpc_bridge.registry import Registry
from grpc_bridge.testing.aio_calls import AsyncCall, StreamStream, StreamUnary, UnaryStream, UnaryUnary
from grpc_bridge.testing.aio_exchange import Exchange
from grpc_bridge.testing.bridge import CurrentBridge, Register, failures
from grpc_bridge.testing.calls import HOST, Answer, CallOptions, StubMethod, call_arguments
from grpc_bridge.testing.threads import ThreadOfAsyncTest
from grpc_bridge.transports.asgi import AsgiBridge
from grpc_bridge.transports.asgi_request import Scope

AnyCall = TypeVar("AnyCall", bound=AsyncCall)


class AsyncClient(django.test.AsyncClient, grpc.aio.Channel):
    """Django's async test client, and a channel for generated stubs: `EchoServiceStub(AsyncClient())`.

    A call goes through the ASGI application of the bridge in binary gRPC-Web, in a task of the test's event loop. Code
    that touches the database runs in the thread where the test's own async ORM calls run, `def` handlers included.

    Errors are as with `Client`: `grpc.aio.AioRpcError`, whose cause is the handler's own exception. Arguments are those
    of `Client`.
    """

    def __init__(self, *args: Any, register: Register | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bridge = CurrentBridge(_make_bridge, register)
        self._calls: set[AsyncCall] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., UnaryUnary]:  # type: ignore[override]
        return self._multi_callable(UnaryUnary, method, (False, False), *args, **kwargs)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., UnaryStream]:  # type: ignore[override]
        return self._multi_callable(UnaryStream, method, (False, True), *args, **kwargs)

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., StreamUnary]:  # type: ignore[override]
        return self._multi_callable(StreamUnary, method, (True, False), *args, **kwargs)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., StreamStream]:  # type: ignore[override]
        return self._multi_callable(StreamStream, method, (True, True), *args, **kwargs)

    def _multi_callable(
        self,
        call_type: type[AnyCall],
        path: str,
        streaming: tuple[bool, bool],
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
        _registered_method: bool | None = False,
    ) -> Callable[..., AnyCall]:
        method = StubMethod(path, *streaming, request_serializer, response_deserializer)

        def make_call(*args: Any, **kwargs: Any) -> AnyCall:
            request, options = call_arguments(args, kwargs)
            call = call_type(self._exchange(method, options), method, options)
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            call.send(request)
            return call

        return make_call

    def _exchange(self, method: StubMethod, options: CallOptions) -> Exchange:
        if self._closed:
            raise grpc.aio.UsageError("Channel is closed.")
        answer = Answer(method)
        exchange = Exchange(self._bridge.get(), self._scope(method.path, options.headers()), answer, self.cookies.load)
        context = copy_context()
        context.run(failures.set, answer.failures)
        context.run(callers_thread.set, ThreadOfAsyncTest())
        task = exchange.start(context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return exchange

    def _scope(self, path: str, headers: dict[str, str]) -> Scope:
        cookie = "; ".join(sorted(f"{morsel.key}={morsel.coded_value}" for morsel in self.cookies.values()))
        all_headers = {"host": HOST, **({"cookie": cookie} if cookie else {}), **self._default_headers(), **headers}
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode("latin-1"),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode("ascii"), value.encode("latin-1")) for name, value in all_headers.items()],
            "client": (self.defaults.get("REMOTE_ADDR", "127.0.0.1"), 0),
            "server": (HOST, 80),
        }

    def _default_headers(self) -> dict[str, str]:
        """Gives the headers of every request. Django keeps them under the names that WSGI has for them."""
        return {
            name.removeprefix("HTTP_").lower().replace("_", "-"): str(value)
            for name, value in self.defaults.items()
            if name.startswith("HTTP_")
        }

    async def close(self, grace: float | None = None) -> None:
        """Refuses calls from now on, and ends those that run: at once, or after `grace` seconds."""
        self._closed = True
        if self._tasks and grace is not None:
            await asyncio.wait(self._tasks, timeout=grace)
        for call in list(self._calls):
            call.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return grpc.ChannelConnectivity.SHUTDOWN if self._closed else grpc.ChannelConnectivity.READY

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Waits for ever while the channel is in this state: there is no connection that could fail."""
        if self.get_state() is last_observed_state:
            await asyncio.get_running_loop().create_future()

    async def channel_ready(self) -> None:
        """Returns at once."""


def _make_bridge(registry: Registry, settings: BridgeSettings) -> AsgiBridge:
    return AsgiBridge(_not_found, registry, settings)


async def _not_found(scope: Scope, receive: Any, send: Callable[[Any], Any]) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"This is no RPC"})
