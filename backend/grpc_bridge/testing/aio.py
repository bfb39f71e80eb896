"""The async test client: a Django async test client that is a `grpc.aio.Channel` too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import django.test
import grpc

from grpc_bridge.calling.aio_channel import AioChannel
from grpc_bridge.calling.answer import Answer
from grpc_bridge.calling.method import CallOptions, StubMethod
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.loops import callers_thread
from grpc_bridge.registry import Registry
from grpc_bridge.testing.aio_exchange import Exchange
from grpc_bridge.testing.bridge import HOST, CurrentBridge, Register, failures, request_headers
from grpc_bridge.testing.threads import ThreadOfAsyncTest
from grpc_bridge.transports.asgi import Application, asgi_bridge
from grpc_bridge.transports.asgi_request import Scope


class AsyncClient(django.test.AsyncClient, AioChannel):
    """Django's async test client, and a channel for generated stubs: `EchoServiceStub(AsyncClient())`.

    A call goes through the ASGI application of the bridge in binary gRPC-Web, in a task of the test's event loop. Code
    that touches the database runs in the thread where the test's own async ORM calls run, `def` handlers included.

    Errors are as with `Client`: `grpc.aio.AioRpcError`, whose cause is the handler's own exception. Arguments are those
    of `Client`.
    """

    def __init__(self, *args: Any, register: Register | None = None, **kwargs: Any) -> None:
        django.test.AsyncClient.__init__(self, *args, **kwargs)
        AioChannel.__init__(self)
        self._bridge = CurrentBridge(_make_bridge, register)

    def exchange(self, method: StubMethod, options: CallOptions) -> Exchange:
        """Makes a request that has not been sent. Raises `ValueError` for metadata that may not travel."""
        answer = Answer(method)
        context = copy_context()
        context.run(failures.set, answer.failures)
        context.run(callers_thread.set, ThreadOfAsyncTest())
        scope = self._scope(method.path, request_headers(options))
        return Exchange(self._bridge.get(), scope, answer, self.cookies.load, context)

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

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return grpc.ChannelConnectivity.SHUTDOWN if self._closed else grpc.ChannelConnectivity.READY

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Waits for ever while the channel is in this state: there is no connection that could fail."""
        if self.get_state() is last_observed_state:
            await asyncio.get_running_loop().create_future()

    async def channel_ready(self) -> None:
        """Returns at once."""


def _make_bridge(registry: Registry, settings: BridgeSettings) -> Application:
    return asgi_bridge(_not_found, registry, settings)


async def _not_found(scope: Scope, receive: Any, send: Callable[[Any], Any]) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"This is no RPC"})
