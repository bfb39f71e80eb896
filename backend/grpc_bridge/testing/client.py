"""The sync test client: a Django test client that is a `grpc.Channel` too."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

import django.test
import grpc

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.registry import Registry
from grpc_bridge.testing.bridge import CurrentBridge, Register
from grpc_bridge.testing.calls import HOST, Answer, CallOptions, StubMethod, call_arguments, request_frame
from grpc_bridge.testing.client_calls import CallFuture, ClientCall, Exchange, RequestBody, StreamingCall
from grpc_bridge.transports.wsgi import WsgiBridge


class Client(django.test.Client, grpc.Channel):
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

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> OneResponse:
        return OneResponse(self, _stub_method(method, False, False, *args, **kwargs))

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> ResponseStream:
        return ResponseStream(self, _stub_method(method, False, True, *args, **kwargs))

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> OneResponse:
        return OneResponse(self, _stub_method(method, True, False, *args, **kwargs))

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> ResponseStream:
        return ResponseStream(self, _stub_method(method, True, True, *args, **kwargs))

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

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def exchange(self, method: StubMethod, request: Any, options: CallOptions) -> Exchange:
        """Makes a request that has not been sent. Raises `ValueError` for metadata that may not travel."""
        if self._closed:
            raise ValueError("Cannot invoke RPC on closed channel!")
        environ = self._base_environ(  # type: ignore[attr-defined]
            REQUEST_METHOD="POST", PATH_INFO=method.path, **_environ(options.headers())
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


def _make_bridge(registry: Registry, settings: BridgeSettings) -> WsgiBridge:
    return WsgiBridge(_not_found, registry, settings)


def _not_found(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("404 Not Found", [("content-type", "text/plain")])
    return [b"This is no RPC"]


def _stub_method(
    path: str,
    request_streaming: bool,
    response_streaming: bool,
    request_serializer: Callable[[Any], bytes] | None = None,
    response_deserializer: Callable[[bytes], Any] | None = None,
    _registered_method: bool | None = False,
) -> StubMethod:
    return StubMethod(path, request_streaming, response_streaming, request_serializer, response_deserializer)


def _environ(headers: dict[str, str]) -> dict[str, str]:
    names = {name: name.upper().replace("-", "_") for name in headers}
    return {
        key if name == "content-type" else f"HTTP_{key}": value
        for (name, value), key in zip(headers.items(), names.values(), strict=True)
    }


class _MultiCallable:
    def __init__(self, client: Client, method: StubMethod) -> None:
        self._client = client
        self._method = method

    def _exchange(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Exchange, CallOptions]:
        request, options = call_arguments(args, kwargs)
        return self._client.exchange(self._method, request, options), options


class OneResponse(_MultiCallable, grpc.UnaryUnaryMultiCallable, grpc.StreamUnaryMultiCallable):  # type: ignore[type-arg]
    """A stub's method that has one response."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.future(*args, **kwargs).result()

    def with_call(self, *args: Any, **kwargs: Any) -> tuple[Any, ClientCall]:
        call = self.future(*args, **kwargs)
        return call.result(), call

    def future(self, *args: Any, **kwargs: Any) -> CallFuture:  # type: ignore[override]
        """Makes the call at once: there is no other thread to make it in."""
        exchange, options = self._exchange(args, kwargs)
        return CallFuture(exchange, options.timeout)


class ResponseStream(_MultiCallable, grpc.UnaryStreamMultiCallable, grpc.StreamStreamMultiCallable):  # type: ignore[type-arg]
    """A stub's method that has a stream of responses."""

    def __call__(self, *args: Any, **kwargs: Any) -> StreamingCall:  # type: ignore[override]
        exchange, options = self._exchange(args, kwargs)
        return StreamingCall(exchange, options.timeout)
