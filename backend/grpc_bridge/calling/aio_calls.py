"""Asyncio calls: what a stub gives for each kind of method, as `grpc.aio` does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator
from functools import partial
from typing import Any

import grpc

from grpc_bridge.calling.aio_exchange import AioExchange
from grpc_bridge.calling.answer import CANCELLED, Answer, request_failed
from grpc_bridge.calling.method import CallOptions, RequestError, StubMethod, request_frame
from grpc_bridge.protocol.metadata import Metadatum
from grpc_bridge.protocol.status import StatusError

FINISHED = "RPC already finished."
HALF_CLOSED = 'RPC is half closed after calling "done_writing".'
MIXED_STYLES = "A call is used by iteration or by read() and write(), not by both"


class AsyncCall(grpc.aio.Call):
    """A call. It runs by itself from the moment that it is made, until nobody has it any more."""

    def __init__(self, exchange: AioExchange, method: StubMethod, options: CallOptions) -> None:
        self._exchange = exchange
        self._answer: Answer = exchange.answer
        self._method = method
        self._encoding = options.encoding
        self._deadline = None if options.timeout is None else time.monotonic() + options.timeout

    def send(self, request: Any) -> None:
        """Sends the request, or begins to, where it is a stream."""
        try:
            self._exchange.write_last(self._frame(request))
        except (RequestError, StatusError) as error:
            self._exchange.end(request_failed(error))

    def __del__(self) -> None:
        if self._answer.outcome is None:
            self._exchange.end(CANCELLED)

    def _frame(self, request: Any) -> bytes:
        return request_frame(self._method, request, self._encoding)

    def cancel(self) -> bool:
        return self._exchange.end(CANCELLED)

    def cancelled(self) -> bool:
        return self._answer.outcome is not None and self._answer.outcome.code is grpc.StatusCode.CANCELLED

    def done(self) -> bool:
        return self._answer.outcome is not None

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        if self.done():
            callback(self)
        else:
            self._exchange.add_end_callback(partial(callback, self))

    def time_remaining(self) -> float | None:
        return None if self._deadline is None else max(self._deadline - time.monotonic(), 0.0)

    async def wait_for_connection(self) -> None:
        await self._exchange.connected()
        if self.done():
            await self._raise_for_status()

    async def initial_metadata(self) -> grpc.aio.Metadata:
        while self._answer.initial_metadata is None:
            await self._exchange.change()
        return _metadata(self._answer.initial_metadata)

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        await self._exchange.finished()
        assert self._answer.outcome is not None
        return _metadata(self._answer.outcome.trailing_metadata)

    async def code(self) -> grpc.StatusCode:
        await self._exchange.finished()
        assert self._answer.outcome is not None
        return self._answer.outcome.code

    async def details(self) -> str:
        await self._exchange.finished()
        assert self._answer.outcome is not None
        return self._answer.outcome.details

    async def debug_error_string(self) -> str:
        return f"{(await self.code()).name}: {await self.details()}"

    async def _raise_for_status(self) -> None:
        """Waits for the end of the call. Raises as grpcio does, unless the status is OK."""
        await self._until_end()
        outcome = self._answer.outcome
        assert outcome is not None
        if outcome is CANCELLED:
            raise asyncio.CancelledError
        if outcome.code is not grpc.StatusCode.OK:
            initial, trailing = _metadata(self._answer.initial_metadata or ()), _metadata(outcome.trailing_metadata)
            error = grpc.aio.AioRpcError(outcome.code, initial, trailing, outcome.details)
            raise error from outcome.cause

    async def _until_end(self) -> None:
        try:
            await self._exchange.finished()
        except asyncio.CancelledError:
            self.cancel()
            raise


def _metadata(metadata: tuple[Metadatum, ...]) -> grpc.aio.Metadata:
    return grpc.aio.Metadata(*((key, value) for key, value in metadata))


class _OneResponse(AsyncCall):
    def __await__(self) -> Generator[Any, None, Any]:
        return self._response().__await__()

    async def _response(self) -> Any:
        await self._raise_for_status()
        return self._answer.response


class _StreamOfResponses(AsyncCall):
    _iterator: AsyncIterator[Any] | None = None
    _is_read = False

    def __aiter__(self) -> AsyncIterator[Any]:
        if self._is_read:
            raise grpc.aio.UsageError(MIXED_STYLES)
        if self._iterator is None:
            self._iterator = self._responses()
        return self._iterator

    async def _responses(self) -> AsyncIterator[Any]:
        while (response := await self._next()) is not grpc.aio.EOF:
            yield response

    async def read(self) -> Any:
        if self._iterator is not None:
            raise grpc.aio.UsageError(MIXED_STYLES)
        self._is_read = True
        return await self._next()

    async def _next(self) -> Any:
        while not self._answer.has_message and not self.done():
            try:
                await self._exchange.change()
            except asyncio.CancelledError:
                self.cancel()
                raise
        if self._answer.has_message and self._answer.outcome is not CANCELLED:
            message = self._answer.take_message()
            self._exchange.notify()
            return message
        await self._raise_for_status()
        return grpc.aio.EOF


class _StreamOfRequests(AsyncCall):
    _poller: asyncio.Task[None] | None = None
    _has_ended = False

    def send(self, request: Any) -> None:
        if request is not None:
            self._poller = asyncio.get_running_loop().create_task(self._send_all(request))
            self._exchange.add_end_callback(self._stop_sending)

    def _stop_sending(self) -> None:
        if self._poller is not None:
            self._poller.cancel()

    async def _send_all(self, requests: Any) -> None:
        try:
            async for request in requests if isinstance(requests, AsyncIterable) else _async(requests):
                await self._exchange.write(self._frame(request))
                if not self._exchange.is_open:
                    return
            self._exchange.write_last()
        except Exception as error:
            self._exchange.end(request_failed(error))

    async def write(self, request: Any) -> None:
        self._check_style()
        if self.done():
            raise asyncio.InvalidStateError(FINISHED)
        if self._has_ended:
            raise asyncio.InvalidStateError(HALF_CLOSED)
        try:
            await self._exchange.write(self._frame(request))
        except (RequestError, StatusError) as error:
            self._exchange.end(request_failed(error))
            await self._raise_for_status()

    async def done_writing(self) -> None:
        self._check_style()
        if not self._has_ended:
            self._has_ended = True
            self._exchange.write_last()

    def _check_style(self) -> None:
        if self._poller is not None:
            raise grpc.aio.UsageError(MIXED_STYLES)


async def _async(requests: Any) -> AsyncIterator[Any]:
    for request in requests:
        yield request


class UnaryUnary(_OneResponse, grpc.aio.UnaryUnaryCall[Any, Any]):
    """A call with one request and one response."""


class UnaryStream(_StreamOfResponses, grpc.aio.UnaryStreamCall[Any, Any]):
    """A call with one request and a stream of responses."""


class StreamUnary(_StreamOfRequests, _OneResponse, grpc.aio.StreamUnaryCall[Any, Any]):
    """A call with a stream of requests and one response."""


class StreamStream(_StreamOfRequests, _StreamOfResponses, grpc.aio.StreamStreamCall[Any, Any]):
    """A call with a stream of requests and a stream of responses."""
