"""Handlers and interceptors for tests: every arity, every way to write them. Messages are bytes as they travel."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc

from grpc_bridge.arity import FACTORIES

ARITIES = {"unary_unary": (False, False), "unary_stream": (False, True), "stream_unary": (True, False),
           "stream_stream": (True, True)}  # fmt: skip
"""The four arities by their names in grpcio: whether requests and responses stream."""

SYNC, ASYNC, WRITER = "def", "async def", "async def with read and write"
FLAVOURS = (SYNC, ASYNC, WRITER)
"""How a handler may be written."""


def _unary_unary(request: bytes, context: Any) -> bytes:
    return b"<" + request + b">"


def _unary_stream(request: bytes, context: Any) -> Iterator[bytes]:
    yield b"1" + request
    yield b"2" + request


def _stream_unary(requests: Iterator[bytes], context: Any) -> bytes:
    return b"+".join(requests)


def _stream_stream(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
    for request in requests:
        yield b"<" + request + b">"


async def _async_unary_unary(request: bytes, context: Any) -> bytes:
    return b"<" + request + b">"


async def _async_unary_stream(request: bytes, context: Any) -> AsyncIterator[bytes]:
    yield b"1" + request
    yield b"2" + request


async def _async_stream_unary(requests: AsyncIterator[bytes], context: Any) -> bytes:
    return b"+".join([request async for request in requests])


async def _async_stream_stream(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield b"<" + request + b">"


async def _writing_unary_stream(request: bytes, context: Any) -> None:
    await context.write(b"1" + request)
    await context.write(b"2" + request)


async def _reading_stream_unary(requests: AsyncIterator[bytes], context: Any) -> bytes:
    read = []
    while (request := await context.read()) is not grpc.aio.EOF:
        read.append(request)
    return b"+".join(read)


async def _writing_stream_stream(requests: AsyncIterator[bytes], context: Any) -> None:
    while (request := await context.read()) is not grpc.aio.EOF:
        await context.write(b"<" + request + b">")


BEHAVIORS: dict[str, dict[str, Callable[..., Any]]] = {
    SYNC: {"unary_unary": _unary_unary, "unary_stream": _unary_stream, "stream_unary": _stream_unary,
           "stream_stream": _stream_stream},
    ASYNC: {"unary_unary": _async_unary_unary, "unary_stream": _async_unary_stream,
            "stream_unary": _async_stream_unary, "stream_stream": _async_stream_stream},
    WRITER: {"unary_unary": _async_unary_unary, "unary_stream": _writing_unary_stream,
             "stream_unary": _reading_stream_unary, "stream_stream": _writing_stream_stream},
}  # fmt: skip

REQUESTS = {"unary_unary": [b"a"], "unary_stream": [b"a"], "stream_unary": [b"a", b"b"], "stream_stream": [b"a", b"b"]}
RESPONSES = {"unary_unary": [b"<a>"], "unary_stream": [b"1a", b"2a"], "stream_unary": [b"a+b"],
             "stream_stream": [b"<a>", b"<b>"]}  # fmt: skip
"""What each handler is sent, and gives."""


def handler(arity: str, behavior: Callable[..., Any]) -> grpc.RpcMethodHandler[Any, Any]:
    """Gives a handler of an arity."""
    return FACTORIES[ARITIES[arity]](behavior)


def handlers(flavour: str) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
    """Gives a handler of each arity, by its name."""
    return {arity: handler(arity, behavior) for arity, behavior in BEHAVIORS[flavour].items()}


def arity_of(found: grpc.RpcMethodHandler[Any, Any]) -> str:
    """Gives the arity of a handler."""
    return next(name for name, arity in ARITIES.items() if arity == (found.request_streaming, found.response_streaming))


def wrapped(found: grpc.RpcMethodHandler[Any, Any], behavior: Callable[..., Any]) -> grpc.RpcMethodHandler[Any, Any]:
    """Gives a handler like another one, with another behavior."""
    make = FACTORIES[found.request_streaming, found.response_streaming]
    return make(behavior, found.request_deserializer, found.response_serializer)


class Marking(grpc.ServerInterceptor):
    """Wraps each handler: marks what passes in both directions, whichever arity it has."""

    def __init__(self, mark: bytes = b"s", *, replaces_requests: bool = False) -> None:
        self.mark = mark
        self.replaces_requests = replaces_requests

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        found = continuation(details)
        inner = getattr(found, arity_of(found))

        def marked(requests: Any) -> Any:
            if not found.request_streaming:
                return requests + self.mark
            return (request + self.mark for request in requests) if self.replaces_requests else requests

        def one(request: Any, context: Any) -> Any:
            return inner(marked(request), context) + self.mark.upper()

        def many(request: Any, context: Any) -> Any:
            for response in inner(marked(request), context):
                yield response + self.mark.upper()

        return wrapped(found, many if found.response_streaming else one)


class AsyncMarking(grpc.aio.ServerInterceptor):
    """The same as `async def`."""

    def __init__(self, mark: bytes = b"a", *, replaces_requests: bool = False) -> None:
        self.mark = mark
        self.replaces_requests = replaces_requests

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        found = await continuation(details)
        arity = arity_of(found)
        inner = getattr(found, arity)
        writes = found.response_streaming and inspect.iscoroutinefunction(inner)

        async def marked_each(requests: Any) -> AsyncIterator[bytes]:
            async for request in requests:
                yield request + self.mark

        def marked(requests: Any) -> Any:
            if not found.request_streaming:
                return requests + self.mark
            return marked_each(requests) if self.replaces_requests else requests

        async def one(request: Any, context: Any) -> Any:
            return await inner(marked(request), context) + self.mark.upper()

        async def many(request: Any, context: Any) -> Any:
            async for response in inner(marked(request), context):
                yield response + self.mark.upper()

        async def write(request: Any, context: Any) -> Any:
            await inner(marked(request), context)

        return wrapped(found, write if writes else many if found.response_streaming else one)


class Wrapping(grpc.ServerInterceptor):
    """A `def` around every handler."""

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        found = continuation(details)
        if found is None:
            return None
        inner = getattr(found, arity_of(found))

        def one(request: Any, context: Any) -> Any:
            return inner(request, context)

        def many(request: Any, context: Any) -> Any:
            yield from inner(request, context)

        return wrapped(found, many if found.response_streaming else one)


class AioWrapping(grpc.aio.ServerInterceptor):
    """An `async def` around every handler."""

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        found = await continuation(details)
        if found is None:
            return None
        inner = getattr(found, arity_of(found))

        async def one(request: Any, context: Any) -> Any:
            return await inner(request, context)

        async def many(request: Any, context: Any) -> Any:
            async for response in inner(request, context):
                yield response

        return wrapped(found, many if found.response_streaming and not inspect.iscoroutinefunction(inner) else one)
