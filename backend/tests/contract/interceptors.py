"""Interceptors of the servers that have some: one of each kind, which wrap every handler and change nothing, and those
that a test asks for by metadata.
"""

from __future__ import annotations

import inspect
from typing import Any

import grpc

from grpc_bridge.arity import FACTORIES
from tests.contract.servicers.site import variable

REFUSE = "x-refuse"
HAND_ON = "x-hand-on"


def _inner(handler: Any) -> tuple[Any, Any]:
    """Gives the behavior of a handler, and a function that gives the same handler with another."""
    arity = handler.request_streaming, handler.response_streaming
    name = "_".join("stream" if streaming else "unary" for streaming in arity)

    def wrapped(behavior: Any) -> Any:
        return FACTORIES[arity](behavior, handler.request_deserializer, handler.response_serializer)

    return getattr(handler, name), wrapped


class Wrapping(grpc.ServerInterceptor):
    """A `def` around every handler."""

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = continuation(details)
        if handler is None:
            return None
        inner, wrapped = _inner(handler)

        def one(request: Any, context: Any) -> Any:
            return inner(request, context)

        def many(request: Any, context: Any) -> Any:
            yield from inner(request, context)

        return wrapped(many if handler.response_streaming else one)


class AioWrapping(grpc.aio.ServerInterceptor):
    """An `async def` around every handler."""

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        if handler is None:
            return None
        inner, wrapped = _inner(handler)

        async def one(request: Any, context: Any) -> Any:
            return await inner(request, context)

        async def many(request: Any, context: Any) -> Any:
            async for response in inner(request, context):
                yield response

        return wrapped(many if handler.response_streaming and not inspect.iscoroutinefunction(inner) else one)


class Refusing(grpc.ServerInterceptor):
    """Refuses a call that asks for it, as a check of credentials does."""

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        reason = dict(details.invocation_metadata).get(REFUSE)
        if reason is None:
            return continuation(details)
        return grpc.unary_unary_rpc_method_handler(
            lambda _, context: context.abort(grpc.StatusCode.UNAUTHENTICATED, f"{reason}, {context.peer()[:15]}")
        )


class HandingOn(grpc.aio.ServerInterceptor):
    """Hands what a call's metadata says to its handler, as the one who knows the caller does."""

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        value = dict(details.invocation_metadata).get(HAND_ON)
        if value is not None:
            variable.set(value)
        return await continuation(details)
