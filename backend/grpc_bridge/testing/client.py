"""The sync test client: a Django test client that is a `grpc.Channel` too."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import django.test
import grpc

from grpc_bridge.calling.answer import Answer
from grpc_bridge.calling.method import CallOptions, StubMethod, request_frame
from grpc_bridge.calling.sync_channel import SyncChannel
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.registry import Registry
from grpc_bridge.testing.bridge import HOST, CurrentBridge, Register, request_headers
from grpc_bridge.testing.exchange import Exchange, RequestBody
from grpc_bridge.transports.wsgi import Application, wsgi_bridge


class Client(django.test.Client, SyncChannel):
    """Django's test client, and a channel for generated stubs: `EchoServiceStub(Client())`.

    A call goes through the WSGI application of the bridge in binary gRPC-Web, in the test's own thread, so that it sees
    the transaction of a `TestCase`. Responses of a stream are made when the test asks for them.

    A call that fails raises `grpc.RpcError`, whatever the handler raised: that is what its caller sees in production.
    The handler's own exception, where it is not told to callers, is the `__cause__`.

    `register` is a function like that of an `rpc` module, for a test with servicers of its own; without it there are
    those of all installed apps. All other arguments are those of Django's client.
    """

    def __init__(self, *args: Any, register: Register | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bridge = CurrentBridge(_make_bridge, register)
        self._closed = False

    def subscribe(
        self, callback: Callable[[grpc.ChannelConnectivity], None], try_to_connect: bool | None = False
    ) -> None:
        """Tells `callback` that the channel is ready, as it always is."""
        callback(grpc.ChannelConnectivity.READY)

    def unsubscribe(self, callback: Callable[[grpc.ChannelConnectivity], None]) -> None:
        """Does nothing: no other state follows."""

    def close(self) -> None:
        """Refuses calls from now on."""
        self._closed = True

    def exchange(self, method: StubMethod, request: Any, options: CallOptions) -> Exchange:
        """Makes a request that has not been sent. Raises `ValueError` for metadata that may not travel."""
        if self._closed:
            raise ValueError("Cannot invoke RPC on closed channel!")
        environ = self._base_environ(  # type: ignore[attr-defined]
            REQUEST_METHOD="POST", PATH_INFO=method.path, **_environ(request_headers(options))
        )
        environ.setdefault("HTTP_HOST", HOST)
        if not environ["HTTP_COOKIE"]:
            del environ["HTTP_COOKIE"]
        requests = request if method.request_streaming else (request,)
        body = RequestBody(request_frame(method, each, options.encoding) for each in requests)
        environ["wsgi.input"] = body
        if method.request_streaming:
            environ["wsgi.input_terminated"] = True
        else:
            environ["CONTENT_LENGTH"] = str(body.make())
        return Exchange(self._bridge.get(), environ, body, Answer(method), self.cookies.load)


def _make_bridge(registry: Registry, settings: BridgeSettings) -> Application:
    return wsgi_bridge(_not_found, registry, settings)


def _not_found(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("404 Not Found", [("content-type", "text/plain")])
    return [b"This is no RPC"]


def _environ(headers: dict[str, str]) -> dict[str, str]:
    names = {name: name.upper().replace("-", "_") for name in headers}
    return {
        key if name == "content-type" else f"HTTP_{key}": value
        for (name, value), key in zip(headers.items(), names.values(), strict=True)
    }
