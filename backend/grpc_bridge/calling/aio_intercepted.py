"""What a stub gives for a call behind interceptors, and what stands for a call that one of them has not made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator
from typing import Any

import grpc

from grpc_bridge.calling.aio_calls import FINISHED, HALF_CLOSED, MIXED_STYLES
from grpc_bridge.calling.answer import CANCELLED
from grpc_bridge.calling.method import CallOptions

_END = object()


class InterceptedCall(grpc.aio.Call):
    """A call whose interceptors run, or have given what it goes on as. `task` is theirs."""

    def __init__(self, run: Callable[[Any], Any], request: Any, options: CallOptions) -> None:
        self._deadline = None if options.timeout is None else time.monotonic() + options.timeout
        self._loop = asyncio.get_running_loop()
        self._callbacks: list[Callable[[Any], None]] = []
        self.task: asyncio.Task[Any] = self._loop.create_task(run(request))
        self.task.add_done_callback(_retrieve)

    def __del__(self) -> None:
        if not self._loop.is_closed():
            self.cancel()

    def _given(self) -> Any:
        """Gives what the interceptors have given, and None where they run, have failed or were cancelled."""
        has_call = self.task.done() and not self.task.cancelled() and self.task.exception() is None
        return self.task.result() if has_call else None

    async def _call(self) -> Any:
        """Waits for what the interceptors give. Who is cancelled here does not cancel them."""
        await asyncio.wait((self.task,))
        return self.task.result()

    def cancel(self) -> bool:
        call = self._given()
        return self.task.cancel() if call is None else call.cancel()

    def cancelled(self) -> bool:
        call = self._given()
        return self.task.cancelled() if call is None else call.cancelled()

    def done(self) -> bool:
        call = self._given()
        return self.task.done() if call is None else call.done()

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        if not self.task.done():
            self.task.add_done_callback(lambda _: self.add_done_callback(callback))
        elif (call := self._given()) is None:
            callback(self)
        else:
            call.add_done_callback(lambda _: callback(self))

    def time_remaining(self) -> float | None:
        return None if self._deadline is None else max(self._deadline - time.monotonic(), 0.0)

    async def wait_for_connection(self) -> None:
        await (await self._call()).wait_for_connection()

    async def initial_metadata(self) -> Any:
        return await self._status("initial_metadata", grpc.aio.Metadata())

    async def trailing_metadata(self) -> Any:
        return await self._status("trailing_metadata", grpc.aio.Metadata())

    async def code(self) -> Any:
        return await self._status("code", CANCELLED.code)

    async def details(self) -> Any:
        return await self._status("details", CANCELLED.details)

    async def debug_error_string(self) -> Any:
        return await self._status("debug_error_string", CANCELLED.details)

    async def _status(self, name: str, if_cancelled: Any) -> Any:
        await asyncio.wait((self.task,))
        if self.task.cancelled():
            return if_cancelled
        error = self.task.exception()
        if isinstance(error, grpc.aio.AioRpcError):  # as the interceptor has raised it
            return getattr(error, name)()
        return await getattr(self.task.result(), name)()


def _retrieve(task: asyncio.Task[Any]) -> None:
    """What an interceptor raises belongs to the caller, who may not want it."""
    if not task.cancelled():
        task.exception()


class _OneResponse(InterceptedCall):
    def __await__(self) -> Generator[Any, None, Any]:
        call = yield from self.task.__await__()
        return (yield from call.__await__())


class _StreamOfResponses(InterceptedCall):
    _iterator: AsyncIterator[Any] | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        if self._iterator is None:
            self._iterator = _responses(self.task)
        return self._iterator

    async def read(self) -> Any:
        return await anext(aiter(self), grpc.aio.EOF)


async def _responses(task: asyncio.Task[Any]) -> AsyncIterator[Any]:
    async for response in await task:
        yield response


class _StreamOfRequests(InterceptedCall):
    _ended: asyncio.Task[Any] | None = None
    _has_ended = False

    def __init__(self, run: Callable[[Any], Any], request: Any, options: CallOptions) -> None:
        self._written: asyncio.Queue[Any] | None = asyncio.Queue(1) if request is None else None
        super().__init__(run, request if self._written is None else _items(self._written), options)

    async def write(self, request: Any) -> None:
        if self._has_ended:
            raise asyncio.InvalidStateError(HALF_CLOSED)
        if not await self._put(request):
            raise asyncio.InvalidStateError(FINISHED)

    async def done_writing(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            await self._put(_END)

    async def _put(self, item: Any) -> bool:
        """Waits until there is room for an item. Gives False where the call is over before."""
        if self._written is None:
            raise grpc.aio.UsageError(MIXED_STYLES)
        if self._ended is None:
            self._ended = self._loop.create_task(self.code())
            self._ended.add_done_callback(_retrieve)
        put = self._loop.create_task(self._written.put(item))
        try:
            await asyncio.wait((put, self._ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            put.cancel()
        return not self._ended.done()


async def _items(queue: asyncio.Queue[Any]) -> AsyncIterator[Any]:
    while (item := await queue.get()) is not _END:
        yield item


class UnaryUnary(_OneResponse, grpc.aio.UnaryUnaryCall[Any, Any]):
    """A call with one request and one response."""


class UnaryStream(_StreamOfResponses, grpc.aio.UnaryStreamCall[Any, Any]):
    """A call with one request and a stream of responses."""


class StreamUnary(_StreamOfRequests, _OneResponse, grpc.aio.StreamUnaryCall[Any, Any]):
    """A call with a stream of requests and one response."""


class StreamStream(_StreamOfRequests, _StreamOfResponses, grpc.aio.StreamStreamCall[Any, Any]):
    """A call with a stream of requests and a stream of responses."""


class _Success(grpc.aio.Call):
    """What stands for a call where an interceptor has made none: it is over, and all is well."""

    def cancel(self) -> bool:
        return False

    def cancelled(self) -> bool:
        return False

    def done(self) -> bool:
        return True

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        callback(self)

    def time_remaining(self) -> float | None:
        return None

    async def wait_for_connection(self) -> None:
        """There is none to wait for."""

    async def initial_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata()

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata()

    async def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.OK

    async def details(self) -> str:
        return ""

    async def debug_error_string(self) -> str:
        return ""


class Response(_Success):
    """A response that an interceptor has given in place of a call."""

    def __init__(self, response: Any, call: Any) -> None:
        self._response = response

    def __await__(self) -> Generator[Any, None, Any]:
        yield from ()
        return self._response


class Responses:
    """An iterator that an interceptor has given in place of a call. All but iteration is the call's that it made."""

    def __init__(self, responses: AsyncIterable[Any], call: Any) -> None:
        self._responses = responses
        self._call = _Success() if call is None else call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    def __aiter__(self) -> AsyncIterator[Any]:
        return aiter(self._responses)
