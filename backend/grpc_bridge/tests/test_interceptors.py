"""Interceptors of both kinds, before handlers of all kinds, on every transport."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import grpc
import pytest
from django.core.exceptions import PermissionDenied

from grpc_bridge.conf import BridgeSettings, Interceptor
from grpc_bridge.interceptors import intercepted
from grpc_bridge.registry import Registry
from grpc_bridge.tests.in_memory import TRANSPORTS, Answer, Request, answers, registry_of
from grpc_bridge.tests.interception import (
    ARITIES,
    ASYNC,
    FLAVOURS,
    REQUESTS,
    RESPONSES,
    SYNC,
    AsyncMarking,
    Marking,
    arity_of,
    handler,
    handlers,
    wrapped,
)

variable: ContextVar[str] = ContextVar("variable", default="unset")


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """ASGI and WSGI."""
    return request.param


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> str:
    """How the handlers are written."""
    return request.param


def call(
    transport: str, registry: Registry, interceptors: Sequence[Interceptor], arity: str = "unary_unary", **request: Any
) -> Answer:
    """Makes one call through interceptors."""
    settings = BridgeSettings(interceptors=tuple(interceptors))
    request.setdefault("messages", REQUESTS.get(arity, [b"a"]))
    return answers(transport, registry, settings, Request(f"/test.Service/{arity}", **request))[0]


class Passing(grpc.ServerInterceptor):
    """Looks on, and runs `look` with the details."""

    def __init__(self, look: Any = lambda details: None) -> None:
        self.look = look

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        self.look(details)
        return continuation(details)


class AsyncPassing(grpc.aio.ServerInterceptor):
    """The same as `async def`."""

    def __init__(self, look: Any = lambda details: None) -> None:
        self.look = look

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        self.look(details)
        return await continuation(details)


class Instead(grpc.ServerInterceptor):
    """Gives a handler, or None, whatever is called."""

    def __init__(self, found: Any) -> None:
        self.found = found

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        return self.found


class AsyncInstead(grpc.aio.ServerInterceptor):
    """The same as `async def`."""

    def __init__(self, found: Any) -> None:
        self.found = found

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        return self.found


PASSING = (Passing, AsyncPassing)
INSTEAD = (Instead, AsyncInstead)
CHAINS = {
    "none": [],
    "sync": [Passing()],
    "aio": [AsyncPassing()],
    "sync, aio, sync": [Passing(), AsyncPassing(), Passing()],
    "aio, sync, aio": [AsyncPassing(), Passing(), AsyncPassing()],
}


@pytest.mark.parametrize("arity", ARITIES)
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_a_handler_runs_behind_interceptors_that_pass(transport: str, flavour: str, chain: Any, arity: str) -> None:
    assert call(transport, registry_of(**handlers(flavour)), chain, arity) == Answer(RESPONSES[arity])


@pytest.mark.parametrize("arity", ARITIES)
@pytest.mark.parametrize("marking", [Marking, AsyncMarking])
def test_a_wrapper_sees_what_passes(transport: str, flavour: str, marking: Any, arity: str) -> None:
    if marking is AsyncMarking and flavour not in (SYNC, ASYNC) and arity != "unary_unary":
        pytest.skip("a handler that reads and writes by its context passes a wrapper by, as in grpcio")
    answer = call(transport, registry_of(**handlers(flavour)), [marking(b"m", replaces_requests=True)], arity)
    expected = {
        "unary_unary": [b"<am>M"], "unary_stream": [b"1amM", b"2amM"], "stream_unary": [b"am+bmM"],
        "stream_stream": [b"<am>M", b"<bm>M"],
    }  # fmt: skip
    assert answer == Answer(expected[arity])


@pytest.mark.parametrize("arity", ARITIES)
@pytest.mark.parametrize(
    "chain",
    [[Marking(b"x"), Marking(b"y"), AsyncMarking(b"z")], [Marking(b"x"), AsyncMarking(b"y"), Marking(b"z")],
     [AsyncMarking(b"x"), Marking(b"y"), AsyncMarking(b"z")], [AsyncMarking(b"x"), AsyncMarking(b"y"), Marking(b"z")]],
)  # fmt: skip
@pytest.mark.parametrize("flavour", [SYNC, ASYNC])
def test_the_first_interceptor_is_the_outermost(transport: str, flavour: str, chain: Any, arity: str) -> None:
    answer = call(transport, registry_of(**handlers(flavour)), chain, arity)
    assert answer.code is grpc.StatusCode.OK
    assert [message[-3:] for message in answer.messages] == [b"ZYX"] * len(RESPONSES[arity])


@pytest.mark.parametrize("instead", INSTEAD)
def test_none_is_an_unknown_method(transport: str, flavour: str, instead: Any) -> None:
    answer = call(transport, registry_of(**handlers(flavour)), [instead(None)])
    assert answer == Answer([], grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


def refuse(request: Any, context: Any) -> None:
    """A handler that refuses every call, after a look at who calls."""
    assert dict(context.invocation_metadata())["token"] == "wrong"
    assert context.peer() == "ipv4:127.0.0.1:50000"
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")


async def refuse_async(request: Any, context: Any) -> None:
    """The same as `async def`."""
    assert dict(context.invocation_metadata())["token"] == "wrong"
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")


@pytest.mark.parametrize("arity", [*ARITIES, "Unknown"])
@pytest.mark.parametrize("behavior", [refuse, refuse_async])
@pytest.mark.parametrize("instead", INSTEAD)
def test_a_unary_handler_refuses_calls_of_every_method(
    transport: str, flavour: str, instead: Any, behavior: Any, arity: str
) -> None:
    refusing = instead(grpc.unary_unary_rpc_method_handler(behavior))
    answer = call(transport, registry_of(**handlers(flavour)), [refusing], arity, headers=[("token", "wrong")])
    assert answer == Answer([], grpc.StatusCode.UNAUTHENTICATED, "who are you?")


@pytest.mark.parametrize("arity", ARITIES)
@pytest.mark.parametrize("instead", INSTEAD)
@pytest.mark.parametrize("other", ARITIES)
def test_a_handler_of_another_arity_is_made_to_fit(
    transport: str, flavour: str, instead: Any, arity: str, other: str
) -> None:
    registry = registry_of(**handlers(SYNC))
    answer = call(transport, registry, [instead(handlers(flavour)[other])], arity, messages=[b"a"])
    if other.endswith("unary_stream") and arity.endswith("unary"):
        assert answer.code is grpc.StatusCode.INTERNAL
        assert answer.details == f'"/test.Service/{arity}" gives one response, its handler gave 2.'
    else:
        expected = {"unary_unary": [b"<a>"], "unary_stream": [b"1a", b"2a"], "stream_unary": [b"a"],
                    "stream_stream": [b"<a>"]}  # fmt: skip
        assert answer == Answer(expected[other])


@pytest.mark.parametrize("instead", INSTEAD)
def test_a_handler_may_have_serializers_of_its_own(transport: str, flavour: str, instead: Any) -> None:
    own = grpc.unary_unary_rpc_method_handler(lambda number, _: number + 1, int, lambda number: str(number).encode())
    registry = registry_of(**handlers(flavour))
    assert call(transport, registry, [instead(own)], messages=[b"41"]) == Answer([b"42"])
    answer = call(transport, registry, [instead(own)], messages=[b"no number"])
    assert answer == Answer([], grpc.StatusCode.INTERNAL, "Exception deserializing request!")


@pytest.mark.parametrize("passing", PASSING)
def test_the_serializers_are_those_of_the_handler_that_was_chosen(transport: str, flavour: str, passing: Any) -> None:
    class Shouting(grpc.ServerInterceptor):
        def intercept_service(self, continuation: Any, details: Any) -> Any:
            return continuation(details)._replace(response_serializer=bytes.upper)

    assert call(transport, registry_of(**handlers(flavour)), [passing(), Shouting()]) == Answer([b"<A>"])


@pytest.mark.parametrize("passing", PASSING)
def test_the_details_tell_method_and_metadata(transport: str, flavour: str, passing: Any) -> None:
    seen: list[Any] = []
    call(transport, registry_of(**handlers(flavour)), [passing(seen.append)], headers=[("key", "value")])
    (details,) = seen
    assert isinstance(details, grpc.HandlerCallDetails)
    assert details.method == "/test.Service/unary_unary"
    assert ("key", "value") in [(entry.key, entry.value) for entry in details.invocation_metadata]
    assert details.invocation_metadata is details.invocation_metadata


@pytest.mark.parametrize("passing", PASSING)
def test_metadata_that_cannot_be_decoded_ends_the_call_of_who_asks(transport: str, passing: Any) -> None:
    registry, headers = registry_of(**handlers(SYNC)), [("key-bin", "!!!")]
    asking = passing(lambda details: details.invocation_metadata)
    assert call(transport, registry, [asking], headers=headers).code is grpc.StatusCode.INTERNAL
    assert call(transport, registry, [passing()], headers=headers).code is grpc.StatusCode.OK


@pytest.mark.parametrize("passing", PASSING)
def test_interceptors_see_calls_of_methods_that_there_are_not(transport: str, passing: Any) -> None:
    seen: list[str] = []
    answer = call(transport, registry_of(), [passing(lambda details: seen.append(details.method))], "Unknown")
    assert answer == Answer([], grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
    assert seen == ["/test.Service/Unknown"]


@pytest.mark.parametrize("arity", ARITIES)
@pytest.mark.parametrize("instead", INSTEAD)
def test_an_unknown_method_can_be_served(transport: str, flavour: str, instead: Any, arity: str) -> None:
    chain = [instead(handlers(flavour)[arity])]
    assert call(transport, registry_of(), chain, "Unknown", messages=REQUESTS[arity]) == Answer(RESPONSES[arity])


class Redirecting(grpc.ServerInterceptor):
    """Asks for another method than the one that is called."""

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        details.method = "/test.Service/unary_unary"
        return continuation(details)


def test_an_interceptor_may_ask_for_another_method(transport: str, flavour: str) -> None:
    registry = registry_of(**handlers(flavour), Other=handler("unary_unary", lambda *_: b"wrong"))
    assert call(transport, registry, [Redirecting()], "Other") == Answer([b"<a>"])


def test_generic_handlers_are_intercepted(transport: str, flavour: str) -> None:
    registry = Registry()
    registry.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Service", handlers(flavour))])
    assert call(transport, registry, [Marking()]) == Answer([b"<as>S"])


def fail(error: Exception) -> Any:
    """Gives a look that fails."""

    def look(details: Any) -> None:
        raise error

    return look


@pytest.mark.parametrize("passing", PASSING)
def test_an_exception_of_an_interceptor_is_one_of_the_handler(
    transport: str, passing: Any, caplog: pytest.LogCaptureFixture
) -> None:
    registry = registry_of(**handlers(SYNC))
    answer = call(transport, registry, [passing(fail(ValueError("swordfish")))])
    assert answer.code is grpc.StatusCode.UNKNOWN
    assert "swordfish" not in answer.details
    assert "swordfish" in caplog.text
    assert call(transport, registry, [passing(fail(StopIteration()))]).code is grpc.StatusCode.UNKNOWN
    answer = call(transport, registry, [passing(fail(PermissionDenied("swordfish")))])
    assert answer == Answer([], grpc.StatusCode.PERMISSION_DENIED, "Permission denied")


@pytest.mark.parametrize("instead", INSTEAD)
def test_what_is_no_handler_fails_the_call(transport: str, instead: Any, caplog: pytest.LogCaptureFixture) -> None:
    answer = call(transport, registry_of(**handlers(SYNC)), [instead("a handler")])
    assert answer.code is grpc.StatusCode.UNKNOWN
    assert "Traceback" in caplog.text


def shown(arity: str, flavour: str) -> Any:
    """Gives a handler that gives the context variable, and then changes it."""

    def show() -> Iterator[bytes]:
        yield variable.get().encode()
        variable.set("set by the handler")

    def one(request: Any, context: Any) -> bytes:
        return next(show())

    def many(request: Any, context: Any) -> Iterator[bytes]:
        yield from show()

    async def async_one(request: Any, context: Any) -> bytes:
        return next(show())

    async def async_many(request: Any, context: Any) -> Any:
        for message in show():
            yield message

    async def write(request: Any, context: Any) -> None:
        for message in show():
            await context.write(message)

    if not arity.endswith("stream"):
        return one if flavour is SYNC else async_one
    return {SYNC: many, ASYNC: async_many}.get(flavour, write)


def set_variable(details: Any) -> None:
    """A look that hands something to the handler."""
    assert variable.get() == "unset", "the last call has left something"
    variable.set("set by an interceptor")


class Setting(grpc.ServerInterceptor):
    """Sets the context variable where the handler is called."""

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        found = continuation(details)
        inner = getattr(found, arity_of(found))

        def one(request: Any, context: Any) -> Any:
            set_variable(details)
            return inner(request, context)

        def many(request: Any, context: Any) -> Any:
            set_variable(details)
            yield from inner(request, context)

        return wrapped(found, many if found.response_streaming else one)


@pytest.mark.parametrize("arity", ARITIES)
@pytest.mark.parametrize(
    "chain",
    [[Passing(set_variable)], [AsyncPassing(set_variable)], [Passing(), AsyncPassing(set_variable), Passing()],
     [AsyncPassing(), Passing(set_variable), AsyncPassing()], [Setting()], [AsyncPassing(), Setting(), AsyncPassing()],
     [AsyncMarking(b""), Setting(), AsyncMarking(b"")], [Marking(b""), AsyncPassing(set_variable), Marking(b"")]],
)  # fmt: skip
def test_context_variables_reach_the_handler_and_no_other_call(
    transport: str, flavour: str, chain: Any, arity: str
) -> None:
    registry = registry_of(**{arity: handler(arity, shown(arity, flavour))})
    settings = BridgeSettings(interceptors=tuple(chain))
    requests = [Request(f"/test.Service/{arity}")] * 3
    assert answers(transport, registry, settings, *requests) == [Answer([b"set by an interceptor"])] * 3


@pytest.mark.parametrize("flavour", [SYNC, ASYNC])
def test_sync_interceptors_run_beside_the_loop_and_aio_ones_on_it(transport: str, flavour: str) -> None:
    loops: list[bool] = []

    def look(details: Any) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            loops.append(False)
        else:
            loops.append(True)

    registry = registry_of(**handlers(flavour))
    assert call(transport, registry, [Passing(look), AsyncPassing(look), Passing(look)]).code is grpc.StatusCode.OK
    assert loops == [False, True, False]
    assert call(transport, registry, [Passing(look), Passing(look)]).code is grpc.StatusCode.OK
    assert loops[3:] == [False, False]


def test_under_wsgi_the_servers_thread_runs_sync_interceptors_and_handlers() -> None:
    threads: list[int] = []
    registry = registry_of(unary_unary=handler("unary_unary", lambda *_: threads.append(threading.get_ident()) or b""))
    call("wsgi", registry, [Passing(lambda _: threads.append(threading.get_ident()))])
    assert threads == [threading.get_ident()] * 2


class Meddling(grpc.ServerInterceptor):
    """Tries to change what later calls find."""

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        found = continuation(details)
        with pytest.raises(AttributeError):
            found.unary_unary = refuse
        details.method, details.invocation_metadata = "/other", ()
        return found


def test_no_interceptor_can_change_later_calls(transport: str, flavour: str) -> None:
    class Changeable(grpc.RpcMethodHandler):  # type: ignore[type-arg]
        request_streaming = response_streaming = False
        request_deserializer = response_serializer = None
        unary_unary = staticmethod(handlers(flavour)["unary_unary"].unary_unary)

    settings = BridgeSettings(interceptors=(Meddling(),))
    requests = [Request("/test.Service/unary_unary", [b"a"])] * 3
    assert answers(transport, registry_of(unary_unary=Changeable()), settings, *requests) == [Answer([b"<a>"])] * 3


def test_without_interceptors_nothing_stands_before_a_method() -> None:
    registry = registry_of(**handlers(SYNC))
    assert intercepted(registry, ()) is registry
    assert all(method.interceptors is None for method in registry)
