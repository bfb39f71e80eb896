"""A service for tests of the test clients: four methods of text, one for each kind, by `def` and by `async def`.

The text says what a handler does (see `Lab.act`), and the servicer remembers what happened.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
from asgiref.sync import sync_to_async
from django.contrib.contenttypes.models import ContentType
from google.protobuf.wrappers_pb2 import StringValue

from grpc_bridge import get_user

SERVICE = "test.v1.Lab"

KINDS = {
    "Unary": (grpc.unary_unary_rpc_method_handler, "unary_unary"),
    "Responses": (grpc.unary_stream_rpc_method_handler, "unary_stream"),
    "Requests": (grpc.stream_unary_rpc_method_handler, "stream_unary"),
    "Both": (grpc.stream_stream_rpc_method_handler, "stream_stream"),
}
"""By the name of a method: what makes its handler, and what a channel makes its stub with."""


def add_row(name: str) -> None:
    """Adds a row to the database. Any model serves."""
    ContentType.objects.create(app_label="lab", model=name)


def add_end() -> None:
    """Adds a row that says that a stream has ended, however it did."""
    add_row(f"end-after-{len(rows())}")


def rows() -> list[str]:
    """Gives the names of the rows that were added."""
    return list(ContentType.objects.filter(app_label="lab").order_by("pk").values_list("model", flat=True))


class HandlerError(Exception):
    """What a handler raises when it is told to."""


class Lab:
    """The servicer by `def`."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        """What has happened, in order."""

    def register(self, server: Any) -> None:
        """Does what a generated `add_XServicer_to_server` does."""
        handlers = {
            name: make(
                getattr(self, name),
                request_deserializer=StringValue.FromString,
                response_serializer=StringValue.SerializeToString,
            )
            for name, (make, _) in KINDS.items()
        }
        server.add_registered_method_handlers(SERVICE, handlers)

    def act(self, request: StringValue, context: Any) -> StringValue:
        """Does what the request says and gives what came of it."""
        self.seen.append(request.value)
        result = request.value
        match request.value.split():
            case ["raise"]:
                raise HandlerError("not for callers")
            case ["metadata", key]:
                result = repr([value for name, value in context.invocation_metadata() if name == key])
            case ["trailing"]:
                context.set_trailing_metadata((("a", "1"), ("a", "2"), ("b-bin", b"\x00\xff")))
            case ["compress"]:
                context.set_compression(grpc.Compression.Gzip)
            case ["time"]:
                result = str(context.time_remaining())
            case ["user"]:
                result = str(get_user(context))
            case ["thread"]:
                result = str(threading.get_ident())
            case ["add", name]:
                add_row(name)
            case ["rows"]:
                result = " ".join(rows())
        return StringValue(value=result)

    def Unary(self, request: StringValue, context: Any) -> StringValue:
        if request.value == "abort":
            context.set_trailing_metadata((("why", "told to"),))
            context.abort(grpc.StatusCode.NOT_FOUND, "as told: ü")
        if request.value == "initial":
            context.send_initial_metadata((("first", "1"), ("first-bin", b"\x00")))
        return self.act(request, context)

    def Responses(self, request: StringValue, context: Any) -> Iterator[StringValue]:
        try:
            for number in range(int(request.value)):
                self.seen.append(f"made {number}")
                yield StringValue(value=str(number))
            self.seen.append("through")
        finally:
            add_end()

    def Requests(self, requests: Iterator[StringValue], context: Any) -> StringValue:
        return StringValue(value="+".join(request.value for request in requests))

    def Both(self, requests: Iterator[StringValue], context: Any) -> Iterator[StringValue]:
        for request in requests:
            yield self.act(request, context)


class AsyncLab(Lab):
    """The servicer by `async def`. Acting is sync code of the handler, as ORM calls are."""

    async def Unary(self, request: StringValue, context: Any) -> StringValue:  # type: ignore[override]
        if request.value == "abort":
            context.set_trailing_metadata((("why", "told to"),))
            await context.abort(grpc.StatusCode.NOT_FOUND, "as told: ü")
        if request.value == "initial":
            await context.send_initial_metadata((("first", "1"), ("first-bin", b"\x00")))
        return await sync_to_async(self.act)(request, context)

    async def Responses(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:  # type: ignore[override]
        try:
            for number in range(int(request.value)):
                self.seen.append(f"made {number}")
                yield StringValue(value=str(number))
            self.seen.append("through")
        finally:
            await sync_to_async(add_end)()

    async def Requests(self, requests: AsyncIterator[StringValue], context: Any) -> StringValue:  # type: ignore[override]
        return StringValue(value="+".join([request.value async for request in requests]))

    async def Both(  # type: ignore[override]
        self, requests: AsyncIterator[StringValue], context: Any
    ) -> AsyncIterator[StringValue]:
        async for request in requests:
            yield await sync_to_async(self.act)(request, context)


class DefInterceptor(grpc.ServerInterceptor):  # type: ignore[misc]
    """Wraps every handler by `def`."""

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = continuation(details)
        make, kind = _kind_of(handler)
        inner = getattr(handler, kind)

        def respond(request: Any, context: Any) -> Any:
            return inner(request, context)

        def stream(request: Any, context: Any) -> Any:
            yield from inner(request, context)

        behavior = stream if handler.response_streaming else respond
        return make(behavior, handler.request_deserializer, handler.response_serializer)


class AsyncInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Wraps every handler by `async def`."""

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        make, kind = _kind_of(handler)
        inner = getattr(handler, kind)

        async def respond(request: Any, context: Any) -> Any:
            return await inner(request, context)

        async def stream(request: Any, context: Any) -> Any:
            async for response in inner(request, context):
                yield response

        behavior = stream if handler.response_streaming else respond
        return make(behavior, handler.request_deserializer, handler.response_serializer)


def _kind_of(handler: Any) -> Any:
    return next((make, kind) for make, kind in KINDS.values() if getattr(handler, kind) is not None)


class LabStub:
    """What generated code makes of a channel."""

    Unary: Any
    Responses: Any
    Requests: Any
    Both: Any

    def __init__(self, channel: Any) -> None:
        for name, (_, multi_callable) in KINDS.items():
            method = getattr(channel, multi_callable)(
                f"/{SERVICE}/{name}",
                request_serializer=StringValue.SerializeToString,
                response_deserializer=StringValue.FromString,
                _registered_method=True,
            )
            setattr(self, name, method)


def text(value: str) -> StringValue:
    """Gives a request."""
    return StringValue(value=value)


def texts(*values: str) -> Iterator[StringValue]:
    """Gives a stream of requests."""
    return map(text, values)
