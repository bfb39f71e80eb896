"""Several processes on one address."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import grpc

from tests.databases import Database
from tests.native_server.client import PATIENCE_SECONDS, call, open_channel
from tests.native_server.process import Rungrpc, running_rungrpc

POLL_SECONDS = 0.02


def pid_of_new_connection(server: Rungrpc) -> int | None:
    """Gives the process that serves one more connection, None if that is lost."""
    with open_channel(server.address) as channel:
        try:
            return int(call(channel, "Pid", wait_for_ready=True))
        except grpc.RpcError:  # such a connection may have been one of the worker that has died
            return None


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def all_pids(server: Rungrpc, count: int) -> set[int]:
    """Connects until so many processes have answered."""
    found: set[int | None] = set()

    def has_found() -> bool:
        found.add(pid_of_new_connection(server))
        return len(found - {None}) == count

    assert eventually(has_found)
    return {pid for pid in found if pid is not None}


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that nobody has waited for yet is there, but runs no more.
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text() if Path("/proc/self/status").exists() else True


def test_connections_are_shared_out(tmp_path: Path, migrated: Database) -> None:
    with running_rungrpc(tmp_path, "--workers", "3", database=migrated) as server:
        pids = all_pids(server, 3)
        assert server.process.pid not in pids
        assert server.stop() == 0
        assert not any(is_running(pid) for pid in pids)


def test_a_worker_that_dies_is_replaced(tmp_path: Path, migrated: Database) -> None:
    with running_rungrpc(tmp_path, "--workers", "2", database=migrated) as server:
        pids = all_pids(server, 2)
        victim, survivor = sorted(pids)
        os.kill(victim, signal.SIGKILL)
        assert eventually(lambda: f"Worker {victim} ended with -9" in server.log)
        after = set[int]()
        while not after:
            after = all_pids(server, 2) - {victim}
        assert survivor in after or len(after) == 2
        assert victim not in all_pids(server, 2)


def test_no_worker_outlives_the_first_process(tmp_path: Path, migrated: Database) -> None:
    with running_rungrpc(tmp_path, "--workers", "2", database=migrated) as server:
        pids = all_pids(server, 2)
        server.process.kill()
        server.process.wait()
        assert eventually(lambda: not any(is_running(pid) for pid in pids))


def test_a_worker_that_does_not_end_is_killed(tmp_path: Path, migrated: Database) -> None:
    with running_rungrpc(tmp_path, "--workers", "2", "--grace", "0", database=migrated) as server:
        pid = min(all_pids(server, 2))
        os.kill(pid, signal.SIGSTOP)
        assert server.stop() == 0
        assert re.search(rf"are killed: \[{pid}\]", server.log)
