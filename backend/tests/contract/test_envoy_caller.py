"""What `test_caller.py` asks of the bridge's own servers, asked of Envoy and of a rungrpc behind it with a database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.conftest import DATABASE_SETTINGS
from tests.contract.envoy import EnvoyTransport
from tests.contract.grpc_web import MODES
from tests.contract.test_caller import (  # noqa: F401
    cookie,
    email,
    test_no_call_sees_the_user_of_another,
    test_nobody,
    test_over_native_grpc,
    test_the_user_of_the_session,
)
from tests.databases import Database
from tests.envoy_process import running_envoy
from tests.native_server.process import running_rungrpc
from tests.servers import SIGNS_OF_FAULTS, Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, migrated: Database, asgi_server: Server) -> Iterator[Server]:
    """Envoy, as other tests know servers: at its address, with the log and the database of rungrpc."""
    directory = tmp_path_factory.mktemp("rungrpc")
    with (
        running_rungrpc(directory, database=migrated, settings=DATABASE_SETTINGS, faults=SIGNS_OF_FAULTS) as rungrpc,
        running_envoy(tmp_path_factory.mktemp("envoy"), web=asgi_server.authority, grpc=rungrpc.address) as envoy,
    ):
        host, _, port = envoy.edge.rpartition(":")
        yield Server("Envoy", int(port), rungrpc.process.pid, rungrpc.log_path, rungrpc.database, host)


@pytest.fixture
def binary_transport(server: Server) -> EnvoyTransport:
    """Envoy instead of each server."""
    return EnvoyTransport(server, MODES[0])
