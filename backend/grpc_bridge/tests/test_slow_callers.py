"""Callers over ASGI that send slowly, or do not take what they are sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.limits import open_calls
from grpc_bridge.protocol.status import StatusCode
from grpc_bridge.tests.raw import BODY, Headers, not_django, registry_of, scope, status_of
from grpc_bridge.transports import asgi, asgi_request
from grpc_bridge.transports.asgi import Application, asgi_bridge

PIECE = b"x" * 10_000
MANY = 300


class Caller:
    """What a server does for one caller: hands over the events of the request, and takes what it has room for."""

    def __init__(self, *events: dict[str, Any], room: int = 2**63) -> None:
        self._events = list(events)
        self._room = room
        self.taken = bytearray()
        self.blocked = asyncio.Event()
        self.reads_on = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        if self._events:
            return self._events.pop(0)
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def send(self, event: dict[str, Any]) -> None:
        if len(self.taken) >= self._room:
            self.blocked.set()
            await self.reads_on.wait()
        self.taken += event.get("body", b"")


class Handlers:
    """Handlers that count what they give."""

    def __init__(self) -> None:
        self.given = 0

    async def late(self, request: bytes, context: Any) -> bytes:
        await asyncio.sleep(0.3)
        return request

    async def rush_async(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        for _ in range(MANY):
            self.given += 1
            yield PIECE

    def rush_sync(self, request: bytes, context: Any) -> Iterator[bytes]:
        for _ in range(MANY):
            self.given += 1
            yield PIECE

    def application(self, **settings: Any) -> Application:
        """Gives the application that serves them."""
        registry = registry_of(
            Late=grpc.unary_unary_rpc_method_handler(self.late),
            Async=grpc.unary_stream_rpc_method_handler(self.rush_async),
            Sync=grpc.unary_stream_rpc_method_handler(self.rush_sync),
        )
        return asgi_bridge(not_django, registry, BridgeSettings(**settings))


def request(body: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}


@pytest.fixture(autouse=True)
def no_time_is_lost_after_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi_request, "DISCARD_SECONDS", 0.01)
    monkeypatch.setattr(asgi, "LAST_SECONDS", 0.05)


async def serve(application: Application, name: str, caller: Caller, headers: Headers = ()) -> None:
    await application(scope(name, headers), caller.receive, caller.send)


@pytest.mark.parametrize("name", ["Late", "Async", "Sync"])
@pytest.mark.parametrize("events", [(), (request(BODY[:3], more=True),)], ids=["nothing", "half"])
async def test_a_request_that_does_not_arrive_is_not_waited_for(name: str, events: Any) -> None:
    caller = Caller(*events)
    await serve(Handlers().application(request_body_seconds=0.05), name, caller)
    assert status_of(caller.taken) == (StatusCode.DEADLINE_EXCEEDED, "The request did not arrive within 0.05 s")
    assert open_calls() == (0, 0)


@pytest.mark.parametrize("name", ["Late", "Async", "Sync"])
async def test_a_request_whose_pieces_come_just_when_it_is_too_late_is_not_waited_for(name: str) -> None:
    """Before Python 3.12 `asyncio.wait_for`, by which servers wait for a piece, then swallows the cancellation."""

    class Dripping(Caller):
        pieces = pieces_before_answer = 0

        async def send(self, event: dict[str, Any]) -> None:
            self.pieces_before_answer = self.pieces_before_answer or self.pieces
            await super().send(event)

        async def receive(self) -> dict[str, Any]:
            self.pieces += 1
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.2)
            return request(b"\0", more=self.pieces < 10)

    caller = Dripping()
    await serve(Handlers().application(request_body_seconds=0.05), name, caller)
    assert status_of(caller.taken) == (StatusCode.DEADLINE_EXCEEDED, "The request did not arrive within 0.05 s")
    assert caller.pieces_before_answer < 5
    assert open_calls() == (0, 0)


@pytest.mark.parametrize("events", [[request(BODY)], [request(BODY[:3], more=True), request(BODY[3:])]])
async def test_a_handler_may_take_longer_than_its_request(events: Any) -> None:
    """Also one whose request had to be waited for."""

    class Slow(Caller):
        async def receive(self) -> dict[str, Any]:
            await asyncio.sleep(0.01)
            return await super().receive()

    caller = Slow(*events)
    await serve(Handlers().application(request_body_seconds=0.2), "Late", caller)
    assert status_of(caller.taken) == (StatusCode.OK, "")


@pytest.mark.parametrize("name", ["Async", "Sync"])
async def test_a_handler_makes_no_more_than_its_caller_takes(name: str) -> None:
    handlers, caller = Handlers(), Caller(request(BODY), room=100_000)
    serving = asyncio.ensure_future(serve(handlers.application(), name, caller))
    await caller.blocked.wait()
    for _ in range(10):
        await asyncio.sleep(0.01)
    given = handlers.given
    assert given < MANY / 4
    caller.reads_on.set()
    await serving
    assert handlers.given == MANY
    assert status_of(caller.taken) == (StatusCode.OK, "")


@pytest.mark.parametrize("name", ["Async", "Sync"])
@pytest.mark.parametrize(
    ("settings", "headers"),
    [
        ({}, [("grpc-timeout", "100m")]),
        ({"max_stream_idle_seconds": 0.1}, ()),
        ({"max_stream_seconds": 0.1}, ()),
    ],
    ids=["deadline", "idle", "total"],
)
async def test_a_caller_that_never_reads_does_not_keep_a_call_that_is_over(
    name: str, settings: Any, headers: Headers
) -> None:
    handlers, caller = Handlers(), Caller(request(BODY), room=0)
    serving = asyncio.ensure_future(serve(handlers.application(**settings), name, caller, headers))
    await asyncio.wait([serving], timeout=10)
    assert serving.cancelled()  # which a server takes for the end of the connection
    assert handlers.given < MANY / 4
    assert open_calls() == (0, 0)


@pytest.mark.parametrize("name", ["Async", "Sync"])
async def test_a_caller_that_reads_in_the_end_still_learns_why(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "LAST_SECONDS", 10)
    handlers, caller = Handlers(), Caller(request(BODY), room=0)
    application = handlers.application(max_stream_idle_seconds=0.1)
    serving = asyncio.ensure_future(serve(application, name, caller))
    await caller.blocked.wait()
    while open_calls() != (0, 0):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    caller.reads_on.set()
    await serving
    assert status_of(caller.taken) == (StatusCode.UNAVAILABLE, "The stream has been idle for 0.1 s")
