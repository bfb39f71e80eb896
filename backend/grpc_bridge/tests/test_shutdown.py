"""How a process lets go of its calls: which end, with what, and what becomes of those that still come in."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

import grpc_bridge
from grpc_bridge import limits
from grpc_bridge.call import Call
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.limits import enter, leave, open_calls, refuse
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.registry import Registry
from grpc_bridge.shutdown import (
    FIRST_MS,
    LONGEST_SPREAD_MS,
    MESSAGE,
    MS_FOR_EACH,
    PUSHBACK,
    QUIET_TURNS,
    SPREAD_MS,
    TURN_SECONDS,
    drain_at_signals,
    end_calls,
    turn_away,
)
from grpc_bridge.testing import Client
from grpc_bridge.tests.calls import admitted
from grpc_bridge.tests.raw import ASGI, BODY, WSGI, environ, not_django, registry_of, scope, status_of
from grpc_bridge.transports.asgi import asgi_bridge
from grpc_bridge.transports.wsgi import wsgi_bridge

UNARY = grpc.unary_unary_rpc_method_handler
RESPONSES = grpc.unary_stream_rpc_method_handler
UPLOAD = grpc.stream_unary_rpc_method_handler
BOTH = grpc.stream_stream_rpc_method_handler

TOLD = (StatusCode.UNAVAILABLE, MESSAGE)


@pytest.fixture(autouse=True)
def calls_are_taken_again() -> Iterator[None]:
    """The process goes on."""
    assert open_calls() == (0, 0)
    yield
    refuse(None)
    assert open_calls() == (0, 0)


@pytest.fixture
def opened() -> Iterator[Callable[..., Call]]:
    """Opens calls."""
    calls: list[Call] = []

    def open_one(kind: Callable[..., Any]) -> Call:
        call = admitted(kind(lambda request, context: request))
        enter(call.context)
        calls.append(call)
        return call

    yield open_one
    for call in calls:
        leave(call.context)


def hint_of(pairs: Any) -> int:
    """Gives the hint among trailers."""
    (value,) = [value for key, value in pairs if key == PUSHBACK]
    return int(value)


@pytest.mark.parametrize(("kind", "ends"), [(UNARY, False), (RESPONSES, True), (UPLOAD, False), (BOTH, True)])
def test_streams_of_responses_end_and_in_the_end_all_calls(
    opened: Callable[..., Call], kind: Callable[..., Any], ends: bool
) -> None:
    call = opened(kind)
    assert grpc_bridge.drain() == ends
    assert call.context.active != ends
    assert grpc_bridge.drain(everything=True) != ends
    assert not call.context.active
    assert call.context.status() == TOLD
    assert FIRST_MS <= hint_of(call.context.trailing_pairs) < FIRST_MS + SPREAD_MS
    assert grpc_bridge.drain(everything=True) == 0


def test_a_handler_is_stopped_and_its_waiting_thread_told_after_that(opened: Callable[..., Call]) -> None:
    call, happened = opened(BOTH), []
    call.context.on_terminate = lambda: happened.append("stopped")
    call.context.on_drain = lambda: happened.append(f"told, active: {call.context.active}")
    grpc_bridge.drain()
    assert happened == ["stopped", "told, active: False"]


def test_callers_do_not_come_back_all_at_once(opened: Callable[..., Call]) -> None:
    count = 2000
    calls = [opened(RESPONSES) for _ in range(count)]
    end_calls(call.context for call in calls)
    hints = sorted(hint_of(call.context.trailing_pairs) for call in calls)
    spread = count * MS_FOR_EACH
    assert FIRST_MS <= hints[0] <= hints[-1] < FIRST_MS + spread
    in_quarters = Counter((hint - FIRST_MS) * 4 // spread for hint in hints)
    assert min(in_quarters[number] for number in range(4)) > count // 8


def test_nobody_waits_for_ever(opened: Callable[..., Call]) -> None:
    calls = [opened(RESPONSES)] * (LONGEST_SPREAD_MS // MS_FOR_EACH + 1000)
    end_calls(call.context for call in calls)
    assert hint_of(calls[0].context.trailing_pairs) < FIRST_MS + LONGEST_SPREAD_MS


@pytest.mark.parametrize("kind", [RESPONSES, UPLOAD, BOTH])
def test_no_more_streams_are_taken(kind: Callable[..., Any]) -> None:
    grpc_bridge.drain()
    call = admitted(kind(lambda request, context: request))
    with pytest.raises(StatusError) as caught:
        enter(call.context)
    assert (caught.value.code, caught.value.message) == TOLD
    assert hint_of(caught.value.trailers) >= FIRST_MS


def test_unary_calls_are_taken_still(opened: Callable[..., Call]) -> None:
    grpc_bridge.drain()
    assert opened(UNARY).context.active


@pytest.mark.parametrize("kind", [UNARY, RESPONSES, UPLOAD, BOTH])
async def test_all_are_turned_away_but_who_is_spared_and_who_is_in(
    opened: Callable[..., Call], kind: Callable[..., Any]
) -> None:
    before, spared = opened(kind), admitted(kind(echo))
    turning_away = asyncio.ensure_future(turn_away(lambda context: context is spared.context))
    await asyncio.sleep(0)
    call = admitted(kind(echo))
    with pytest.raises(StatusError) as caught:
        enter(call.context)
    assert (caught.value.code, caught.value.message) == TOLD
    assert hint_of(caught.value.trailers) >= FIRST_MS
    enter(spared.context)
    assert set(limits.all_calls()) == {before.context, spared.context}
    leave(spared.context)
    assert before.context.active
    await turning_away


async def test_turning_away_goes_on_while_calls_come() -> None:
    turning_away = asyncio.ensure_future(turn_away(lambda context: False))
    for _ in range(3 * QUIET_TURNS):
        await asyncio.sleep(TURN_SECONDS)
        with pytest.raises(StatusError):
            enter(admitted(UNARY(echo)).context)
        assert not turning_away.done()
    await turning_away


def test_a_forked_child_takes_streams(opened: Callable[..., Call]) -> None:
    grpc_bridge.drain()
    limits._forget()  # what the child does first
    assert opened(RESPONSES).context.active


def echo(request: bytes, context: Any) -> bytes:
    return request


def repeat(request: bytes, context: Any) -> Iterator[bytes]:
    context.set_trailing_metadata((("own", "value"),))
    while True:
        yield request


async def repeat_async(request: bytes, context: Any) -> Any:
    context.set_trailing_metadata((("own", "value"),))
    while True:
        yield request
        await asyncio.sleep(0)


def register(server: Registry) -> None:
    """Adds the methods."""
    handlers = {"Echo": UNARY(echo), "Repeat": RESPONSES(repeat), "RepeatAsync": RESPONSES(repeat_async)}
    server.add_registered_method_handlers("test.Service", handlers)


@pytest.mark.parametrize("method", ["Repeat", "RepeatAsync"])
def test_what_a_caller_sees(method: str) -> None:
    client = Client(register=register)
    running = client.unary_stream(f"/test.Service/{method}")(b"request")
    assert next(running) == b"request"
    grpc_bridge.drain()
    with pytest.raises(grpc.RpcError):
        deque(running, maxlen=0)  # what was on its way
    assert (running.code(), running.details()) == (grpc.StatusCode.UNAVAILABLE, MESSAGE)
    assert dict(running.trailing_metadata())["own"] == "value"
    assert hint_of(running.trailing_metadata()) >= FIRST_MS
    late = client.unary_stream(f"/test.Service/{method}")(b"request")
    with pytest.raises(grpc.RpcError):
        next(late)
    assert (late.code(), late.details()) == (grpc.StatusCode.UNAVAILABLE, MESSAGE)
    assert hint_of(late.trailing_metadata()) >= FIRST_MS
    assert client.unary_unary("/test.Service/Echo")(b"request") == b"request"


@pytest.fixture
def signals() -> Iterator[list[int]]:
    """What the server's own handler of SIGTERM has heard."""
    heard: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield heard
    for number, handler in before.items():
        signal.signal(number, handler)


async def test_servers_with_a_lifespan_are_drained_when_they_are_told_to_end(
    signals: list[int], opened: Callable[..., Call]
) -> None:
    call, scopes = opened(RESPONSES), []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)

    scope = {"type": "lifespan"}
    await asgi_bridge(application, Registry(), BridgeSettings())(scope, None, None)  # type: ignore[arg-type]
    assert scopes == [scope]
    signal.raise_signal(signal.SIGINT)  # that nobody wants to hear
    await asyncio.sleep(0)
    assert call.context.active
    signal.raise_signal(signal.SIGTERM)
    assert signals == [signal.SIGTERM]
    await asyncio.sleep(0)
    assert call.context.status() == TOLD


async def test_outside_the_main_thread_signals_are_left_alone(signals: list[int]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=asyncio.run, args=(_drain_at_signals(),))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before


async def _drain_at_signals() -> None:
    drain_at_signals()


async def test_a_call_ends_that_has_not_waited_yet() -> None:
    """Whatever else stops a handler is set up when it waits for the first time."""

    async def wait(request: bytes, context: Any) -> bytes:
        if not sent:  # the first call of all goes another way
            return request
        assert grpc_bridge.drain(everything=True) == 1
        await asyncio.get_running_loop().create_future()
        return request

    sent: list[Any] = []
    body: list[Any] = []

    async def receive() -> Any:
        return body.pop() if body else await asyncio.get_running_loop().create_future()

    async def send(event: Any) -> None:
        sent.append(event)

    bridge = asgi_bridge(not_django, registry_of(Wait=UNARY(wait)), BridgeSettings())
    for status in ((StatusCode.OK, ""), TOLD):
        body.append({"type": "http.request", "body": BODY, "more_body": False})
        before = len(sent)
        await asyncio.wait_for(bridge(scope("Wait"), receive, send), 10.0)
        assert status_of(b"".join(event["body"] for event in sent[before + 1 :])) == status


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("transport", [ASGI, WSGI])
async def test_whoever_is_turned_away_hears_of_it_however_plain_the_call(transport: str, is_async: bool) -> None:
    async def echo_async(request: bytes, context: Any) -> bytes:
        return request

    registry = registry_of(Method=UNARY(echo_async if is_async else echo))
    bridge: Any = (asgi_bridge if transport == ASGI else wsgi_bridge)(not_django, registry, BridgeSettings())
    sent: list[Any] = []
    body: list[Any] = []

    async def receive() -> Any:
        return body.pop() if body else await asyncio.get_running_loop().create_future()

    async def send(event: Any) -> None:
        sent.append(event)

    async def answer() -> bytes:
        if transport == WSGI:
            return b"".join(bridge(environ("Method"), lambda *start: None))
        sent.clear()
        body.append({"type": "http.request", "body": BODY, "more_body": False})
        await bridge(scope("Method"), receive, send)
        return b"".join(event["body"] for event in sent[1:])

    for _ in range(2):  # the second head is known
        assert status_of(await answer())[0] is StatusCode.OK
    refuse(lambda call: StatusError(*TOLD))
    assert status_of(await answer()) == TOLD
