"""Handlers of one arity in the place of another.

An interceptor may serve a method with a handler whose requests or responses stream where the method's do not, or the
reverse. The usual one refuses calls of every method with a unary handler. The wire has been read by the method's own
arity by then, so here the messages are made to fit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import grpc

from grpc_bridge.context import AsyncContext, SyncContext
from grpc_bridge.dispatch import give_responses, readable
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.registry import Handler, Method

FACTORIES: dict[tuple[bool, bool], Callable[..., Handler]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
"""grpcio's functions that make a handler, by whether requests and responses stream."""


def handler_of(method: Method, behavior: Callable[..., Any] | None = None) -> Handler:
    """Gives what grpcio calls a handler: of the method as it is, or with another behavior of the same arity."""
    factory = FACTORIES[method.request_streaming, method.response_streaming]
    return factory(behavior or method.behavior, method.deserialize, method.serialize)


def fitted(method: Method, place: Method) -> Method:
    """Gives a method like `method` that takes and gives as many messages as `place` does."""
    if (method.request_streaming, method.response_streaming) == (place.request_streaming, place.response_streaming):
        return method
    factory = FACTORIES[place.request_streaming, place.response_streaming]
    behavior = (_async_behavior if method.is_async else _behavior)(method, place)
    return Method(place.path, factory(behavior, method.deserialize, method.serialize))


def _behavior(method: Method, place: Method) -> Callable[[Any, SyncContext], Any]:
    def behavior(request: Any, context: SyncContext) -> Any:
        if method.request_streaming and not place.request_streaming:
            request = iter((request,))
        elif place.request_streaming and not method.request_streaming:
            request = _received(next(request, None), place)
        response = method.behavior(request, context)
        if method.response_streaming == place.response_streaming:
            return response
        return _only(list(response), place) if method.response_streaming else iter((response,))

    return behavior


def _async_behavior(method: Method, place: Method) -> Callable[[Any, AsyncContext], Any]:
    async def responses(request: Any, context: AsyncContext, respond: Callable[[Any], Awaitable[None]]) -> None:
        if method.request_streaming and not place.request_streaming:
            request = readable(context, _one_after_another(iter((request,))))
        elif place.request_streaming and not method.request_streaming:
            request = _received(await anext(request, None), place)
        if method.response_streaming:
            await give_responses(method, request, context, respond)
        else:
            await respond(await method.behavior(request, context))

    async def stream(request: Any, context: AsyncContext) -> None:
        await responses(request, context, context.writer)

    async def unary(request: Any, context: AsyncContext) -> Any:
        given: list[Any] = []

        async def respond(response: Any) -> None:
            given.append(response)

        await responses(request, context, respond)
        return _only(given, place)

    return stream if place.response_streaming else unary


def _one_after_another(requests: Iterator[Any]) -> Callable[[], Awaitable[Any]]:
    async def next_request() -> Any:
        return next(requests, None)

    return next_request


def _received(request: Any, place: Method) -> Any:
    if request is None:
        raise StatusError(StatusCode.UNIMPLEMENTED, f'"{place.path}" requires a request message.')
    return request


def _only(responses: list[Any], place: Method) -> Any:
    if len(responses) != 1:
        raise StatusError(StatusCode.INTERNAL, f'"{place.path}" gives one response, its handler gave {len(responses)}.')
    return responses[0]
