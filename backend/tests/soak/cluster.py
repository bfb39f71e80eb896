"""A PostgreSQL of the soak's own, to be restarted and crashed, from the programs of an installed package.

Unlike the one of `scripts/postgres.py` it keeps what it has acknowledged: the question is what a crash loses.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg

import postgres
from tests.servers import HOST
from tests.soak.processes import descendants, free_port

MAX_CONNECTIONS = 200
STOP_SECONDS = 60
FAST, IMMEDIATE = "fast", "immediate"


class Cluster:
    """A running server with one empty database."""

    def __init__(self, programs: Path, directory: Path, port: int) -> None:
        self._data = directory / "data"
        self._log_path = directory / "log"
        self._options = {
            "listen_addresses": HOST,
            "port": str(port),
            "unix_socket_directories": str(directory),
            "max_connections": str(MAX_CONNECTIONS),
        }
        words = " ".join(f"-c {name}={value}" for name, value in self._options.items())
        data, log = self._data, self._log_path
        self._control = postgres.as_owner(
            programs / "pg_ctl", "-D", data, "-l", log, "-o", words, "-t", STOP_SECONDS, "--silent", "-w"
        )
        self.url = f"postgresql://{postgres.USER}@{HOST}:{port}/postgres"

    def start(self) -> None:
        """Starts it and waits until it takes connections."""
        postgres.run(*self._control, "start")

    def stop(self, mode: str) -> None:
        """Ends it. `FAST` closes what is open, `IMMEDIATE` drops everything as a crash does."""
        postgres.run(*self._control, "-m", mode, "stop")

    def restart(self, mode: str) -> None:
        """Ends it and starts it again, which after `IMMEDIATE` means to recover."""
        self.stop(mode)
        self.start()

    def pids(self) -> list[int]:
        """The processes that there are now."""
        with contextlib.suppress(OSError, ValueError):
            return descendants(int((self._data / "postmaster.pid").read_text().split()[0]))
        return []

    def check_durable(self) -> None:
        """Raises `AssertionError` if an acknowledged transaction could be lost by a crash of the server."""
        with psycopg.connect(self.url) as connection:
            for name in ("synchronous_commit", "fsync", "full_page_writes"):
                row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
                assert row == ("on",), (name, row)


@contextlib.contextmanager
def running_cluster(programs: Path) -> Iterator[Cluster]:
    """Starts one and ends it. Afterwards nothing of it is left."""
    directory = Path(tempfile.mkdtemp(prefix="soak-postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(directory, postgres.USER)
        data = directory / "data"
        init = (programs / "initdb", "-D", data, "-U", postgres.USER, "--auth=trust", "--encoding=UTF8", "--no-sync")
        postgres.run(*postgres.as_owner(*init))
        cluster = Cluster(programs, directory, free_port())
        cluster.start()
        try:
            cluster.check_durable()
            yield cluster
        finally:
            subprocess.run([*cluster._control, "-m", IMMEDIATE, "stop"], stdin=subprocess.DEVNULL, check=False)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
