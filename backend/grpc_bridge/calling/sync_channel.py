"""The sync channel: what generated stubs ask for their methods."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

import grpc

from grpc_bridge.calling.method import LARGEST_MESSAGE_BYTES, CallOptions, StubMethod, call_arguments
from grpc_bridge.calling.sync_calls import CallFuture, ClientCall, StreamingCall
from grpc_bridge.calling.sync_exchange import SyncExchange

AnyCall = TypeVar("AnyCall", bound=ClientCall)


class SyncChannel(grpc.Channel):
    """A channel. Whoever inherits says what carries a call, in `exchange`, and what states there are."""

    max_send_bytes = LARGEST_MESSAGE_BYTES
    max_receive_bytes = LARGEST_MESSAGE_BYTES
    compression: grpc.Compression | None = None
    """That of calls which say nothing of it."""

    @abstractmethod
    def exchange(self, method: StubMethod, request: Any, options: CallOptions) -> SyncExchange:
        """Makes a request that has not been sent. `request` is an iterator where requests stream.

        Raises `ValueError` for metadata that may not travel, and where the channel is closed.
        """

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> OneResponse:
        return OneResponse(self, self._stub_method(method, False, False, *args, **kwargs))

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> ResponseStream:
        return ResponseStream(self, self._stub_method(method, False, True, *args, **kwargs))

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> OneResponse:
        return OneResponse(self, self._stub_method(method, True, False, *args, **kwargs))

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> ResponseStream:
        return ResponseStream(self, self._stub_method(method, True, True, *args, **kwargs))

    def _stub_method(
        self,
        path: str,
        request_streaming: bool,
        response_streaming: bool,
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
        _registered_method: bool | None = False,
    ) -> StubMethod:
        return StubMethod(
            path,
            request_streaming,
            response_streaming,
            request_serializer,
            response_deserializer,
            self.max_send_bytes,
            self.max_receive_bytes,
        )

    def __enter__(self) -> SyncChannel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _MultiCallable:
    def __init__(self, channel: SyncChannel, method: StubMethod) -> None:
        self._channel = channel
        self._method = method

    def _call(self, kind: type[AnyCall], args: tuple[Any, ...], kwargs: dict[str, Any]) -> AnyCall:
        request, options = call_arguments(args, kwargs)
        if options.compression is None and self._channel.compression is not None:
            options = options._replace(compression=self._channel.compression)
        exchange = self._channel.exchange(self._method, request, options)
        call = kind(exchange, options.timeout)
        exchange.begin(to_the_end=not self._method.response_streaming)
        return call


class OneResponse(_MultiCallable, grpc.UnaryUnaryMultiCallable, grpc.StreamUnaryMultiCallable):  # type: ignore[type-arg]
    """A stub's method that has one response."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(CallFuture, args, kwargs).response()

    def with_call(self, *args: Any, **kwargs: Any) -> tuple[Any, CallFuture]:
        call = self._call(CallFuture, args, kwargs)
        return call.response(), call

    def future(self, *args: Any, **kwargs: Any) -> CallFuture:  # type: ignore[override]
        return self._call(CallFuture, args, kwargs)


class ResponseStream(_MultiCallable, grpc.UnaryStreamMultiCallable, grpc.StreamStreamMultiCallable):  # type: ignore[type-arg]
    """A stub's method that has a stream of responses."""

    def __call__(self, *args: Any, **kwargs: Any) -> StreamingCall:  # type: ignore[override]
        return self._call(StreamingCall, args, kwargs)
