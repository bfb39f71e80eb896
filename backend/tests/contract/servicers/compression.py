"""Compression, as far as a handler has a say in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import StringValue

TEXT = "compressible " * 1000

_LARGE = StringValue(value=TEXT)


class Sync:
    """As `def` handlers. `request` is the name of a `grpc.Compression`."""

    def Compress(self, request: StringValue, context: Any) -> StringValue:
        context.set_compression(grpc.Compression[request.value])
        return _LARGE

    def CompressNot(self, request: StringValue, context: Any) -> StringValue:
        context.set_compression(grpc.Compression[request.value])
        context.disable_next_message_compression()
        return _LARGE

    def CompressStream(self, request: StringValue, context: Any) -> Iterator[StringValue]:
        context.set_compression(grpc.Compression[request.value])
        yield _LARGE
        context.disable_next_message_compression()
        yield _LARGE
        yield _LARGE

    def CompressAndAbort(self, request: StringValue, context: Any) -> Iterator[StringValue]:
        context.set_compression(grpc.Compression[request.value])
        yield _LARGE
        context.abort(grpc.StatusCode.ABORTED, TEXT[:100])

    def CompressTwice(self, request: StringValue, context: Any) -> StringValue:
        context.set_compression(grpc.Compression[request.value])
        context.set_compression(grpc.Compression.NoCompression)
        return _LARGE

    def CompressLate(self, request: Empty, context: Any) -> StringValue:
        context.send_initial_metadata(())
        context.set_compression(grpc.Compression.Gzip)
        return _LARGE


class Async:
    """As `async def` handlers."""

    async def Compress(self, request: StringValue, context: Any) -> StringValue:
        context.set_compression(grpc.Compression[request.value])
        return _LARGE

    async def CompressNot(self, request: StringValue, context: Any) -> StringValue:
        context.set_compression(grpc.Compression[request.value])
        context.disable_next_message_compression()
        return _LARGE

    async def CompressStream(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        context.set_compression(grpc.Compression[request.value])
        yield _LARGE
        context.disable_next_message_compression()
        yield _LARGE
        yield _LARGE

    async def CompressAndAbort(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        context.set_compression(grpc.Compression[request.value])
        yield _LARGE
        await context.abort(grpc.StatusCode.ABORTED, TEXT[:100])

    async def CompressTwice(self, request: StringValue, context: Any) -> StringValue:
        context.set_compression(grpc.Compression[request.value])
        context.set_compression(grpc.Compression.NoCompression)
        return _LARGE

    async def CompressLate(self, request: Empty, context: Any) -> StringValue:
        await context.send_initial_metadata(())
        try:
            context.set_compression(grpc.Compression.Gzip)
        except RuntimeError:
            return StringValue(value="refused")
        return _LARGE
