"""Fixtures of the contract suite: each transport, each kind of servicer, and what a test needs beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import grpc
import pytest

from tests.conftest import SERVER_AT_START, SETTINGS
from tests.contract.case import Transport
from tests.contract.control import Control, new_key
from tests.contract.envoy import EnvoyTransport
from tests.contract.grpc_web import MODES, GrpcWebTransport, Mode
from tests.contract.grpcio_servers import running_grpcio, running_grpcio_aio
from tests.contract.methods import FLAVOURS, path
from tests.contract.native import NativeTransport, connect
from tests.contract.transports import BRIDGE, ENVOY, ENVOY_NATIVE, GRPCIO, GRPCIO_AIO, RUNGRPC, WEB_BINARY, WEB_TEXT
from tests.databases import NO_DATABASE, Database
from tests.envoy_process import Envoy, running_envoy
from tests.native_server.process import Rungrpc, running_rungrpc
from tests.servers import ASGI, KINDS, SIGNS_OF_FAULTS, WSGI, Server, running_server

DATABASE_SETTINGS = "tests.contract.database_settings"
SITE_SETTINGS = "tests.contract.site_settings"
INTERCEPTED_SETTINGS = "tests.contract.intercepted_settings"


CHANNELS = {
    GRPCIO: "grpcio_channel",
    GRPCIO_AIO: "grpcio_aio_channel",
    RUNGRPC: "rungrpc_channel",
    ENVOY_NATIVE: "envoy_channel",
}
"""The fixtures of connections to servers that are not gunicorn's."""


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
    return Control(GrpcWebTransport(server, MODES[0]))


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
    return Control(GrpcWebTransport(asgi_server, MODES[0]))


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
def asgi_channel(asgi_server: Server) -> Iterator[grpc.Channel]:
    """A native connection to the ASGI server."""
    with connect(asgi_server.authority) as channel:
        yield channel


@pytest.fixture(scope="session")
def wsgi_channel(wsgi_server: Server) -> Iterator[grpc.Channel]:
    """A native connection to the WSGI server, which serves its calls one after the other."""
    with connect(wsgi_server.authority) as channel:
        yield channel


@pytest.fixture(scope="session")
def grpcio_address() -> Iterator[str]:
    """A real `grpc.server`."""
    with running_grpcio() as address:
        yield address


@pytest.fixture(scope="session")
def grpcio_aio_address() -> Iterator[str]:
    """A real `grpc.aio.server`."""
    with running_grpcio_aio() as address:
        yield address


@pytest.fixture(scope="session")
def grpcio_channel(grpcio_address: str) -> Iterator[grpc.Channel]:
    """A connection to a real `grpc.server`."""
    with connect(grpcio_address) as channel:
        yield channel


@pytest.fixture(scope="session")
def grpcio_aio_channel(grpcio_aio_address: str) -> Iterator[grpc.Channel]:
    """A connection to a real `grpc.aio.server`."""
    with connect(grpcio_aio_address) as channel:
        yield channel


@pytest.fixture(scope="session")
def rungrpc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rungrpc]:
    """`manage.py rungrpc`. Its log has the tracebacks of handlers that fail on purpose."""
    directory = tmp_path_factory.mktemp("rungrpc")
    with running_rungrpc(directory, database=NO_DATABASE, settings=SETTINGS, faults=SIGNS_OF_FAULTS) as server:
        yield server


@pytest.fixture(scope="session")
def rungrpc_address(rungrpc: Rungrpc) -> str:
    """Where that listens."""
    return rungrpc.address


@pytest.fixture(scope="session")
def rungrpc_channel(rungrpc_address: str) -> Iterator[grpc.Channel]:
    """A connection to `manage.py rungrpc`."""
    with connect(rungrpc_address) as channel:
        yield channel


@pytest.fixture(scope="session")
def envoy(tmp_path_factory: pytest.TempPathFactory, rungrpc: Rungrpc, asgi_server: Server) -> Iterator[Envoy]:
    """Envoy before rungrpc, and before the ASGI server for all else."""
    with running_envoy(tmp_path_factory.mktemp("envoy"), web=asgi_server.authority, grpc=rungrpc.address) as envoy:
        yield envoy


@pytest.fixture(scope="session")
def envoy_address(envoy: Envoy) -> str:
    """Where that listens for native gRPC, and for pages."""
    return envoy.edge


@pytest.fixture(scope="session")
def envoy_server(envoy: Envoy, rungrpc: Rungrpc) -> Server:
    """Envoy, as other tests know servers: at its address, with the log and the database of rungrpc."""
    host, _, port = envoy.edge.rpartition(":")
    return Server("Envoy", int(port), rungrpc.process.pid, rungrpc.log_path, rungrpc.database, host)


@pytest.fixture(scope="session")
def envoy_channel(envoy_address: str) -> Iterator[grpc.Channel]:
    """A native connection to Envoy."""
    with connect(envoy_address) as channel:
        yield channel


@pytest.fixture
def transport_of(request: pytest.FixtureRequest, server_of_kind: Callable[[str], Server]) -> Callable[[str], Transport]:
    """Gives a transport by its name in `transports.SERVED`."""
    modes = dict(zip((WEB_BINARY, WEB_TEXT), MODES, strict=True))

    def get(name: str) -> Transport:
        if ENVOY.get(name) in modes:
            return EnvoyTransport(request.getfixturevalue("envoy_server"), modes[ENVOY[name]])
        if name not in BRIDGE:
            return NativeTransport(request.getfixturevalue(CHANNELS[name]))
        kind, wire = BRIDGE[name]
        server = server_of_kind(kind)
        if wire in modes:
            return GrpcWebTransport(server, modes[wire])
        return NativeTransport(request.getfixturevalue("asgi_channel" if kind == ASGI else "wsgi_channel"))

    return get


@pytest.fixture(scope="package", params=KINDS)
def database_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated: Database
) -> Iterator[Server]:
    """Each server in turn, with a database."""
    directory = tmp_path_factory.mktemp(f"database-{request.param}")
    with running_server(request.param, directory, settings=DATABASE_SETTINGS, database=migrated) as server:
        yield server


@pytest.fixture(scope="package", params=KINDS)
def site_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated: Database
) -> Iterator[Server]:
    """Each server in turn, with the settings in `site_settings.py`."""
    directory = tmp_path_factory.mktemp(f"site-{request.param}")
    with running_server(request.param, directory, settings=SITE_SETTINGS, database=migrated) as server:
        yield server


@pytest.fixture(scope="session")
def intercepted_asgi_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The ASGI server with interceptors."""
    directory = tmp_path_factory.mktemp("intercepted-asgi")
    with running_server(ASGI, directory, settings=INTERCEPTED_SETTINGS, database=NO_DATABASE) as server:
        yield server


@pytest.fixture(scope="session")
def intercepted_wsgi_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The WSGI server with interceptors."""
    directory = tmp_path_factory.mktemp("intercepted-wsgi")
    with running_server(WSGI, directory, settings=INTERCEPTED_SETTINGS, database=NO_DATABASE) as server:
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
