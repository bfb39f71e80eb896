"""Interceptors: grpcio's own, sync and aio, in one chain before every handler of every kind, on every transport.

What they decide is decided for one call. Each call gets the details and the continuation made for it, handlers that
cannot be changed, and context variables of its own, which the handler sees: in its thread, and in its task.

Where an interceptor runs:

    grpc.ServerInterceptor        in the thread of the call: the one that runs its `def` handler, or, before an
                                  `async def` handler, one of the pool. It may block
    grpc.aio.ServerInterceptor    on the event loop of the call; under WSGI that is the background loop

A call crosses from loop to thread and back only where the kinds change; see `crossing.py`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from contextvars import Context, ContextVar, copy_context
from functools import cached_property, partial
from typing import Any, TypeAlias

import grpc

from grpc_bridge.arity import fitted, handler_of
from grpc_bridge.call import Call
from grpc_bridge.call_state import CallContext
from grpc_bridge.conf import Interceptor
from grpc_bridge.context import SyncContext, view
from grpc_bridge.crossing import Crossing, original
from grpc_bridge.executors import background_loop
from grpc_bridge.protocol.metadata import Metadatum
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.registry import Handler, Method, Registry

Found: TypeAlias = "Handler | None"
Changes: TypeAlias = "list[tuple[ContextVar[Any], Any]]"
_MISSING = object()


def intercepted(registry: Registry, interceptors: Sequence[Interceptor]) -> Registry:
    """Gives a registry whose methods are called through `interceptors`; `registry` itself if there are none."""
    return InterceptedRegistry(registry, interceptors) if interceptors else registry


class InterceptedRegistry(Registry):
    """The methods of another registry, behind interceptors. They see calls of unknown methods too, as in grpcio."""

    def __init__(self, registry: Registry, interceptors: Sequence[Interceptor]) -> None:
        super().__init__()
        self._registry = registry
        self._chain = Chain(registry, interceptors)
        self._methods = {method.path: InterceptedMethod(method.path, method, self._chain) for method in registry}

    def find_generic(self, path: str, metadata: Callable[[], tuple[Metadatum, ...]] = tuple) -> Method:
        """Gives a method for every path, because an interceptor may serve any."""
        return InterceptedMethod(path, self._registry.find_generic(path, metadata), self._chain)


class InterceptedMethod(Method):
    """A method whose handler is found for each call. Until then it is one of the kind that can serve as either."""

    __slots__ = ()

    def __init__(self, path: str, method: Method | None, chain: Chain) -> None:
        # Whatever serves an unknown method can be fitted to streams in both directions.
        super().__init__(path, handler_of(method) if method else grpc.stream_stream_rpc_method_handler(_unknown))
        self.is_async = self.is_async or chain.has_async
        self.interceptors = chain


def _unknown(request: Any, context: Any) -> Any:
    raise StatusError(StatusCode.UNIMPLEMENTED, "Method not found!")


class CallDetails(grpc.HandlerCallDetails):
    """What an interceptor is told about a call. The metadata is decoded when it is asked for."""

    def __init__(self, context: CallContext) -> None:
        self.method = context.call_path
        self._context = context

    @cached_property
    def invocation_metadata(self) -> tuple[Metadatum, ...]:  # type: ignore[override]
        """The caller's metadata. Raises `StatusError` INTERNAL when it cannot be decoded."""
        return self._context.invocation_metadata()


class Chain:
    """The interceptors of a process in their order."""

    def __init__(self, registry: Registry, interceptors: Sequence[Interceptor]) -> None:
        self.steps = [(each.intercept_service, _is_async(each)) for each in interceptors]
        self.has_async = any(is_async for _, is_async in self.steps)
        self._registry = registry
        self._handlers = {method.path: (method, handler_of(method)) for method in registry}
        self._methods = {id(handler): method for method, handler in self._handlers.values()}

    def find_handler(self, call: Call) -> bool:
        """In a thread, for calls whose context is a `SyncContext`."""
        try:
            search = _Search(self, call)
            method = self.method_of(search.find(0, CallDetails(call.context)), call)
            if method.is_async:  # an interceptor has chosen it for a method whose handler is a `def`
                method = Method(method.path, search.stand_in(method))
        except Exception as error:
            call.context.fail(error)
            return False
        call.method = fitted(method, call.method)
        return call.context.active

    async def find_handler_async(self, call: Call) -> bool:
        """In a task, for calls whose context is an `AsyncContext`."""
        try:
            search = _Search(self, call, Crossing(call, asyncio.get_running_loop()))
            method = self.method_of(await search.find_async(0, CallDetails(call.context)), call)
        except Exception as error:
            call.context.fail(error)
            return False
        call.method = fitted(method, call.method)
        if not method.is_async:
            call.context = view(call.context, SyncContext)
        return call.context.active

    def look_up(self, details: Any) -> tuple[Method, Handler] | None:
        """Gives what is registered for the path in `details`, without interceptors."""
        if (registered := self._handlers.get(details.method)) is not None:
            return registered
        method = self._registry.find_generic(details.method, lambda: details.invocation_metadata)
        return None if method is None else (method, handler_of(method))

    def method_of(self, handler: Found, call: Call) -> Method:
        """Gives the method of a handler that an interceptor gave. Raises `StatusError` UNIMPLEMENTED for None."""
        if handler is None:
            raise StatusError(StatusCode.UNIMPLEMENTED, "Method not found!")
        registered = self._methods.get(id(handler))
        if registered is not None:
            return registered
        method = Method(call.context.call_path, handler)
        if (behind := original(method.behavior)) is not None:
            method.behavior = behind.behavior
            method.is_async, method.is_async_generator = behind.is_async, behind.is_async_generator
        return method


class _Search:
    """The way of one call through the chain."""

    __slots__ = ("_call", "_chain", "_crossing")

    def __init__(self, chain: Chain, call: Call, crossing: Crossing | None = None) -> None:
        self._chain = chain
        self._call = call
        self._crossing = crossing

    def find(self, step: int, details: Any) -> Found:
        """In a thread: gives the handler as an interceptor of that step sees it from a thread, with a `def`."""
        chain = self._chain
        if step == len(chain.steps):
            return self._registered(details, is_async=False)
        intercept, is_async = chain.steps[step]
        if not is_async:
            return intercept(partial(self.find, step + 1), details)  # type: ignore[return-value, arg-type]

        async def beyond() -> tuple[Found, Changes]:
            before = copy_context()
            return await self.find_async(step, details), _changes_since(before)

        handler, changes = self._cross().wait_for(beyond)
        _adopt(changes)
        return self._seen(handler, is_async=False)

    async def find_async(self, step: int, details: Any) -> Found:
        """In a task: the same, with an `async def`. What the first interceptor gave is given as it is."""
        chain = self._chain
        if step == len(chain.steps):
            return self._registered(details, is_async=True)
        intercept, is_async = chain.steps[step]
        if is_async:
            found: Found = await intercept(partial(self.find_async, step + 1), details)  # type: ignore[misc, arg-type]
            return found

        def beyond() -> tuple[Found, Changes]:
            before = copy_context()
            return self.find(step, details), _changes_since(before)

        handler, changes = await self._cross().in_thread(beyond)
        _adopt(changes)
        return self._seen(handler, is_async=True) if step else handler

    def _registered(self, details: Any, *, is_async: bool) -> Found:
        registered = self._chain.look_up(details)
        if registered is None:
            return None
        method, handler = registered
        return handler if method.is_async == is_async else self.stand_in(method)

    def _seen(self, handler: Found, *, is_async: bool) -> Found:
        if handler is None:
            return None
        method = self._chain.method_of(handler, self._call)  # of what is behind a stand-in, if it is one
        return handler_of(method) if method.is_async == is_async else self.stand_in(method)

    def stand_in(self, method: Method) -> Handler:
        """Gives the handler of a method as one of the other kind."""
        return self._cross().to_def(method) if method.is_async else self._cross().to_async(method)

    def _cross(self) -> Crossing:
        if self._crossing is None:  # in a thread that no loop waits for; an interceptor has chosen an `async def`
            self._crossing = Crossing(self._call, background_loop())
        return self._crossing


def _changes_since(before: Context) -> Changes:
    """Gives the context variables that interceptors have set; the crossing itself sets some, which are its own."""
    return [
        (variable, value) for variable, value in copy_context().items() if before.get(variable, _MISSING) is not value
    ]


def _adopt(changes: Changes) -> None:
    """Sets here what was set on the other side of a crossing."""
    for variable, value in changes:
        variable.set(value)


def _is_async(interceptor: Interceptor) -> bool:
    """By what it does before its class: a decorator hides the one, and a wrong base says the other."""
    return inspect.iscoroutinefunction(interceptor.intercept_service) or not isinstance(
        interceptor, grpc.ServerInterceptor
    )
