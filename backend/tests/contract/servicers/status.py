"""Statuses: every way in which a handler can end a call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import grpc
from django.core.exceptions import (
    ObjectDoesNotExist,
    PermissionDenied,
    SuspiciousOperation,
    ValidationError,
)
from django.http import Http404
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import ListValue
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

SECRET = "the password is swordfish"

EXCEPTIONS: dict[str, Exception] = {
    error.__class__.__name__: error
    for error in (
        ValueError(SECRET),
        PermissionDenied(SECRET),
        ObjectDoesNotExist(SECRET),
        Http404(SECRET),
        ValidationError(SECRET),
        SuspiciousOperation(SECRET),
        NotImplementedError(SECRET),
    )
}

STATUS_DETAILS = b"\x08\x05\x12\x07details\xff"
"""Stands for a serialized google.rpc.Status; the last byte is no UTF-8."""

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


def _code(request: ListValue) -> tuple[grpc.StatusCode, str]:
    name, details = request
    return grpc.StatusCode[name], details


class DownstreamError(grpc.RpcError):
    """What a stub raises inside a handler when the call that it makes itself fails."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.NOT_FOUND

    def details(self) -> str:
        return SECRET


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

    def AbortAfterTrailing(self, request: Empty, context: Any) -> StringValue:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("overruled")
        context.set_trailing_metadata((("contract-trailing", "kept"),))
        context.abort(grpc.StatusCode.ABORTED, "told")

    def AbortRequests(self, requests: Iterator[StringValue], context: Any) -> StringValue:
        context.abort(grpc.StatusCode.ABORTED, f"after {next(requests).value}")

    def SwallowAbort(self, request: Empty, context: Any) -> StringValue:
        try:
            context.abort(grpc.StatusCode.ABORTED, "swallowed")
        except Exception:
            return _DONE

    def SetCode(self, request: Empty, context: Any) -> StringValue:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("set")
        return _DONE

    def SetCodeInStream(self, request: Empty, context: Any) -> Iterator[StringValue]:
        yield _DONE
        context.set_code(grpc.StatusCode.DATA_LOSS)
        context.set_details("set")
        yield _DONE

    def SetDetailsOnly(self, request: Empty, context: Any) -> StringValue:
        context.set_details("set")
        return _DONE

    def SetCodeAndRaise(self, request: Empty, context: Any) -> StringValue:
        context.set_code(grpc.StatusCode.ALREADY_EXISTS)
        context.set_details("set")
        raise ValueError(SECRET)

    def SetCodeNumber(self, request: Empty, context: Any) -> StringValue:
        context.set_code(9)
        return _DONE

    def Getters(self, request: Empty, context: Any) -> ListValue:
        seen = ListValue()
        seen.extend((str(context.code()), _as_text(context.details()), str(tuple(context.trailing_metadata() or ()))))
        context.set_code(grpc.StatusCode.OUT_OF_RANGE)
        context.set_details("dé")
        context.set_trailing_metadata((("contract-trailing", "one"),))
        seen.extend((str(context.code()), _as_text(context.details()), str(tuple(context.trailing_metadata() or ()))))
        return seen

    def ReturnNone(self, request: Empty, context: Any) -> StringValue:
        return None  # type: ignore[return-value]

    def ReturnText(self, request: Empty, context: Any) -> StringValue:
        return "text"  # type: ignore[return-value]

    def YieldNone(self, request: Empty, context: Any) -> Iterator[StringValue]:
        yield _DONE
        yield None  # type: ignore[misc]
        yield _DONE

    def Raise(self, request: StringValue, context: Any) -> StringValue:
        raise EXCEPTIONS[request.value]

    def RaiseInStream(self, request: StringValue, context: Any) -> Iterator[StringValue]:
        yield _DONE
        raise EXCEPTIONS[request.value]

    def CallDownstream(self, request: Empty, context: Any) -> StringValue:
        raise DownstreamError

    def Unimplemented(self, request: Empty, context: Any) -> StringValue:
        _generated_unimplemented(context)

    def UnimplementedStream(self, request: Empty, context: Any) -> Iterator[StringValue]:
        _generated_unimplemented(context)

    def Compress(self, request: Empty, context: Any) -> StringValue:
        context.set_compression(grpc.Compression.Gzip)
        context.disable_next_message_compression()
        return _DONE


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

    async def AbortAfterTrailing(self, request: Empty, context: Any) -> StringValue:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("overruled")
        context.set_trailing_metadata((("contract-trailing", "kept"),))
        await context.abort(grpc.StatusCode.ABORTED, "told")

    async def AbortRequests(self, requests: AsyncIterator[StringValue], context: Any) -> StringValue:
        first = await anext(aiter(requests))
        await context.abort(grpc.StatusCode.ABORTED, f"after {first.value}")

    async def SwallowAbort(self, request: Empty, context: Any) -> StringValue:
        try:
            await context.abort(grpc.StatusCode.ABORTED, "swallowed")
        except Exception:
            return _DONE

    async def SetCode(self, request: Empty, context: Any) -> StringValue:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("set")
        return _DONE

    async def SetCodeInStream(self, request: Empty, context: Any) -> AsyncIterator[StringValue]:
        yield _DONE
        context.set_code(grpc.StatusCode.DATA_LOSS)
        context.set_details("set")
        yield _DONE

    async def SetDetailsOnly(self, request: Empty, context: Any) -> StringValue:
        context.set_details("set")
        return _DONE

    async def SetCodeAndRaise(self, request: Empty, context: Any) -> StringValue:
        context.set_code(grpc.StatusCode.ALREADY_EXISTS)
        context.set_details("set")
        raise ValueError(SECRET)

    async def SetCodeNumber(self, request: Empty, context: Any) -> StringValue:
        context.set_code(9)
        return _DONE

    async def Getters(self, request: Empty, context: Any) -> ListValue:
        return Sync.Getters(self, request, context)  # type: ignore[arg-type]  # nothing in it waits

    async def ReturnNone(self, request: Empty, context: Any) -> StringValue:
        return None  # type: ignore[return-value]

    async def ReturnText(self, request: Empty, context: Any) -> StringValue:
        return "text"  # type: ignore[return-value]

    async def YieldNone(self, request: Empty, context: Any) -> AsyncIterator[StringValue]:
        yield _DONE
        yield None  # type: ignore[misc]
        yield _DONE

    async def Raise(self, request: StringValue, context: Any) -> StringValue:
        raise EXCEPTIONS[request.value]

    async def RaiseInStream(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        yield _DONE
        raise EXCEPTIONS[request.value]

    async def CallDownstream(self, request: Empty, context: Any) -> StringValue:
        raise DownstreamError

    # Generated base servicers are `def` also where the servicer's own methods are `async def`.

    def Unimplemented(self, request: Empty, context: Any) -> StringValue:
        _generated_unimplemented(context)

    def UnimplementedStream(self, request: Empty, context: Any) -> Iterator[StringValue]:
        _generated_unimplemented(context)

    async def Compress(self, request: Empty, context: Any) -> StringValue:
        context.set_compression(grpc.Compression.Gzip)
        context.disable_next_message_compression()
        return _DONE


def _as_text(details: str | bytes | None) -> str:
    """grpcio's two servers disagree on the type."""
    return details.decode() if isinstance(details, bytes) else details or ""


def _generated_unimplemented(context: Any) -> None:
    """The body of every method of a generated base servicer."""
    context.set_code(grpc.StatusCode.UNIMPLEMENTED)
    context.set_details("Method not implemented!")
    raise NotImplementedError("Method not implemented!")
