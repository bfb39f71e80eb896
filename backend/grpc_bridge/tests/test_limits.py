"""How much a process takes on: calls at a time, heads of requests, the time of streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from grpc_bridge import limits
from grpc_bridge.call import Call
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.limits import StreamClock, enter, leave, open_calls, patience, too_late
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.tests.calls import admitted
from grpc_bridge.tests.raw import (
    ASGI,
    BODY,
    CONTENT_TYPE,
    HOST,
    WSGI,
    environ,
    not_django,
    registry_of,
    scope,
    status_of,
)
from grpc_bridge.transports.asgi import asgi_bridge
from grpc_bridge.transports.wsgi import wsgi_bridge
from grpc_bridge.transports.wsgi_request import wsgi_request

UNARY = grpc.unary_unary_rpc_method_handler
STREAMS = (
    grpc.unary_stream_rpc_method_handler,
    grpc.stream_unary_rpc_method_handler,
    grpc.stream_stream_rpc_method_handler,
)
OK = (StatusCode.OK, "")
EXHAUSTED = StatusCode.RESOURCE_EXHAUSTED

TOO_MANY_CALLS = "Concurrent RPC limit exceeded!"
TOO_MANY_STREAMS = "Concurrent stream limit exceeded!"


def echo(request: Any, context: Any) -> Any:
    return request


def call_of(kind: Callable[..., Any], **settings: Any) -> Call:
    return admitted(kind(echo), settings=BridgeSettings(**settings))


@pytest.fixture(autouse=True)
def nothing_is_left_open() -> Iterator[None]:
    """Checks that a test begins and ends without calls."""
    assert open_calls() == (0, 0)
    yield
    assert open_calls() == (0, 0)


@pytest.mark.parametrize(
    ("kind", "name", "message", "index"),
    [
        (UNARY, "max_concurrent_calls", TOO_MANY_CALLS, 0),
        *((kind, "max_concurrent_streams", TOO_MANY_STREAMS, 1) for kind in STREAMS),
    ],
)
def test_so_many_calls_and_no_more(kind: Callable[..., Any], name: str, message: str, index: int) -> None:
    calls = [call_of(kind, **{name: 2}) for _ in range(3)]
    for call in calls[:2]:
        enter(call.context)
    for _ in range(2):  # one that is refused takes no place
        with pytest.raises(StatusError) as caught:
            enter(calls[2].context)
        assert (caught.value.code, caught.value.message) == (StatusCode.RESOURCE_EXHAUSTED, message)
    assert open_calls()[index] == 2
    leave(calls[0].context)
    enter(calls[2].context)
    for call in (*calls, *calls):  # to leave twice does no harm
        leave(call.context)


def test_unary_calls_and_streams_do_not_take_each_others_places() -> None:
    calls = [call_of(kind, max_concurrent_calls=1, max_concurrent_streams=1) for kind in (UNARY, STREAMS[0])]
    for call in calls:
        enter(call.context)
    assert open_calls() == (1, 1)
    for call in calls:
        leave(call.context)


@pytest.mark.parametrize("kind", [UNARY, *STREAMS])
def test_none_is_no_limit(kind: Callable[..., Any]) -> None:
    calls = [call_of(kind, max_concurrent_calls=None, max_concurrent_streams=None) for _ in range(10_001)]
    for call in calls:
        enter(call.context)
    assert sum(open_calls()) == len(calls)
    for call in calls:
        leave(call.context)


# The head of a request. Besides the headers that a test adds there are host and content type, under WSGI a length.

TRANSPORTS = (ASGI, WSGI)
ENTRIES_BEFORE = {ASGI: 2, WSGI: 3}
_BYTES = len("host") + len(HOST) + len("content-type") + len(CONTENT_TYPE)
BYTES_BEFORE = {ASGI: _BYTES, WSGI: _BYTES + len("content-length") + len("12")}


async def answer(
    transport: str, headers: list[tuple[str, str]], body: bytes = BODY, **settings: Any
) -> tuple[StatusCode, str]:
    registry = registry_of(Echo=UNARY(echo))
    if transport == WSGI:
        wsgi = wsgi_bridge(not_django, registry, BridgeSettings(**settings))
        return status_of(b"".join(wsgi(environ("Echo", headers, body), lambda *_: None)))
    sent: list[bytes] = []

    events: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return events.pop() if events else await asyncio.Event().wait()

    async def send(event: Any) -> None:
        sent.append(event.get("body", b""))

    await asgi_bridge(not_django, registry, BridgeSettings(**settings))(scope("Echo", headers), receive, send)
    return status_of(b"".join(sent))


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", ["x", "x-bin", "x" * 500])
@pytest.mark.parametrize("value", ["", "y", "y" * 1000, "y" * 20_000])
async def test_a_head_of_the_largest_size_is_taken_and_no_larger_one(transport: str, name: str, value: str) -> None:
    size = BYTES_BEFORE[transport] + len(name) + len(value)
    assert await answer(transport, [(name, value)], max_metadata_bytes=size) == OK
    text = f"Received metadata larger than max ({size} vs. {size - 1})"
    assert await answer(transport, [(name, value)], max_metadata_bytes=size - 1) == (EXHAUSTED, text)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("count", [1, 10, 200])
async def test_so_many_headers_are_taken_and_no_more(transport: str, count: int) -> None:
    headers = [(f"x-{number}", "") for number in range(count)]
    count += ENTRIES_BEFORE[transport]
    assert await answer(transport, headers, max_metadata_entries=count) == OK
    text = f"Received more metadata entries than max ({count} vs. {count - 1})"
    assert await answer(transport, headers, max_metadata_entries=count - 1) == (EXHAUSTED, text)


async def test_several_values_of_one_header_count_each() -> None:
    headers = [("x", "1234567890")] * 50
    text = f"Received metadata larger than max ({BYTES_BEFORE['asgi'] + 550} vs. 500)"
    assert await answer("asgi", headers, max_metadata_bytes=500) == (EXHAUSTED, text)


def test_what_a_wsgi_server_adds_is_not_counted() -> None:
    """Django's runserver puts the whole environment of its process into the environ."""
    environ = {f"VARIABLE_{number}": "x" * 1000 for number in range(1000)} | {"wsgi.input": object(), "HTTP_X": "y"}
    wsgi_request(environ).check_metadata_size(BridgeSettings(max_metadata_bytes=2, max_metadata_entries=1))
    with pytest.raises(StatusError):
        wsgi_request(environ).check_metadata_size(BridgeSettings(max_metadata_bytes=1, max_metadata_entries=1))


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_head_is_refused_before_the_body_is_read(transport: str) -> None:
    code, _ = await answer(transport, [("x", "y" * 20_000)], body=b"no frame")
    assert code is EXHAUSTED


# The time of streams and of requests, by a clock of the test's own.


class Clock:
    """Stands for an event loop and for the time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[Timer] = []

    def monotonic(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[..., Any], *arguments: Any) -> Timer:
        timer = Timer(self.now + delay, lambda: callback(*arguments))
        self.timers.append(timer)
        return timer

    def advance(self, seconds: float) -> None:
        """Lets time pass and calls what is due."""
        end = self.now + seconds
        while due := [timer for timer in self.timers if not timer.cancelled and timer.when <= end]:
            timer = min(due, key=lambda timer: timer.when)
            self.timers.remove(timer)
            self.now = max(self.now, timer.when)
            timer.callback()
        self.now = end


class Timer:
    """One timer of a `Clock`."""

    def __init__(self, when: float, callback: Callable[[], Any]) -> None:
        self.when = when
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(limits, "time", clock)
    return clock


OPEN_TOO_LONG = (StatusCode.UNAVAILABLE, "The stream has been open for 10 s")
IDLE_TOO_LONG = (StatusCode.UNAVAILABLE, "The stream has been idle for 4 s")


@pytest.mark.parametrize(
    ("seconds", "idle_seconds", "messages", "end", "status"),
    [
        (10, None, [], 10, OPEN_TOO_LONG),
        (10, None, [3, 9, 9.9], 10, OPEN_TOO_LONG),
        (None, 4, [], 4, IDLE_TOO_LONG),
        (None, 4, [3.9], 7.9, IDLE_TOO_LONG),
        (None, 4, [1, 2, 3, 3.5], 7.5, IDLE_TOO_LONG),
        (10, 4, [], 4, IDLE_TOO_LONG),
        (10, 4, [3, 6, 9], 10, OPEN_TOO_LONG),
        (10, 4, [3, 5], 9, IDLE_TOO_LONG),
    ],
)
def test_a_stream_ends_when_its_time_is_over(
    clock: Any, seconds: Any, idle_seconds: Any, messages: list[float], end: float, status: Any
) -> None:
    call = call_of(STREAMS[0], max_stream_seconds=seconds, max_stream_idle_seconds=idle_seconds)
    stream = StreamClock(call, clock)
    now = 0.0
    for moment in messages:
        clock.advance(moment - now)
        stream.message_passed()
        now = moment
    assert stream.seconds_left() == pytest.approx(end - now)
    clock.advance(end - now - 0.01)
    assert call.context.active
    clock.advance(0.02)
    assert not call.context.active
    assert call.context.status() == status
    assert not clock.timers


def test_a_stream_that_is_over_is_not_looked_at_again(clock: Any) -> None:
    call = call_of(STREAMS[0], max_stream_seconds=10)
    StreamClock(call, clock).stop()
    clock.advance(20)
    assert call.context.active


@pytest.mark.parametrize(
    ("timeout", "seconds", "idle_seconds", "expected", "error"),
    [
        (None, None, None, 60, (StatusCode.DEADLINE_EXCEEDED, "The request did not arrive within 60 s")),
        ("5S", None, None, 5, (StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")),
        ("5S", 10, 4, 4, IDLE_TOO_LONG),
        (None, 10, 40, 10, OPEN_TOO_LONG),
        ("90S", 70, None, 60, (StatusCode.DEADLINE_EXCEEDED, "The request did not arrive within 60 s")),
    ],
)
def test_a_thread_waits_no_longer_than_its_call_may_take(
    clock: Any, timeout: str | None, seconds: Any, idle_seconds: Any, expected: float, error: Any
) -> None:
    call = call_of(STREAMS[1], max_stream_seconds=seconds, max_stream_idle_seconds=idle_seconds)
    call.context.deadline = None if timeout is None else clock.now + float(timeout[:-1])
    if seconds or idle_seconds:
        call.clock = StreamClock(call, clock)
    assert patience(call) == pytest.approx(expected)
    clock.now += expected + 0.001  # without the timers: the thread may be the first to notice
    assert (too_late(call).code, too_late(call).message) == error


def test_a_thread_always_waits_a_moment(clock: Any) -> None:
    """For a socket no time at all is another error than time that is over."""
    call = call_of(UNARY)
    call.context.deadline = clock.now - 5
    assert patience(call) > 0
