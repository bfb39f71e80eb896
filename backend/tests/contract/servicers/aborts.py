"""Aborts: every way in which a handler can break a call off with a status."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import ListValue
from google.protobuf.wrappers_pb2 import Int32Value, StringValue
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from tests.contract.servicers.metadata import INITIAL, TRAILING

STATUS_DETAILS = b"\x08\x05\x12\x07details\xff"
"""Stands for a serialized google.rpc.Status; the last byte is no UTF-8."""

BAD_REQUEST = error_details_pb2.BadRequest(
    field_violations=[error_details_pb2.BadRequest.FieldViolation(field="email", description="größer als 100 %")]
)

_DONE = StringValue(value="done")


class Status(NamedTuple):
    """A `grpc.Status`, as `grpc_status.rpc_status.to_status` gives it."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


class _Status(Status, grpc.Status):
    """grpcio looks for the three fields, not for the type; this has both."""


STATUS = _Status(
    grpc.StatusCode.FAILED_PRECONDITION,
    "not yet",
    (("grpc-status-details-bin", STATUS_DETAILS), ("contract-trailing", "one")),
)


def _bad_request() -> grpc.Status:
    """What a servicer answers with google.rpc's error details."""
    status = status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message="see the details")
    status.details.add().Pack(BAD_REQUEST)
    return rpc_status.to_status(status)


def _code(request: ListValue) -> tuple[grpc.StatusCode, str]:
    name, details = request
    return grpc.StatusCode[name], details


class Sync:
    """As `def` handlers."""

    def Abort(self, request: ListValue, context: Any) -> StringValue:
        context.abort(*_code(request))

    def AbortAfter(self, request: Int32Value, context: Any) -> Iterator[StringValue]:
        for number in range(request.value):
            yield StringValue(value=str(number))
        context.abort(grpc.StatusCode.ABORTED, f"after {request.value}")
        yield _DONE

    def AbortWithStatus(self, request: Empty, context: Any) -> StringValue:
        context.abort_with_status(STATUS)

    def AbortWithDetails(self, request: Empty, context: Any) -> StringValue:
        context.set_trailing_metadata(STATUS.trailing_metadata)
        context.abort(STATUS.code, STATUS.details)

    def AbortWithBadRequest(self, request: Empty, context: Any) -> StringValue:
        context.abort_with_status(_bad_request())

    def AbortStreamWithBadRequest(self, request: Empty, context: Any) -> Iterator[StringValue]:
        yield _DONE
        context.abort_with_status(_bad_request())

    def AbortWithStatusOverMetadata(self, request: Empty, context: Any) -> StringValue:
        context.set_trailing_metadata((("contract-trailing", "set before"),))
        context.abort_with_status(STATUS._replace(trailing_metadata=()))

    def AbortAfterTrailing(self, request: Empty, context: Any) -> StringValue:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("overruled")
        context.set_trailing_metadata((("contract-trailing", "kept"),))
        context.abort(grpc.StatusCode.ABORTED, "told")

    def AbortRequests(self, requests: Iterator[StringValue], context: Any) -> StringValue:
        context.abort(grpc.StatusCode.ABORTED, f"after {next(requests).value}")

    def AbortChat(self, requests: Iterator[StringValue], context: Any) -> Iterator[StringValue]:
        context.send_initial_metadata(INITIAL)
        for request in requests:
            yield request
            context.set_trailing_metadata(TRAILING)
            context.abort(grpc.StatusCode.ABORTED, f"after {request.value}")

    def AbortTwice(self, request: Empty, context: Any) -> StringValue:
        try:
            context.abort(grpc.StatusCode.ABORTED, "first")
        except Exception:
            context.set_trailing_metadata((("contract-trailing", "set after"),))
        context.abort(grpc.StatusCode.DATA_LOSS, "second")

    def SwallowAbort(self, request: Empty, context: Any) -> StringValue:
        try:
            context.abort(grpc.StatusCode.ABORTED, "swallowed")
        except Exception:
            return _DONE

    def SwallowAbortInStream(self, request: Empty, context: Any) -> Iterator[StringValue]:
        yield _DONE
        try:
            context.abort(grpc.StatusCode.ABORTED, "swallowed")
        except Exception:
            yield _DONE


class Async:
    """As `async def` handlers."""

    async def Abort(self, request: ListValue, context: Any) -> StringValue:
        await context.abort(*_code(request))

    async def AbortAfter(self, request: Int32Value, context: Any) -> AsyncIterator[StringValue]:
        for number in range(request.value):
            yield StringValue(value=str(number))
        await context.abort(grpc.StatusCode.ABORTED, f"after {request.value}")
        yield _DONE

    async def AbortWithStatus(self, request: Empty, context: Any) -> StringValue:
        await context.abort_with_status(STATUS)

    async def AbortWithDetails(self, request: Empty, context: Any) -> StringValue:
        await context.abort(STATUS.code, STATUS.details, STATUS.trailing_metadata)

    async def AbortWithBadRequest(self, request: Empty, context: Any) -> StringValue:
        await context.abort_with_status(_bad_request())

    async def AbortStreamWithBadRequest(self, request: Empty, context: Any) -> AsyncIterator[StringValue]:
        yield _DONE
        await context.abort_with_status(_bad_request())

    async def AbortWithStatusOverMetadata(self, request: Empty, context: Any) -> StringValue:
        context.set_trailing_metadata((("contract-trailing", "set before"),))
        await context.abort_with_status(STATUS._replace(trailing_metadata=()))

    async def AbortAfterTrailing(self, request: Empty, context: Any) -> StringValue:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("overruled")
        context.set_trailing_metadata((("contract-trailing", "kept"),))
        await context.abort(grpc.StatusCode.ABORTED, "told")

    async def AbortRequests(self, requests: AsyncIterator[StringValue], context: Any) -> StringValue:
        first = await anext(aiter(requests))
        await context.abort(grpc.StatusCode.ABORTED, f"after {first.value}")

    async def AbortChat(self, requests: AsyncIterator[StringValue], context: Any) -> AsyncIterator[StringValue]:
        await context.send_initial_metadata(INITIAL)
        async for request in requests:
            yield request
            await context.abort(grpc.StatusCode.ABORTED, f"after {request.value}", TRAILING)

    async def AbortTwice(self, request: Empty, context: Any) -> StringValue:
        try:
            await context.abort(grpc.StatusCode.ABORTED, "first")
        except Exception:
            context.set_trailing_metadata((("contract-trailing", "set after"),))
        await context.abort(grpc.StatusCode.DATA_LOSS, "second")

    async def SwallowAbort(self, request: Empty, context: Any) -> StringValue:
        try:
            await context.abort(grpc.StatusCode.ABORTED, "swallowed")
        except Exception:
            return _DONE

    async def SwallowAbortInStream(self, request: Empty, context: Any) -> AsyncIterator[StringValue]:
        yield _DONE
        try:
            await context.abort(grpc.StatusCode.ABORTED, "swallowed")
        except Exception:
            yield _DONE
