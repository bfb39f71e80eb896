"""What other tests rely on when they start servers."""

from __future__ import annotations

import os
import re
import signal
import socket
from pathlib import Path

import pytest

from tests import servers
from tests.contract.control import eventually
from tests.databases import Database
from tests.servers import ASGI, KINDS, Server, ServerError, running_server


def is_running(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def is_listening(port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        socket.create_connection((servers.HOST, port)).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_ends_with_its_worker(kind: str, tmp_path: Path, migrated: Database) -> None:
    with running_server(kind, tmp_path, database=migrated) as server:
        worker = server.worker_pid
        assert is_running(server.pid)
        assert is_running(worker)
    assert not is_running(server.pid)
    assert not is_running(worker)
    assert "Shutting down: Master" in server.log()


def test_a_server_that_cannot_start_says_why(tmp_path: Path, migrated: Database) -> None:
    server = running_server(ASGI, tmp_path, settings="tests.no_such_settings", database=migrated)
    with pytest.raises(ServerError, match="no_such_settings"):
        server.__enter__()


def run_until_killed(directory: Path, database: Database) -> Server:
    """Runs a server that cannot hear SIGTERM. Raises what `running_server` makes of it."""
    with running_server(ASGI, directory, database=database) as server:
        os.kill(server.pid, signal.SIGSTOP)
    return server


def test_a_server_that_has_to_be_killed_is_a_failure(
    tmp_path: Path, migrated: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "STOP_SECONDS", 0.5)
    with pytest.raises(ServerError, match="was killed") as error:
        run_until_killed(tmp_path, migrated)
    (port,) = re.findall(r"Listening at: http://127.0.0.1:(\d+)", str(error.value))
    assert eventually(lambda: not is_listening(int(port)))  # its worker is gone, too


def run_with_fault(directory: Path, database: Database) -> None:
    """Runs a server whose log gets a line that must not be there."""
    with running_server(ASGI, directory, database=database) as server, server.log_path.open("a") as log:
        log.write("RuntimeWarning: coroutine 'x' was never awaited\n")


def test_a_log_of_faults_is_a_failure(tmp_path: Path, migrated: Database) -> None:
    with pytest.raises(ServerError, match="was never awaited"):
        run_with_fault(tmp_path, migrated)
