"""Metadata: what handlers send, and what they see of the caller's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import ListValue
from google.protobuf.wrappers_pb2 import StringValue

INITIAL = (
    ("contract-initial", "one"),
    ("contract-initial", "two, with a comma"),
    ("contract-initial-bin", b"\x00\xff\xfe initial"),
)
TRAILING = (
    ("contract-trailing", "one"),
    ("contract-trailing", "two, with a comma"),
    ("contract-trailing-bin", b"\x00\xff\xfe trailing"),
    ("contract-trailing-bin", b""),
)

_DONE = StringValue(value="done")


def _entry(request: ListValue) -> tuple[str, str | bytes]:
    """A key and a text value; a third item asks for the value as bytes."""
    key, value, *as_bytes = request
    return key, value.encode() if as_bytes else value


def _shown(context: Any, prefix: str) -> ListValue:
    """The caller's metadata as `key=value`, bytes in hexadecimal."""
    shown = ListValue()
    for key, value in context.invocation_metadata():
        if key.startswith(prefix):
            shown.append(f"{key}={value.hex() if isinstance(value, bytes) else value}")
    return shown


def _types(context: Any) -> StringValue:
    """Every entry of a real grpcio server has names for its two fields, too."""
    for entry in context.invocation_metadata():
        assert (entry.key, entry.value) == tuple(entry)
        assert isinstance(entry.value, bytes if entry.key.endswith("-bin") else str)
    return _DONE


class Sync:
    """As `def` handlers."""

    def SendInitial(self, request: Empty, context: Any) -> StringValue:
        context.send_initial_metadata(INITIAL)
        return _DONE

    def SendInitialInStream(self, request: Empty, context: Any) -> Iterator[StringValue]:
        context.send_initial_metadata(INITIAL)
        yield _DONE
        yield _DONE

    def SendInitialTwice(self, request: Empty, context: Any) -> StringValue:
        context.send_initial_metadata(INITIAL)
        try:
            context.send_initial_metadata(INITIAL)
        except ValueError:
            return StringValue(value="refused")
        return _DONE

    def SendInitialLate(self, request: Empty, context: Any) -> Iterator[StringValue]:
        yield StringValue(value="first")
        try:
            context.send_initial_metadata(INITIAL)
        except ValueError:
            yield StringValue(value="refused")

    def ChatAfterInitial(self, requests: Iterator[StringValue], context: Any) -> Iterator[StringValue]:
        context.send_initial_metadata(INITIAL)
        for request in requests:
            yield StringValue(value=request.value)

    def SetTrailing(self, request: Empty, context: Any) -> StringValue:
        context.set_trailing_metadata(TRAILING)
        return _DONE

    def SetTrailingInStream(self, request: Empty, context: Any) -> Iterator[StringValue]:
        yield _DONE
        context.set_trailing_metadata(TRAILING)

    def SetTrailingTwice(self, request: Empty, context: Any) -> StringValue:
        context.set_trailing_metadata((("contract-first", "gone"),))
        context.set_trailing_metadata(TRAILING)
        return _DONE

    def SetTrailingEntry(self, request: ListValue, context: Any) -> StringValue:
        context.set_trailing_metadata((_entry(request),))
        return _DONE

    def SendInitialEntry(self, request: ListValue, context: Any) -> StringValue:
        context.send_initial_metadata((_entry(request),))
        return _DONE

    def ShowMetadata(self, request: StringValue, context: Any) -> ListValue:
        return _shown(context, request.value)

    def ShowMetadataTypes(self, request: Empty, context: Any) -> StringValue:
        return _types(context)

    def Peer(self, request: Empty, context: Any) -> StringValue:
        return StringValue(value=context.peer())


class Async:
    """As `async def` handlers."""

    async def SendInitial(self, request: Empty, context: Any) -> StringValue:
        await context.send_initial_metadata(INITIAL)
        return _DONE

    async def SendInitialInStream(self, request: Empty, context: Any) -> AsyncIterator[StringValue]:
        await context.send_initial_metadata(INITIAL)
        yield _DONE
        yield _DONE

    async def SendInitialTwice(self, request: Empty, context: Any) -> StringValue:
        await context.send_initial_metadata(INITIAL)
        try:
            await context.send_initial_metadata(INITIAL)
        except grpc.aio.UsageError:
            return StringValue(value="refused")
        return _DONE

    async def SendInitialLate(self, request: Empty, context: Any) -> AsyncIterator[StringValue]:
        yield StringValue(value="first")
        try:
            await context.send_initial_metadata(INITIAL)
        except grpc.aio.UsageError:
            yield StringValue(value="refused")

    async def ChatAfterInitial(self, requests: AsyncIterator[StringValue], context: Any) -> AsyncIterator[StringValue]:
        await context.send_initial_metadata(INITIAL)
        async for request in requests:
            yield StringValue(value=request.value)

    async def SetTrailing(self, request: Empty, context: Any) -> StringValue:
        context.set_trailing_metadata(TRAILING)
        return _DONE

    async def SetTrailingInStream(self, request: Empty, context: Any) -> AsyncIterator[StringValue]:
        yield _DONE
        context.set_trailing_metadata(TRAILING)

    async def SetTrailingTwice(self, request: Empty, context: Any) -> StringValue:
        context.set_trailing_metadata((("contract-first", "gone"),))
        context.set_trailing_metadata(TRAILING)
        return _DONE

    async def SetTrailingEntry(self, request: ListValue, context: Any) -> StringValue:
        context.set_trailing_metadata((_entry(request),))
        return _DONE

    async def SendInitialEntry(self, request: ListValue, context: Any) -> StringValue:
        await context.send_initial_metadata((_entry(request),))
        return _DONE

    async def ShowMetadata(self, request: StringValue, context: Any) -> ListValue:
        return _shown(context, request.value)

    async def ShowMetadataTypes(self, request: Empty, context: Any) -> StringValue:
        return _types(context)

    async def Peer(self, request: Empty, context: Any) -> StringValue:
        return StringValue(value=context.peer())
