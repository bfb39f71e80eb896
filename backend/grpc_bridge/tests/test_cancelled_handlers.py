"""Handlers that end with a cancelled task of their own: their call is cancelled, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from asgiref.sync import async_to_sync

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.limits import open_calls
from grpc_bridge.tests.in_memory import TRANSPORTS, Answer, Request, answers, registry_of

ARITIES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
DEADLINE = [("grpc-timeout", "50S")]


async def cancel() -> None:
    """Waits for a task that is cancelled."""
    task = asyncio.ensure_future(asyncio.sleep(0))
    task.cancel()
    await task


def unary(request: Any, context: Any) -> bytes:
    async_to_sync(cancel)()
    return b"never"


def stream(request: Any, context: Any) -> Iterator[bytes]:
    yield b"first"
    async_to_sync(cancel)()


async def unary_async(request: Any, context: Any) -> bytes:
    await cancel()
    return b"never"


async def stream_async(request: Any, context: Any) -> AsyncIterator[bytes]:
    yield b"first"
    await cancel()


HANDLERS = {"def": (unary, stream), "async def": (unary_async, stream_async)}


@pytest.mark.parametrize("logs", [False, True])
@pytest.mark.parametrize("headers", [[], DEADLINE], ids=["", "deadline"])
@pytest.mark.parametrize("flavour", HANDLERS)
@pytest.mark.parametrize("arity", ARITIES)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_call_is_cancelled(transport: str, arity: str, flavour: str, headers: Any, logs: bool) -> None:
    """To gunicorn's gthread such an exception of a `def` handler would be the end of the worker."""
    behavior = HANDLERS[flavour][arity.endswith("_stream")]
    registry = registry_of(Method=getattr(grpc, f"{arity}_rpc_method_handler")(behavior))
    request = Request("/test.Service/Method", headers=headers)
    messages = [b"first"] if arity.endswith("_stream") else []
    cancelled = Answer(messages, grpc.StatusCode.CANCELLED, "Cancelled on the server side")
    assert answers(transport, registry, BridgeSettings(log_calls=logs), request, request) == [cancelled, cancelled]
    assert open_calls() == (0, 0)
