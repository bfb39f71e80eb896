"""Server processes that are started, hurt and started again on the same port, and what they use of the machine."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.servers import BACKEND_DIR, HOST, SIGNS_OF_FAULTS, START_SECONDS, ServerError

POLL_SECONDS = 0.05
STOP_SECONDS = 30.0
FIRST_PORT, LAST_PORT = 20_000, 29_999
"""Below the ports that systems give to outgoing connections: a server that is away for a moment finds its own free."""


def free_port() -> int:
    """Gives a port on which nobody listens."""
    for port in random.sample(range(FIRST_PORT, LAST_PORT), 200):
        with contextlib.suppress(OSError), socket.create_server((HOST, port)):
            return port
    raise ServerError("no free port was found")


def answers(port: int, path: str = "/healthz", body: bytes | None = None, begins: bytes = b"") -> bool:
    """Whether a GET, or a call of gRPC-Web, is answered with 200 and a body that begins so."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    headers = {} if body is None else {"content-type": "application/grpc-web+proto"}
    try:
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status == 200 and answer.read().startswith(begins)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Service:
    """One server, with whatever processes it consists of. All of them are in a session of their own."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log_path: Path,
        is_ready: Callable[[Service], bool],
    ) -> None:
        self.name = name
        self._command = list(command)
        self._environment = os.environ | dict(environment)
        self._log_path = log_path
        self._is_ready = is_ready
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self.faults: list[str] = []
        """What should not have happened to its processes."""

    def start(self) -> None:
        """Starts it and waits until it answers. Raises `ServerError`."""
        with self._log_path.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                self._command,
                cwd=BACKEND_DIR,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Waits until it answers. Raises `ServerError`."""
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready(self):
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                raise ServerError(f"{self.name} does not answer. The end of its log:\n{self.log()[-4000:]}")
            time.sleep(POLL_SECONDS)

    @property
    def pid(self) -> int:
        """The first process."""
        assert self._process is not None
        return self._process.pid

    def pids(self) -> list[int]:
        """The processes that there are now."""
        return [] if self._process is None else descendants(self._process.pid)

    def signal(self, number: int) -> None:
        """Sends a signal to the first process."""
        os.kill(self.pid, number)

    def stop(self) -> None:
        """Ends it politely. What does not end is killed, which is a fault."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.faults.append(f"{self.name} did not end within {STOP_SECONDS:g} s after SIGTERM")
        if self._process.poll() not in (0, -signal.SIGTERM):
            self.faults.append(f"{self.name} ended with {self._process.poll()}")
        self.kill()

    def kill(self) -> None:
        """Kills all its processes at once."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def log(self) -> str:
        """Gives what it has logged."""
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    def log_since_start(self) -> str:
        """Gives what it has logged since it was started last."""
        return self._log_path.read_bytes()[self._log_start :].decode("utf-8", errors="replace")

    def logged_faults(self) -> list[str]:
        """Gives what no server may ever log, with what stands around it."""
        log = self.log()
        found = [(sign, log.index(sign)) for sign in SIGNS_OF_FAULTS if sign in log]
        return [f"{self.name} has logged {sign!r}: {log[max(at - 500, 0) : at + 500]}" for sign, at in found]


def descendants(pid: int) -> list[int]:
    """Gives a process and all that it has started, as Linux knows them; itself alone elsewhere."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (thread / "children").read_text().split()]
    return found
