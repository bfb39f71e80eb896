"""The asyncio channel: what generated stubs ask for their methods."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, TypeVar

import grpc

from grpc_bridge.calling.aio_calls import AsyncCall, StreamStream, StreamUnary, UnaryStream, UnaryUnary
from grpc_bridge.calling.aio_exchange import AioExchange
from grpc_bridge.calling.aio_interceptors import KINDS, Interception
from grpc_bridge.calling.answer import CANCELLED
from grpc_bridge.calling.method import LARGEST_MESSAGE_BYTES, CallOptions, StubMethod, call_arguments

AnyChannel = TypeVar("AnyChannel", bound="AioChannel")


class AioChannel(grpc.aio.Channel):
    """A channel. Whoever inherits says what carries a call, in `exchange`, and what states there are."""

    max_send_bytes = LARGEST_MESSAGE_BYTES
    max_receive_bytes = LARGEST_MESSAGE_BYTES
    compression: grpc.Compression | None = None
    """That of calls which say nothing of it."""
    interceptors: Sequence[grpc.aio.ClientInterceptor] = ()
    """The first is the outermost. Each serves the kinds of methods that it has base classes for."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[Any], Callable[[], object]] = {}  # with what ends each
        self._closed = False

    @abstractmethod
    def exchange(self, method: StubMethod, options: CallOptions) -> AioExchange:
        """Makes a request that has not been sent. Raises `ValueError` for metadata that may not travel."""

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
        call_type: type[AsyncCall],
        path: str,
        streaming: tuple[bool, bool],
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
        _registered_method: bool | None = False,
    ) -> Callable[..., Any]:
        method = StubMethod(
            path,
            *streaming,
            request_serializer,
            response_deserializer,
            self.max_send_bytes,
            self.max_receive_bytes,
        )
        kind = KINDS[streaming]
        interceptors = [one for one in self.interceptors if isinstance(one, kind.interceptor)]

        def begin(request: Any, options: CallOptions, path: str = path) -> AsyncCall:
            return self._begin(call_type, method._replace(path=path), request, options)

        def make_call(*args: Any, **kwargs: Any) -> Any:
            request, options = call_arguments(args, kwargs)
            if options.compression is None:
                options = options._replace(compression=self.compression)
            if not interceptors:
                return begin(request, options)
            self._check_open()
            interception = Interception(kind, interceptors, begin, path, options)
            call = interception.start(request)
            self._keep(call.task, call.cancel)
            return call

        return make_call

    def _begin(self, call_type: type[AsyncCall], method: StubMethod, request: Any, options: CallOptions) -> AsyncCall:
        self._check_open()
        exchange = self.exchange(method, options)
        self._keep(exchange.start(), lambda: exchange.end(CANCELLED))
        call = call_type(exchange, method, options)
        call.send(request)
        return call

    def _check_open(self) -> None:
        if self._closed:
            raise grpc.aio.UsageError("Channel is closed.")

    def _keep(self, task: asyncio.Task[Any], end: Callable[[], object]) -> None:
        self._running[task] = end
        task.add_done_callback(self._running.pop)

    async def close(self, grace: float | None = None) -> None:
        """Refuses calls from now on, and ends those that run: at once, or after `grace` seconds."""
        self._closed = True
        if self._running and grace is not None:
            await asyncio.wait(self._running, timeout=grace)
        while self._running:
            for end in list(self._running.values()):
                end()
            await asyncio.wait(self._running)

    async def __aenter__(self: AnyChannel) -> AnyChannel:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
