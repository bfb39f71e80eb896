"""Real server processes for tests: started on a free port, watched through their log, ended within seconds.

    with running_server(ASGI, directory, settings="tests.contract.settings") as server:
        http.client.HTTPConnection(server.host, server.port)

gunicorn's processes read the same configuration as production; `other_servers.py` has other servers. Each process has a
database of its own, migrated before it starts.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.databases import Database, copied_database, migrated_database

BACKEND_DIR = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"

ASGI = "asgi"
WSGI = "gthread"
KINDS = (ASGI, WSGI)
"""gunicorn's worker classes: the first serves `config.asgi`, the second `config.wsgi`."""

WSGI_THREADS = 32

START_SECONDS = 60.0
"""How long a server may take to answer its first request. A loaded machine imports slowly."""

STOP_SECONDS = 15.0
"""How long a server may take to end after SIGTERM, of which open calls get `GRACEFUL_SECONDS`."""

GRACEFUL_SECONDS = 3

SIGNS_OF_FAULTS = (
    "was never awaited",
    "was never retrieved",
    "Task was destroyed",
    "ResourceWarning",
    "RuntimeWarning",
    "WORKER TIMEOUT",
    "ASGI callable returned without",
)
"""What no server may ever log, whatever its callers do."""


@dataclass(frozen=True)
class Program:
    """How a server is started on a socket that is handed to it. `tls` checks its certificate, where it has one."""

    name: str
    command: Callable[[int], list[str]]
    """Gives the command, by the socket's file descriptor."""
    environment: Callable[[int], dict[str, str]] = lambda _: {}
    """Gives what the environment has beside that of the tests."""
    tls: ssl.SSLContext | None = None


class ServerError(Exception):
    """A server did not start, did not end or logged what it must not. The text has the log's end."""


@dataclass(frozen=True)
class Server:
    """A running server. `pid` is gunicorn's master process, whose child is the worker."""

    kind: str
    port: int
    pid: int
    log_path: Path
    database: Database
    host: str = HOST
    tls: ssl.SSLContext | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, as `socket.create_connection` takes them."""
        return self.host, self.port

    @property
    def authority(self) -> str:
        """Host and port as text, as `grpc.insecure_channel` takes them."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address of the site, without a slash at its end."""
        return f"http://{self.host}:{self.port}"

    @property
    def is_asgi(self) -> bool:
        """Whether the ASGI application is served."""
        return self.kind == ASGI

    @property
    def worker_pid(self) -> int:
        """The process that answers requests, by what gunicorn has logged."""
        return int(re.findall(r"Booting worker with pid: (\d+)", self.log())[-1])

    def log(self, start: int = 0) -> str:
        """Gives what the server has logged, from the byte `start` on."""
        return self.log_path.read_bytes()[start:].decode("utf-8", errors="replace")

    def log_size(self) -> int:
        """Gives the size of the log in bytes: what is logged later begins there."""
        return self.log_path.stat().st_size


def gunicorn(kind: str, workers: int = 1, environment: Mapping[str, str] = MappingProxyType({})) -> Program:
    """gunicorn with a worker class, as in production. `environment` has what is not as for all tests."""
    return Program(
        kind,
        lambda _: [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py"],
        lambda listener: {
            "WEB_BIND": f"fd://{listener}",
            "WEB_CONCURRENCY": str(workers),
            "WEB_GRACEFUL_TIMEOUT": str(GRACEFUL_SECONDS),
            "WEB_H2C": "1",
            "WEB_THREADS": str(WSGI_THREADS),
            "WEB_WORKER": kind,
            **environment,
        },
    )


def running_server(
    kind: str,
    directory: Path,
    *,
    settings: str = "config.settings.test",
    database: Database | None = None,
    port: int = 0,
    workers: int = 1,
    copy: bool = True,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> contextlib.AbstractContextManager[Server]:
    """Runs gunicorn with a worker class of `KINDS`, as `running_program` does."""
    program = gunicorn(kind, workers, environment)
    return running_program(program, directory, settings=settings, database=database, port=port, copy=copy)


@contextlib.contextmanager
def running_program(
    program: Program,
    directory: Path,
    *,
    settings: str,
    database: Database | None = None,
    port: int = 0,
    copy: bool = True,
) -> Iterator[Server]:
    """Starts a server and ends it. `directory` gets its log, and its database if that is a file.

    `database` is copied, so that servers may start from the same one, or used itself where `copy` is false. `port` is
    that of a server which has ended and is to come back; 0 takes a free one. Raises `ServerError` if the server does
    not start, does not end by itself when told to, ends with a failure, or has logged one of `SIGNS_OF_FAULTS`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    log_path = directory / "server.log"
    with contextlib.ExitStack() as stack:
        if database is None:
            own = stack.enter_context(migrated_database(directory, settings))
        else:
            own = stack.enter_context(copied_database(database, directory)) if copy else database
        with log_path.open("ab") as log, socket.create_server((HOST, port), backlog=128) as listener:
            port = listener.getsockname()[1]
            process = _spawn(program, listener, log, settings, own)
        server = Server(program.name, port, process.pid, log_path, own, tls=program.tls)
        try:
            _wait_until_answering(server, process)
            yield server
        finally:
            killed = _stop(process)
        _check_end(server, process, killed)


def _spawn(
    program: Program, listener: socket.socket, log: object, settings: str, database: Database
) -> subprocess.Popen[bytes]:
    """The socket is handed over listening, so the port cannot be taken by somebody else in between."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("WEB_", "GUNICORN_"))}
    environment |= {
        "DJANGO_SETTINGS_MODULE": settings,
        "PYTHONUNBUFFERED": "1",
        # gunicorn leaves a copy of the socket that it is handed to the garbage collection, and the heartbeat file of a
        # worker that it had to end, because a browser kept its connections open, to the end of the process.
        "PYTHONWARNINGS": "default,ignore::ResourceWarning:gunicorn.arbiter,ignore:unclosed file:ResourceWarning:sys",
        **database.environment,
    }
    return subprocess.Popen(
        program.command(listener.fileno()),
        cwd=BACKEND_DIR,
        env=environment | program.environment(listener.fileno()),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        pass_fds=[listener.fileno()],
        start_new_session=True,  # Ctrl-C in the terminal is for pytest, which then ends the server
    )


def _wait_until_answering(server: Server, process: subprocess.Popen[bytes]) -> None:
    """Connections wait in the socket's queue until the worker runs, and are reset when the process ends."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        seconds = deadline - time.monotonic()
        connection = (
            http.client.HTTPConnection(server.host, server.port, timeout=seconds)
            if server.tls is None
            else http.client.HTTPSConnection(server.host, server.port, timeout=seconds, context=server.tls)
        )
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
        finally:
            connection.close()
    _kill(process)
    raise ServerError(f"The {server.kind} server did not start.\n{_tail(server)}")


def _stop(process: subprocess.Popen[bytes]) -> bool:
    """Gives whether the process had to be killed."""
    if process.poll() is not None:
        return False
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        _kill(process)
        return True
    return False


def _kill(process: subprocess.Popen[bytes]) -> None:
    """With the workers: they are in the session that the process was started in."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _check_end(server: Server, process: subprocess.Popen[bytes], killed: bool) -> None:
    if killed:
        raise ServerError(f"The {server.kind} server did not end after SIGTERM and was killed.\n{_tail(server)}")
    if process.returncode not in (0, -signal.SIGTERM):  # some servers end by the signal itself, after all else
        raise ServerError(f"The {server.kind} server ended with {process.returncode}.\n{_tail(server)}")
    log = server.log()
    for sign in SIGNS_OF_FAULTS:
        if sign in log:
            start = max(log.index(sign) - 2000, 0)
            raise ServerError(f"The {server.kind} server has logged {sign!r}:\n{log[start : start + 4000]}")


def _tail(server: Server, characters: int = 8000) -> str:
    return f"The end of its log, {server.log_path}:\n{server.log()[-characters:]}"
