"""Fixtures of the contract suite: each transport, and each kind of servicer."""

from __future__ import annotations

import pytest

from tests.contract.grpc_web import MODES, GrpcWebTransport, Mode
from tests.contract.methods import FLAVOURS
from tests.servers import Server


@pytest.fixture(params=MODES, ids=[mode.name for mode in MODES])
def mode(request: pytest.FixtureRequest) -> Mode:
    """Binary and text."""
    return request.param


@pytest.fixture
def transport(server: Server, mode: Mode) -> GrpcWebTransport:
    """Each server in each mode."""
    return GrpcWebTransport(server, mode)


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> str:
    """The servicer with `def` handlers and the one with `async def` handlers."""
    return request.param
