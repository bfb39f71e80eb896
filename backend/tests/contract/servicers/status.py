"""Statuses: every way in which a handler can end a call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

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
from google.protobuf.wrappers_pb2 import StringValue

from tests.contract.servicers.metadata import INITIAL, TRAILING

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

_DONE = StringValue(value="done")


class DownstreamError(grpc.RpcError):
    """What a stub raises inside a `def` handler when the call that it makes itself fails."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.NOT_FOUND

    def details(self) -> str:
        return SECRET


ASYNC_DOWNSTREAM_ERROR = grpc.aio.AioRpcError(
    grpc.StatusCode.NOT_FOUND, grpc.aio.Metadata(), grpc.aio.Metadata(), details=SECRET
)
"""The same in an `async def` handler."""


class Sync:
    """As `def` handlers."""

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

    def SetDetailsAndRaise(self, request: Empty, context: Any) -> StringValue:
        context.set_details("set")
        raise ValueError(SECRET)

    def SetMetadataAndRaise(self, request: Empty, context: Any) -> StringValue:
        context.send_initial_metadata(INITIAL)
        context.set_trailing_metadata(TRAILING)
        raise ValueError(SECRET)

    def SetCodeAndReturnNone(self, request: Empty, context: Any) -> StringValue:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("set")
        return None  # type: ignore[return-value]

    def SetCodeForRequests(self, requests: Iterator[StringValue], context: Any) -> StringValue:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        return StringValue(value=str(sum(1 for _ in requests)))

    def SetCodeNumber(self, request: Empty, context: Any) -> StringValue:
        context.set_code(9)
        return _DONE

    def TakeCodeBack(self, request: Empty, context: Any) -> StringValue:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_code(grpc.StatusCode.OK)
        return _DONE

    def Getters(self, request: Empty, context: Any) -> ListValue:
        seen = ListValue()
        seen.extend((str(context.code()), _as_text(context.details()), str(tuple(context.trailing_metadata() or ()))))
        context.set_code(grpc.StatusCode.OUT_OF_RANGE)
        context.set_details("dé")
        context.set_trailing_metadata((("contract-trailing", "one"),))
        seen.extend((str(context.code()), _as_text(context.details()), str(tuple(context.trailing_metadata() or ()))))
        context.set_code(grpc.StatusCode.OK)
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


class Async:
    """As `async def` handlers."""

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

    async def SetDetailsAndRaise(self, request: Empty, context: Any) -> StringValue:
        context.set_details("set")
        raise ValueError(SECRET)

    async def SetMetadataAndRaise(self, request: Empty, context: Any) -> StringValue:
        await context.send_initial_metadata(INITIAL)
        context.set_trailing_metadata(TRAILING)
        raise ValueError(SECRET)

    async def SetCodeAndReturnNone(self, request: Empty, context: Any) -> StringValue:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("set")
        return None  # type: ignore[return-value]

    async def SetCodeForRequests(self, requests: AsyncIterator[StringValue], context: Any) -> StringValue:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        return StringValue(value=str(len([request async for request in requests])))

    async def SetCodeNumber(self, request: Empty, context: Any) -> StringValue:
        context.set_code(9)
        return _DONE

    async def TakeCodeBack(self, request: Empty, context: Any) -> StringValue:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_code(grpc.StatusCode.OK)
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
        raise ASYNC_DOWNSTREAM_ERROR

    # Generated base servicers are `def` also where the servicer's own methods are `async def`.

    def Unimplemented(self, request: Empty, context: Any) -> StringValue:
        _generated_unimplemented(context)

    def UnimplementedStream(self, request: Empty, context: Any) -> Iterator[StringValue]:
        _generated_unimplemented(context)


def _as_text(details: str | bytes | None) -> str:
    """grpcio's two servers disagree on the type."""
    return details.decode() if isinstance(details, bytes) else details or ""


def _generated_unimplemented(context: Any) -> None:
    """The body of every method of a generated base servicer."""
    context.set_code(grpc.StatusCode.UNIMPLEMENTED)
    context.set_details("Method not implemented!")
    raise NotImplementedError("Method not implemented!")
