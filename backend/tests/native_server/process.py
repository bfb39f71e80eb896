"""Real `manage.py rungrpc` processes for tests: on free ports, watched through their log, ended within seconds.

with running_rungrpc(directory, database=migrated) as server:
    grpc.insecure_channel(server.address)
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.databases import Database, copied_database
from tests.servers import BACKEND_DIR, HOST, SIGNS_OF_FAULTS, START_SECONDS, STOP_SECONDS, ServerError

POLL_SECONDS = 0.05
SETTINGS = "tests.native_server.settings"
FAULTS = (*SIGNS_OF_FAULTS, "Traceback (most recent call last)", "Fatal Python error")


@dataclass(frozen=True)
class Rungrpc:
    """A running server."""

    process: subprocess.Popen[bytes]
    log_path: Path
    database: Database

    @property
    def log(self) -> str:
        """Gives what has been logged."""
        return self.log_path.read_text(errors="replace")

    @property
    def addresses(self) -> list[str]:
        """The addresses that it has announced."""
        return re.findall(r"^gRPC on (\S+)$", self.log, re.MULTILINE)

    @property
    def address(self) -> str:
        """The only address."""
        (address,) = self.addresses
        return address

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Sends a signal and gives the exit code, once there is one."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


def start_rungrpc(
    directory: Path,
    *arguments: str,
    database: Database,
    settings: str = SETTINGS,
    bind: Sequence[str] = (f"{HOST}:0",),
    environment: dict[str, str] | None = None,
) -> Rungrpc:
    """Starts a server and does not wait for it."""
    log_path = directory / "server.log"
    binds = [argument for address in bind for argument in ("--bind", address)]
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "rungrpc", *binds, *arguments],
            cwd=BACKEND_DIR,
            env=os.environ
            | {
                "DJANGO_SETTINGS_MODULE": settings,
                "PYTHONUNBUFFERED": "1",
                "PYTHONWARNINGS": "default",
            }
            | database.environment
            | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Rungrpc(process, log_path, database)


@contextlib.contextmanager
def running_rungrpc(
    directory: Path,
    *arguments: str,
    database: Database,
    settings: str = SETTINGS,
    bind: Sequence[str] = (f"{HOST}:0",),
    environment: dict[str, str] | None = None,
    faults: Sequence[str] = FAULTS,
    copy: bool = True,
) -> Iterator[Rungrpc]:
    """Runs a server until the end of the block, where it may have ended already.

    `database` is copied, or used itself where `copy` is false. Raises `ServerError` if it does not start, does not end
    by itself when told to, or has logged one of `faults`.
    """
    with copied_database(database, directory) if copy else contextlib.nullcontext(database) as own:
        server = start_rungrpc(
            directory, *arguments, database=own, settings=settings, bind=bind, environment=environment
        )
        try:
            wait_for(server, lambda: len(server.addresses) == len(bind))
            yield server
            if server.process.poll() is None and server.stop():
                raise ServerError(f"rungrpc ended with {server.process.returncode}.\n{server.log[-8000:]}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait()
    for fault in faults:
        if fault in server.log:
            raise ServerError(f"rungrpc has logged {fault!r}.\n{server.log[-8000:]}")


def wait_for(server: Rungrpc, condition: Callable[[], bool]) -> None:
    """Waits until something holds of a running server."""
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if server.process.poll() is not None or time.monotonic() > deadline:
            raise ServerError(f"rungrpc: what was waited for did not come.\n{server.log[-8000:]}")
        time.sleep(POLL_SECONDS)
