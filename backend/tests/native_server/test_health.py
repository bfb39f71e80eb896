"""`grpc.health.v1`: ready is who has a database with all migrations."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.databases import NO_DATABASE, Database, migrate, out_of_reach
from tests.native_server.client import NOT_SERVING, SERVING, call, health, open_channel, watch_health
from tests.native_server.process import SETTINGS, Rungrpc, running_rungrpc
from tests.servers import BACKEND_DIR


def wait_for_status(channel: grpc.Channel, status: int, service: str = "") -> None:
    """Waits until a watcher is told so."""
    watch = watch_health(channel, service)
    while next(watch).status != status:
        """Not yet."""
    watch.cancel()


@pytest.mark.parametrize("service", ["", "native.Lab", "echo.v1.EchoService"])
def test_a_server_is_ready_when_its_database_is_migrated(tmp_path: Path, empty: Database, service: str) -> None:
    with running_rungrpc(tmp_path, database=empty) as server, open_channel(server.address) as channel:
        assert health(channel, service) == NOT_SERVING
        assert call(channel, "Pid")  # it serves all the same
        migrate(server.database, SETTINGS)
        wait_for_status(channel, SERVING, service)
        assert "migrations are not applied" in server.log


def test_a_server_without_its_database_is_not_ready(tmp_path: Path, migrated: Database) -> None:
    with running_rungrpc(tmp_path, database=migrated) as server, open_channel(server.address) as channel:
        wait_for_status(channel, SERVING)
        with out_of_reach(server.database):
            wait_for_status(channel, NOT_SERVING)
            assert "database 'default' cannot be reached" in server.log
        wait_for_status(channel, SERVING)


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [((), 0, ""), (("--service", "native.Lab"), 0, ""), (("--service", "no.such.Service"), 1, "NOT_FOUND")],
)
def test_the_probe(guarded_server: Rungrpc, guarded: grpc.Channel, arguments: Any, code: int, text: str) -> None:
    wait_for_status(guarded, SERVING)
    done = probe(guarded_server.address, *arguments)
    assert (done.returncode, text in done.stderr) == (code, True)


def test_the_probe_of_a_server_that_is_not_there(tmp_path: Path) -> None:
    done = probe(f"unix:{tmp_path / 'nobody'}")
    assert (done.returncode, "UNAVAILABLE" in done.stderr) == (1, True)


def probe(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the probe as a container does."""
    command = [sys.executable, "-m", "grpc_bridge.server.probe", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return subprocess.run(
        command, cwd=BACKEND_DIR, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_unknown_services_are_not_found(guarded: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        health(guarded, "no.such.Service")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_probes_need_no_token_and_are_not_logged(guarded_server: Rungrpc, guarded: grpc.Channel) -> None:
    assert health(guarded) in (SERVING, NOT_SERVING)
    assert "Health" not in guarded_server.log


def test_without_health(tmp_path: Path, migrated: Database) -> None:
    with (
        running_rungrpc(tmp_path, "--no-health", "--no-reflection", database=migrated) as server,
        open_channel(server.address) as channel,
    ):
        with pytest.raises(grpc.RpcError) as caught:
            health(channel)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_an_app_may_have_a_servicer_of_its_own(tmp_path: Path) -> None:
    with (
        running_rungrpc(tmp_path, database=NO_DATABASE, settings="tests.contract.settings") as server,
        open_channel(server.address) as channel,
    ):
        assert health(channel) == SERVING
        with pytest.raises(grpc.RpcError):
            health(channel, "echo.v1.EchoService")
