"""A unary call that is served in one piece gets the same as one that is served step by step: while somebody listens to
Django's signals all are."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from django.core.exceptions import PermissionDenied
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from grpc_bridge.limits import open_calls
from grpc_bridge.protocol.frames import HEADER_BYTES, SHORT_BYTES, encode_frame
from grpc_bridge.protocol.status import StatusCode
from grpc_bridge.protocol.trailers import encode_trailers
from grpc_bridge.tests.one_piece import (
    ENCODED_TO_NONE,
    KINDS,
    MAX_SEND_BYTES,
    REFUSED,
    UNREADABLE,
    Behavior,
    recorded_steps,
    site_of,
    somebody_listens,
)
from grpc_bridge.tests.raw import status_of

FAR = ("grpc-timeout", "1H")


def give(request: bytes, context: Any) -> Any:
    return request


def give_nothing(request: bytes, context: Any) -> Any:
    return None


def give_too_much(request: bytes, context: Any) -> Any:
    return b"x" * (MAX_SEND_BYTES + 1)


def set_code(request: bytes, context: Any) -> Any:
    context.set_code(grpc.StatusCode.NOT_FOUND)
    context.set_details("not here")
    return request


def set_code_and_give_nothing(request: bytes, context: Any) -> Any:
    context.set_code(grpc.StatusCode.NOT_FOUND)


def set_details(request: bytes, context: Any) -> Any:
    context.set_details("well done")
    return request


def set_trailing(request: bytes, context: Any) -> Any:
    context.set_trailing_metadata((("key", "value"),))
    return request


def compress(request: bytes, context: Any) -> Any:
    context.set_compression(grpc.Compression.Gzip)
    return request * 100


def fail(request: bytes, context: Any) -> Any:
    raise ValueError("a secret")


def refuse(request: bytes, context: Any) -> Any:
    raise PermissionDenied


def fail_with_a_code(request: bytes, context: Any) -> Any:
    context.set_code(grpc.StatusCode.DATA_LOSS)
    raise ValueError("a secret")


def name_things(request: bytes, context: Any) -> Any:
    """Keeps something of its own with the context, under names that the bridge might have had."""
    for name in ("plan", "source", "path", "environ", "scope", "request", "call", "state"):
        assert not hasattr(context, name), name
        setattr(context, name, "mine")
    context.set_code(grpc.StatusCode.NOT_FOUND)
    return request


def give_what_cannot_be_encoded(request: bytes, context: Any) -> Any:
    return REFUSED


def give_what_is_encoded_to_nothing(request: bytes, context: Any) -> Any:
    return ENCODED_TO_NONE


def cancel(request: bytes, context: Any) -> Any:
    """An `async def` handler that raises this before it has waited."""
    raise asyncio.CancelledError


BEHAVIORS: list[Behavior] = [
    give, give_nothing, give_too_much, set_code, set_code_and_give_nothing, set_details, set_trailing, compress, fail,
    refuse, fail_with_a_code, name_things, give_what_cannot_be_encoded, give_what_is_encoded_to_nothing,
]  # fmt: skip


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of calls that are served step by step."""
    return recorded_steps(monkeypatch)


@pytest.fixture(autouse=True)
def calls_are_logged_and_none_is_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.INFO, "grpc_bridge")
    yield
    assert open_calls() == (0, 0)


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Gives what has been logged since this was asked last, without what differs."""
    lines = [re.sub(r"[0-9a-f]{32}|duration_ms=\S+", "...", record.getMessage()) for record in caplog.records]
    caplog.clear()
    return lines


@pytest.mark.parametrize("logs", [False, True])
@pytest.mark.parametrize("message", [b"request", UNREADABLE])
@pytest.mark.parametrize("behavior", BEHAVIORS)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_gets_the_same_either_way(
    kind: str, behavior: Behavior, message: bytes, logs: bool, steps: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    site = site_of(kind, behavior, logs=logs)
    with somebody_listens():
        expected, expected_lines = await site.ask(message), logged(caplog)
    assert len(steps) == 1
    assert any("method=/test.Service/Do " in line for line in expected_lines) == logs
    for _ in range(3):
        assert await site.ask(message) == expected
        assert logged(caplog) == expected_lines
    assert len(steps) == 1
    for count in (1, 2):
        assert await site.ask(message, FAR) == expected
        assert logged(caplog) == expected_lines
        # Under WSGI a call with a deadline runs in a thread of the pool.
        assert len(steps) == (1 + count if kind == "def under WSGI" else 1)


@pytest.mark.parametrize("behavior", [give_nothing, give_what_cannot_be_encoded, give_what_is_encoded_to_nothing])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_response_that_is_no_message_is_a_failure_of_the_server(kind: str, behavior: Behavior) -> None:
    site = site_of(kind, behavior, logs=False)
    for _ in range(2):
        _, _, body = await site.ask(b"request")
        assert status_of(body) == (StatusCode.INTERNAL, "Failed to serialize response!")


@pytest.mark.parametrize("logs", [False, True])
async def test_a_handler_that_cancels_itself_before_it_waits(logs: bool, steps: list[str]) -> None:
    site = site_of("async def", cancel, logs=logs)
    with somebody_listens():
        expected = await site.ask(b"request")
    assert status_of(expected[2]) == (StatusCode.CANCELLED, "Cancelled on the server side")
    for _ in range(2):
        assert await site.ask(b"request") == expected
    assert len(steps) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_messages_of_every_length_have_the_right_headers(kind: str, steps: list[str]) -> None:
    site = site_of(kind, give, logs=False)
    overhead = HEADER_BYTES + len(encode_trailers(0))
    limits = (SHORT_BYTES - part for part in (0, HEADER_BYTES, overhead))
    for size in (0, 1, *(limit + step for limit in limits for step in (-1, 0, 1))):
        message = b"x" * size
        _, headers, body = await site.ask(message)
        assert body == encode_frame(message) + encode_trailers(0)
        length = dict(headers)["content-length" if kind == "def under WSGI" else b"content-length"]
        assert int(length) == len(body)
    assert not steps


async def test_receivers_of_django_in_another_order_make_no_difference(steps: list[str]) -> None:
    """Django's test client takes `close_old_connections` out, and puts it back at the end."""
    site = site_of("async def", give, logs=False)
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
        signal.connect(close_old_connections)
        await site.ask(b"request")
    assert not steps


@pytest.mark.parametrize("kind", KINDS)
async def test_who_asks_to_be_told_of_the_end_is_told_once(kind: str, steps: list[str]) -> None:
    told: list[str] = []
    seen: list[int] = []

    def ask_to_be_told(request: bytes, context: Any) -> bytes:
        if kind == "def under WSGI":
            assert context.add_callback(lambda: told.append("over"))
        else:
            context.add_done_callback(lambda context: told.append("over"))
        seen.append(len(told))
        return request

    site = site_of(kind, ask_to_be_told, logs=False)
    for count in (1, 2):
        await site.ask(b"request")
        assert told == ["over"] * count
    assert seen == [0, 1]
    assert not steps
