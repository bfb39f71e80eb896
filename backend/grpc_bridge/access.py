"""Who may call a method: declared beside it, and checked before it runs.

    class OrderServicer(orders_pb2_grpc.OrderServiceServicer):
        @allow(anyone)
        def ListProducts(self, request, context): ...

        @allow(staff)
        async def UpdateOrderStatus(self, request, context): ...

A rule is a function that is asked with a Django user, `AnonymousUser` if the caller is not known, and says whether they
may. A project can have its own:

    def may_ship(user): return user.has_perm("orders.ship")

the rule says     the caller is    the call ends with
-------------     -------------    ------------------
yes               anybody          what the handler gives
no                not known        UNAUTHENTICATED
no                known            PERMISSION_DENIED

A method without a declaration has the rule that `GRPC_BRIDGE["DEFAULT_ACCESS"]` names. The bridge's own default is
`anyone`, so that any servicer works; a project that has users sets `nobody`, and then none is open by accident.

The check is put around handlers when they are registered and not by an interceptor: it is then a function of the
handler's own kind, which costs no thread, and nothing at all for `anyone`. It works with every server that has
`add_registered_method_handlers`: the bridge's registry, `grpc.server` and `grpc.aio.server`.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

import grpc
from asgiref.sync import sync_to_async

from grpc_bridge.caller import aget_user, get_user
from grpc_bridge.codes import GRPCIO_CODES
from grpc_bridge.conf import named_function
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.registry import Method

Rule = Callable[[Any], bool]
F = TypeVar("F", bound=Callable[..., Any])

_RULE = "_grpc_bridge_rule"

_FACTORIES: dict[tuple[bool, bool], Callable[..., Any]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def anyone(user: Any) -> bool:
    """Everybody may, known or not. Such a method is called as if it had no rule: nobody asks who calls."""
    return True


def signed_in(user: Any) -> bool:
    """Everybody may who is known, by a session or by a token."""
    return bool(user.is_authenticated)


def staff(user: Any) -> bool:
    """Users may whose `is_staff` is set."""
    return bool(user.is_staff)


def nobody(user: Any) -> bool:
    """Nobody may."""
    return False


_ASK_NO_DATABASE = frozenset((signed_in, staff, nobody))


def allow(rule: Rule) -> Callable[[F], F]:
    """Declares who may call the method of a servicer below it. The method itself stays as it is."""

    def declare(method: F) -> F:
        setattr(method, _RULE, rule)
        return method

    return declare


def rule_of(behavior: Callable[..., Any]) -> Rule | None:
    """Gives the rule that was declared for a servicer's method, None if none was. A guarded method still tells."""
    rule: Rule | None = getattr(behavior, _RULE, None)
    return rule


def default_rule() -> Rule:
    """Gives the rule of methods that declare none."""
    return named_function("DEFAULT_ACCESS") or nobody


class GuardedServer:
    """Takes handlers as a server does, and gives that server those that ask first whether the caller may."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._default = default_rule()

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Takes the handlers of one service."""
        guarded = {name: guard(handler, self._default) for name, handler in method_handlers.items()}
        self._server.add_registered_method_handlers(service_name, guarded)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Takes handlers that decide themselves which methods they serve."""
        guarded = tuple(_GuardedHandlers(handlers, self._default) for handlers in generic_rpc_handlers)
        self._server.add_generic_rpc_handlers(guarded)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)


class _GuardedHandlers(grpc.GenericRpcHandler):
    def __init__(self, handlers: grpc.GenericRpcHandler, default: Rule) -> None:
        self._handlers = handlers
        self._default = default

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        handler = self._handlers.service(handler_call_details)
        return handler and guard(handler, self._default)


def guard(handler: Any, default: Rule) -> Any:
    """Gives a handler of the same kind that asks its rule first; the same one where anyone may."""
    method = Method("", handler)
    rule = rule_of(method.behavior) or default
    if rule is anyone:
        return handler
    factory = _FACTORIES[method.request_streaming, method.response_streaming]
    return factory(_guarded(method, rule), handler.request_deserializer, handler.response_serializer)


def _guarded(method: Method, rule: Rule) -> Callable[[Any, Any], Any]:
    behavior = method.behavior

    # The name and the rule of the method are those of its guard: whoever looks at the handler finds them.
    @functools.wraps(behavior)
    def guarded(request: Any, context: Any) -> Any:
        _check(rule, context)
        return behavior(request, context)

    @functools.wraps(behavior)
    async def guarded_async(request: Any, context: Any) -> Any:
        await _check_async(rule, context)
        return await behavior(request, context)

    @functools.wraps(behavior)
    async def guarded_generator(request: Any, context: Any) -> AsyncIterator[Any]:
        await _check_async(rule, context)
        async with aclosing(behavior(request, context)) as responses:
            async for response in responses:
                yield response

    if method.is_async_generator:
        return guarded_generator
    return guarded_async if method.is_async else guarded


def _check(rule: Rule, context: Any) -> None:
    try:
        user = get_user(context)
        if not rule(user):
            raise _refusal(user)
    except StatusError as refusal:
        context.abort(GRPCIO_CODES[refusal.code], refusal.message)


async def _check_async(rule: Rule, context: Any) -> None:
    try:
        user = await aget_user(context)
        may = rule(user) if rule in _ASK_NO_DATABASE else await sync_to_async(rule)(user)
        if not may:
            raise _refusal(user)
    except StatusError as refusal:
        await context.abort(GRPCIO_CODES[refusal.code], refusal.message)


def _refusal(user: Any) -> StatusError:
    if user.is_authenticated:
        return StatusError(StatusCode.PERMISSION_DENIED, "Permission denied")
    return StatusError(StatusCode.UNAUTHENTICATED, "Sign in, or send a token")
