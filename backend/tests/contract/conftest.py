"""Fixtures of the contract suite: each transport, each kind of servicer, and what a test needs beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import SERVER_AT_START
from tests.contract.control import Control, new_key
from tests.contract.grpc_web import MODES, GrpcWebTransport, Mode
from tests.contract.methods import FLAVOURS, path
from tests.servers import ASGI, KINDS, WSGI, Server, running_server

INTERCEPTED_SETTINGS = "tests.contract.intercepted_settings"


@pytest.fixture(params=MODES, ids=[mode.name for mode in MODES])
def mode(request: pytest.FixtureRequest) -> Mode:
    """Binary and text."""
    return request.param


@pytest.fixture
def transport(server: Server, mode: Mode) -> GrpcWebTransport:
    """Each server in each mode."""
    return GrpcWebTransport(server, mode)


@pytest.fixture
def binary_transport(server: Server) -> GrpcWebTransport:
    """Each server in binary mode, for what has nothing to do with the mode."""
    return GrpcWebTransport(server, MODES[0])


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> str:
    """The servicer with `def` handlers and the one with `async def` handlers."""
    return request.param


@pytest.fixture
def control(server: Server) -> Control:
    """The bookkeeping of the server under test."""
    return Control(server)


@pytest.fixture
def key() -> str:
    """What this test's events and gate are kept under."""
    return new_key()


@pytest.fixture
def asgi_transport(asgi_server: Server, mode: Mode) -> GrpcWebTransport:
    """The ASGI server in each mode."""
    return GrpcWebTransport(asgi_server, mode)


@pytest.fixture
def asgi_control(asgi_server: Server) -> Control:
    """The bookkeeping of the ASGI server."""
    return Control(asgi_server)


@pytest.fixture
def target(flavour: str) -> str:
    """The path of a unary method."""
    return path(flavour, "Echo")


@pytest.fixture
def runs_no_handler(control: Control, flavour: str) -> Iterator[None]:
    """Checks at the end that the method has not run, which takes a good call on a new connection."""
    before = control.invocations(flavour, "Echo")
    yield
    assert control.invocations(flavour, "Echo") == before


@pytest.fixture(scope="session")
def intercepted_asgi_server(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Server]:
    """The ASGI server with interceptors."""
    directory = tmp_path_factory.mktemp("intercepted-asgi")
    with running_server(ASGI, directory, settings=INTERCEPTED_SETTINGS, database=migrated) as server:
        yield server


@pytest.fixture(scope="session")
def intercepted_wsgi_server(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Server]:
    """The WSGI server with interceptors."""
    directory = tmp_path_factory.mktemp("intercepted-wsgi")
    with running_server(WSGI, directory, settings=INTERCEPTED_SETTINGS, database=migrated) as server:
        yield server


def _shown(server: Server, request: pytest.FixtureRequest) -> Server:
    request.node.stash[SERVER_AT_START] = server, server.log_size()
    return server


@pytest.fixture(params=KINDS)
def intercepted_server(request: pytest.FixtureRequest) -> Server:
    """Each server with interceptors in turn."""
    name = "intercepted_asgi_server" if request.param == ASGI else "intercepted_wsgi_server"
    return _shown(request.getfixturevalue(name), request)


@pytest.fixture(params=["asgi_server", "wsgi_server", "intercepted_asgi_server", "intercepted_wsgi_server"])
def any_server(request: pytest.FixtureRequest) -> Server:
    """Each server, without and with interceptors."""
    return _shown(request.getfixturevalue(request.param), request)
