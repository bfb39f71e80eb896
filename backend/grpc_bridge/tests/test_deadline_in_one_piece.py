"""The deadline of a unary call of an `async def` handler that is served in one piece."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from grpc_bridge.limits import all_calls
from grpc_bridge.protocol.frames import encode_frame
from grpc_bridge.protocol.status import StatusCode
from grpc_bridge.protocol.trailers import encode_trailers
from grpc_bridge.tests.one_piece import Site, no_delay, recorded_steps
from grpc_bridge.tests.raw import ASGI, status_of
from grpc_bridge.transports import asgi_request

EXPIRED = (StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of calls that are served step by step."""
    return recorded_steps(monkeypatch)


async def wait_for_good() -> None:
    await asyncio.Event().wait()


async def block() -> None:
    """Longer than any deadline here, and nothing else has its turn meanwhile."""
    time.sleep(0.005)  # noqa: ASYNC251 - that is the case


class DeadlineSite(Site):
    """A bridge with an `async def` handler that does something first and then answers."""

    def __init__(self, *, logs: bool, before_answer: Callable[[], Awaitable[None]] = no_delay) -> None:
        self.remaining: list[float | None] = []

        async def handle(request: bytes, context: Any) -> bytes:
            self.remaining.append(context.time_remaining())
            await before_answer()
            return request

        super().__init__(ASGI, handle, logs=logs)


@pytest.mark.parametrize("logs", [False, True])
async def test_a_handler_sees_and_meets_its_deadline(logs: bool, steps: list[str]) -> None:
    site = DeadlineSite(logs=logs, before_answer=block)
    for _ in (1, 2):
        _, _, body = await site.ask(b"request", ("grpc-timeout", "9S"))
        assert body == encode_frame(b"request") + encode_trailers(0)
        assert 8 < (site.remaining.pop() or 0) <= 9
    assert not steps


@pytest.mark.parametrize("logs", [False, True])
async def test_a_handler_is_stopped_at_its_deadline(logs: bool, steps: list[str]) -> None:
    site = DeadlineSite(logs=logs, before_answer=wait_for_good)
    for count in (1, 2):
        _, _, body = await site.ask(b"request", ("grpc-timeout", "9m"))
        assert status_of(body) == EXPIRED
        assert len(site.remaining) == count
    assert not steps


@pytest.mark.parametrize("logs", [False, True])
@pytest.mark.parametrize("delay", [wait_for_good, block])
async def test_no_handler_runs_after_its_deadline(
    delay: Any, logs: bool, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi_request, "DISCARD_SECONDS", 0.0)  # for that long a body is read that nobody needs
    site = DeadlineSite(logs=logs)
    site.before_request = delay
    for _ in (1, 2):
        _, _, body = await site.ask(b"request", ("grpc-timeout", "1m"))
        assert status_of(body) == EXPIRED
    assert not site.remaining
    assert not steps


@pytest.mark.parametrize("headers", [[], [("grpc-timeout", "9S")]])
async def test_no_handler_runs_after_the_end_of_its_call(headers: Any, steps: list[str]) -> None:
    """When the process ends, say: the caller is told to call again."""
    status = (StatusCode.UNAVAILABLE, "The server is shutting down")

    async def end_all_calls() -> None:
        for context in all_calls():
            context.terminate(*status)

    site = DeadlineSite(logs=False)
    site.before_request = end_all_calls
    for _ in (1, 2):
        _, _, body = await site.ask(b"request", *headers)
        assert status_of(body) == status
    assert not site.remaining
    assert not steps


@pytest.mark.parametrize("value", ["0n", "soon", ""])
async def test_timeouts_that_leave_no_time_are_left_to_the_other_way(value: str, steps: list[str]) -> None:
    site = DeadlineSite(logs=False)
    for count in (1, 2):
        _, _, body = await site.ask(b"request", ("grpc-timeout", value))
        expected = EXPIRED if value == "0n" else (StatusCode.INTERNAL, "Error parsing 'grpc-timeout'")
        assert status_of(body) == expected
        assert len(steps) == count
    assert not site.remaining
