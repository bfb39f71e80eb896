"""Envoy while its native server is away: callers are told, and nobody has to start Envoy anew."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from tests.contract.case import Answer, Call, check
from tests.contract.cases.messages import texts
from tests.contract.control import Control, eventually
from tests.contract.envoy import EnvoyTransport
from tests.contract.grpc_web import MODES
from tests.contract.http_client import Connection
from tests.contract.methods import SYNC, path
from tests.contract.native import NativeTransport, connect
from tests.databases import Database
from tests.envoy_process import Envoy, running_envoy
from tests.native_server.process import Rungrpc, running_rungrpc
from tests.servers import Server

UNREADY_SECONDS = "6"
"""How long the server goes on after it has said that it is going to stop. Envoy asks every two seconds at the most."""

SETTINGS = "tests.native_server.settings"
PAGE = ("origin", "http://localhost:8000")


@pytest.fixture
def own_rungrpc(tmp_path: Path, migrated: Database) -> Iterator[Rungrpc]:
    """A server to be ended by the test."""
    with running_rungrpc(tmp_path, "--unready", UNREADY_SECONDS, database=migrated, settings=SETTINGS) as server:
        yield server


@pytest.fixture
def own_envoy(tmp_path: Path, own_rungrpc: Rungrpc, asgi_server: Server) -> Iterator[Envoy]:
    """Envoy before that."""
    with running_envoy(tmp_path / "envoy", web=asgi_server.authority, grpc=own_rungrpc.address) as envoy:
        yield envoy


def test_a_server_that_stops_and_comes_back(
    own_envoy: Envoy, own_rungrpc: Rungrpc, tmp_path: Path, migrated: Database, key: str
) -> None:
    host, _, port = own_envoy.edge.rpartition(":")
    server = Server("Envoy", int(port), own_rungrpc.process.pid, own_rungrpc.log_path, own_rungrpc.database, host)
    binary, text = (EnvoyTransport(server, mode) for mode in MODES)
    with text.open(SYNC, "WaitInStream") as call:
        call.send_whole([StringValue(value=key)])
        stream = iter(call.reply())
        assert next(stream) == StringValue(value="before")
        # While it drains, new calls are for others, of whom there are none; the open one goes on.
        own_rungrpc.process.send_signal(signal.SIGTERM)
        own_envoy.wait_for(lambda: not own_envoy.is_healthy("grpc"))
        assert own_rungrpc.process.poll() is None
        assert_unavailable(server, own_envoy)
        with connect(own_rungrpc.address) as direct:
            Control(NativeTransport(direct)).open_gate(key)
        assert list(stream) == texts("after")
    assert own_rungrpc.process.wait(30) == 0
    assert_unavailable(server, own_envoy)
    (tmp_path / "again").mkdir()
    with running_rungrpc(tmp_path / "again", database=migrated, settings=SETTINGS, bind=(own_rungrpc.address,)):
        assert eventually(lambda: own_envoy.is_healthy("grpc"))
        for transport in (binary, text):
            check(Answer(texts("hello")), transport.call(SYNC, Call("Echo", texts("hello"))))


def assert_unavailable(server: Server, envoy: Envoy) -> None:
    """A page can read it in both modes; and so can native clients."""
    for mode in MODES:
        with Connection(server) as connection:
            headers = [*mode.headers(), PAGE]
            response = connection.request("POST", path(SYNC, "Echo"), headers, mode.request_body(texts("hello")))
            assert (response.status, response.headers["grpc-status"]) == (503, "14")
            assert response.headers["content-type"] == mode.content_type
            assert response.headers["access-control-allow-origin"] == PAGE[1]
            assert response.read() == b""
    with connect(envoy.edge) as channel:
        answer = NativeTransport(channel).call(SYNC, Call("Echo", texts("hello")))
        assert answer.code is grpc.StatusCode.UNAVAILABLE
    with Connection(server) as connection:
        connection.send_head("GET", "/healthz", [])
        assert connection.response("GET").status == 200, "the site itself is there"
