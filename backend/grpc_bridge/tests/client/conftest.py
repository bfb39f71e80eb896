"""Fixtures of the client's tests: its two APIs, and servers that end with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from grpc_bridge.tests.client.callers import CALLERS, Caller
from grpc_bridge.tests.client.scripted import Script, ScriptedServer, scripted


@pytest.fixture(params=CALLERS)
def call(request: pytest.FixtureRequest) -> Caller:
    """The sync API and that for asyncio."""
    return CALLERS[request.param]


@pytest.fixture
def serve() -> Iterator[Callable[[Script], ScriptedServer]]:
    """Starts servers, and ends them."""
    with ExitStack() as stack:
        yield lambda script: stack.enter_context(scripted(script))
