"""Messages in and out, for all four kinds of methods."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from tests.contract.servicers.bookkeeping import invocations


def _text(value: object) -> StringValue:
    return StringValue(value=str(value))


class Sync:
    """As `def` handlers."""

    def Echo(self, request: StringValue, context: Any) -> StringValue:
        invocations["Sync/Echo"] += 1
        return StringValue(value=request.value)

    def Repeat(self, request: Int32Value, context: Any) -> Iterator[StringValue]:
        invocations["Sync/Repeat"] += 1
        for number in range(request.value):
            yield _text(number)

    def RepeatByWriting(self, request: Int32Value, context: Any) -> Iterator[StringValue]:
        return map(_text, range(request.value))  # any iterator will do, not just a generator

    def Collect(self, requests: Iterator[StringValue], context: Any) -> StringValue:
        return _text(",".join(request.value for request in requests))

    def TakeFirst(self, requests: Iterator[StringValue], context: Any) -> StringValue:
        return next(requests)

    def Chat(self, requests: Iterator[StringValue], context: Any) -> Iterator[StringValue]:
        for request in requests:
            yield StringValue(value=request.value)

    def ChatByReading(self, requests: Iterator[StringValue], context: Any) -> Iterator[StringValue]:
        while (request := next(requests, None)) is not None:
            yield StringValue(value=request.value)

    def Gather(self, requests: Iterator[StringValue], context: Any) -> Iterator[StringValue]:
        yield from list(requests)

    def Large(self, request: Int32Value, context: Any) -> StringValue:
        return _text("x" * request.value)

    def LargeStream(self, request: Int32Value, context: Any) -> Iterator[StringValue]:
        yield _text("small")
        yield _text("x" * request.value)
        yield _text("never sent after one that is too large")

    def EmptyStruct(self, request: Empty, context: Any) -> Struct:
        return Struct()  # bool() of it is False, and it is a message all the same


class Async:
    """As `async def` handlers."""

    async def Echo(self, request: StringValue, context: Any) -> StringValue:
        invocations["Async/Echo"] += 1
        return StringValue(value=request.value)

    async def Repeat(self, request: Int32Value, context: Any) -> AsyncIterator[StringValue]:
        invocations["Async/Repeat"] += 1
        for number in range(request.value):
            yield _text(number)

    async def RepeatByWriting(self, request: Int32Value, context: Any) -> None:
        for number in range(request.value):
            await context.write(_text(number))

    async def Collect(self, requests: AsyncIterator[StringValue], context: Any) -> StringValue:
        return _text(",".join([request.value async for request in requests]))

    async def TakeFirst(self, requests: AsyncIterator[StringValue], context: Any) -> StringValue:
        return await anext(aiter(requests))

    async def Chat(self, requests: AsyncIterator[StringValue], context: Any) -> AsyncIterator[StringValue]:
        async for request in requests:
            yield StringValue(value=request.value)

    async def ChatByReading(self, requests: AsyncIterator[StringValue], context: Any) -> None:
        while (request := await context.read()) is not grpc.aio.EOF:
            await context.write(StringValue(value=request.value))

    async def Gather(self, requests: AsyncIterator[StringValue], context: Any) -> AsyncIterator[StringValue]:
        for request in [request async for request in requests]:
            yield request

    async def Large(self, request: Int32Value, context: Any) -> StringValue:
        return _text("x" * request.value)

    async def LargeStream(self, request: Int32Value, context: Any) -> AsyncIterator[StringValue]:
        yield _text("small")
        yield _text("x" * request.value)
        yield _text("never sent after one that is too large")

    async def EmptyStruct(self, request: Empty, context: Any) -> Struct:
        return Struct()
