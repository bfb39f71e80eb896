"""Who may call a method: every rule with every caller, every kind of handler, and every server that takes handlers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser

from grpc_bridge import aget_user, get_user
from grpc_bridge.access import GuardedServer, allow, anyone, nobody, rule_of, signed_in, staff
from grpc_bridge.registry import Registry, discovered_registry
from grpc_bridge.testing import AsyncClient, Client

Code = grpc.StatusCode
SERVICE = "access.v1.AccessService"
PATH = f"/{SERVICE}/Method"

USERS = {
    "customer": get_user_model()(email="customer@example.com"),
    "staff": get_user_model()(email="staff@example.com", is_staff=True),
}


def user_of(secret: str) -> Any:
    """Knows the users of these tests. Asks no database, as tests that have none could not."""
    return USERS.get(secret)


def asks_database(user: Any) -> bool:
    """A project's own rule. It may not run in an event loop."""
    from django.utils.asyncio import async_unsafe  # noqa: PLC0415

    return bool(async_unsafe("no")(lambda: user.is_staff)())


@pytest.fixture(autouse=True)
def _settings(settings: Any) -> None:
    settings.GRPC_BRIDGE = {"TOKEN_USER": f"{__name__}.user_of"}


def metadata(caller: str | None) -> tuple[tuple[str, str], ...]:
    """Gives what a caller sends."""
    return () if caller is None else (("authorization", f"Bearer {caller}"),)


# Handlers of every kind. Each answers with the requests it got.


def unary(request: bytes, context: Any) -> bytes:
    return request


def unary_stream(request: bytes, context: Any) -> Iterator[bytes]:
    yield request
    yield request


def stream_unary(requests: Iterator[bytes], context: Any) -> bytes:
    return b"".join(requests)


def stream_stream(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
    yield from requests


async def async_unary(request: bytes, context: Any) -> bytes:
    return request


async def async_unary_stream(request: bytes, context: Any) -> AsyncIterator[bytes]:
    yield request
    yield request


async def async_stream_unary(requests: AsyncIterator[bytes], context: Any) -> bytes:
    return b"".join([request async for request in requests])


async def async_stream_stream(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


async def writing_unary_stream(request: bytes, context: Any) -> None:
    await context.write(request)
    await context.write(request)


async def writing_stream_stream(requests: AsyncIterator[bytes], context: Any) -> None:
    async for request in requests:
        await context.write(request)


ARITIES = {
    "unary_unary": ([unary, async_unary], [b"a"]),
    "unary_stream": ([unary_stream, async_unary_stream, writing_unary_stream], [b"a", b"a"]),
    "stream_unary": ([stream_unary, async_stream_unary], [b"ab"]),
    "stream_stream": ([stream_stream, async_stream_stream, writing_stream_stream], [b"a", b"b"]),
}
HANDLERS = [
    pytest.param(arity, behavior, answer, id=behavior.__name__)
    for arity, (behaviors, answer) in ARITIES.items()
    for behavior in behaviors
]


def register(arity: str, behavior: Callable[..., Any], rule: Any = None) -> Callable[[Any], None]:
    """Gives a function like that of an `rpc` module, with one method that has a rule."""
    method = _copy(behavior)
    handler = getattr(grpc, f"{arity}_rpc_method_handler")(allow(rule)(method) if rule else method)

    def add(server: Any) -> None:
        guarded = GuardedServer(server)
        guarded.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Method": handler}),))
        guarded.add_registered_method_handlers(SERVICE, {"Method": handler})

    return add


def _copy(function: Any) -> Any:
    """Gives a function of its own for each declaration."""
    copy = type(function)(function.__code__, function.__globals__, function.__name__)
    copy.__qualname__ = function.__qualname__
    return copy


def sent(arity: str) -> Any:
    return iter((b"a", b"b")) if arity.startswith("stream") else b"a"


def called(channel: grpc.Channel, arity: str, caller: str | None) -> tuple[grpc.StatusCode, list[bytes]]:
    """Gives how a call ends, and its responses."""
    call = getattr(channel, arity)(PATH)
    try:
        responses = call(sent(arity), metadata=metadata(caller))
        return Code.OK, [responses] if arity.endswith("unary") else list(responses)
    except grpc.RpcError as error:
        return error.code(), []


async def acalled(channel: Any, arity: str, caller: str | None) -> tuple[grpc.StatusCode, list[bytes]]:
    """The same on a `grpc.aio` channel."""
    call = getattr(channel, arity)(PATH)
    try:
        responses = call(sent(arity), metadata=metadata(caller))
        if arity.endswith("unary"):
            return Code.OK, [await responses]
        return Code.OK, [response async for response in responses]
    except grpc.aio.AioRpcError as error:
        return error.code(), []


OUTCOMES = {None: Code.UNAUTHENTICATED, "customer": Code.PERMISSION_DENIED, "staff": Code.OK, "x": Code.UNAUTHENTICATED}
"""How calls of what is for staff end, by the caller."""


# Every rule with every caller.


@pytest.mark.parametrize(
    ("rule", "may"),
    [
        (anyone, {None, "customer", "staff", "x"}),
        (signed_in, {"customer", "staff"}),
        (staff, {"staff"}),
        (asks_database, {"staff"}),
        (nobody, set()),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("behavior", [unary, async_unary])
async def test_a_rule(rule: Any, may: set[str | None], behavior: Any) -> None:
    client = AsyncClient(register=register("unary_unary", behavior, rule))
    for caller in (None, "customer", "staff", "x"):
        refused = Code.PERMISSION_DENIED if caller in USERS else Code.UNAUTHENTICATED
        expected = (Code.OK, [b"a"]) if caller in may else (refused, [])
        assert await acalled(client, "unary_unary", caller) == expected, caller


@pytest.mark.parametrize(("rule", "expected"), [(nobody, Code.PERMISSION_DENIED), (anyone, Code.OK), (None, Code.OK)])
def test_a_method_without_a_declaration(settings: Any, rule: Any, expected: grpc.StatusCode) -> None:
    if rule:
        settings.GRPC_BRIDGE |= {"DEFAULT_ACCESS": f"grpc_bridge.access.{rule.__name__}"}
    client = Client(register=register("unary_unary", unary))
    assert called(client, "unary_unary", "staff")[0] is expected


def test_a_rule_may_let_in_who_is_not_known() -> None:
    client = Client(register=register("unary_unary", unary, lambda user: isinstance(user, AnonymousUser)))
    assert called(client, "unary_unary", None)[0] is Code.OK
    assert called(client, "unary_unary", "staff")[0] is Code.PERMISSION_DENIED


# Every kind of handler on every server.


@pytest.mark.parametrize(("arity", "behavior", "answer"), HANDLERS)
def test_behind_the_bridge(arity: str, behavior: Any, answer: list[bytes]) -> None:
    client = Client(register=register(arity, behavior, staff))
    for caller, code in OUTCOMES.items():
        assert called(client, arity, caller) == (code, answer if code is Code.OK else []), caller


@pytest.mark.parametrize(("arity", "behavior", "answer"), HANDLERS)
async def test_behind_the_bridge_in_an_event_loop(arity: str, behavior: Any, answer: list[bytes]) -> None:
    client = AsyncClient(register=register(arity, behavior, staff))
    for caller, code in OUTCOMES.items():
        assert await acalled(client, arity, caller) == (code, answer if code is Code.OK else []), caller


@asynccontextmanager
async def running(add: Callable[[Any], None], *, is_async: bool) -> AsyncIterator[grpc.Channel]:
    """Gives a channel to a server of grpcio's own.

    Not one of `grpc.aio`: its calls may end with INTERNAL when the server refuses them while they send requests.
    """
    with ThreadPoolExecutor(2) as threads:
        server: Any = grpc.aio.server() if is_async else grpc.server(threads)
        add(server)
        port = server.add_insecure_port("127.0.0.1:0")
        started = server.start()
        if is_async:
            await started
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
        stopped = server.stop(grace=None)
        if is_async:
            await stopped
        else:
            stopped.wait()


@pytest.mark.parametrize(("arity", "behavior", "answer"), HANDLERS)
async def test_on_a_server_of_grpcio(arity: str, behavior: Any, answer: list[bytes]) -> None:
    is_async = "async" in behavior.__name__ or "writing" in behavior.__name__
    async with running(register(arity, behavior, staff), is_async=is_async) as channel:
        for caller, code in OUTCOMES.items():
            outcome = await asyncio.to_thread(called, channel, arity, caller)
            assert outcome == (code, answer if code is Code.OK else []), caller


async def test_a_generic_handler_is_guarded_too() -> None:
    """grpcio asks it when a stub does not say that its method is registered, which any client can choose."""
    handler = grpc.unary_unary_rpc_method_handler(allow(staff)(_copy(unary)))

    def add(server: Any) -> None:
        handlers = grpc.method_handlers_generic_handler(SERVICE, {"Method": handler})
        GuardedServer(server).add_generic_rpc_handlers((handlers,))

    async with running(add, is_async=False) as channel:
        assert called(channel, "unary_unary", None) == (Code.UNAUTHENTICATED, [])
        assert called(channel, "unary_unary", "staff") == (Code.OK, [b"a"])
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(f"/{SERVICE}/Another")(b"a")
        assert caught.value.code() is Code.UNIMPLEMENTED
    assert called(Client(register=add), "unary_unary", "customer")[0] is Code.PERMISSION_DENIED


# What a handler has of it.


@pytest.mark.parametrize("behavior", [unary, unary_stream, async_unary, async_unary_stream, writing_unary_stream])
def test_what_anyone_may_call_costs_nothing(behavior: Any) -> None:
    registry = Registry()
    arity = "unary_unary" if behavior in (unary, async_unary) else "unary_stream"
    register(arity, behavior, anyone)(registry)
    (method,) = registry
    assert method.behavior.__code__ is behavior.__code__


def test_a_guarded_method_keeps_its_kind_its_name_and_its_rule() -> None:
    for arity, behavior, _ in (handler.values for handler in HANDLERS):
        registry, plain = Registry(), Registry()
        register(arity, behavior, staff)(registry)
        register(arity, behavior, anyone)(plain)
        (method,), (original,) = registry, plain
        assert (method.is_async, method.is_async_generator) == (original.is_async, original.is_async_generator)
        assert (method.request_streaming, method.response_streaming) == (
            original.request_streaming,
            original.response_streaming,
        )
        assert method.behavior.__name__ == behavior.__name__
        assert rule_of(method.behavior) is staff


def test_the_handler_gets_the_user_that_was_checked() -> None:
    asked = []

    def handler(request: bytes, context: Any) -> bytes:
        return str(get_user(context)).encode()

    def rule(user: Any) -> bool:
        asked.append(user)
        return True

    client = Client(register=register_method(allow(rule)(handler)))
    assert client.unary_unary(PATH)(b"", metadata=metadata("staff")) == b"staff@example.com"
    assert asked == [USERS["staff"]]


@pytest.mark.parametrize("caller", [None, "staff", "x"])
async def test_who_calls_an_open_method_is_found_out_when_it_asks(caller: str | None) -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        return str(await aget_user(context)).encode()

    client = AsyncClient(register=register_method(allow(anyone)(handler)))
    call = client.unary_unary(PATH)(b"", metadata=metadata(caller))
    if caller == "x":
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is Code.UNAUTHENTICATED
    else:
        assert await call == (b"staff@example.com" if caller else b"AnonymousUser")


def register_method(method: Any) -> Callable[[Any], None]:
    def add(server: Any) -> None:
        handler = grpc.unary_unary_rpc_method_handler(method)
        GuardedServer(server).add_registered_method_handlers(SERVICE, {"Method": handler})

    return add


def test_an_override_has_to_be_declared_again() -> None:
    class Servicer:
        @allow(anyone)
        def method(self, request: bytes, context: Any) -> bytes:
            return request

    class Mine(Servicer):
        def method(self, request: bytes, context: Any) -> bytes:
            return request

    assert rule_of(Servicer().method) is anyone
    assert rule_of(Mine().method) is None


def test_installed_apps_are_guarded(settings: Any) -> None:
    settings.GRPC_BRIDGE |= {"DEFAULT_ACCESS": "grpc_bridge.access.nobody"}
    assert {rule_of(method.behavior) for method in discovered_registry()} >= {anyone, staff}
