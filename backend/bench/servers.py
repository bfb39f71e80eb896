"""The servers that are measured: one process that answers, or Envoy and one behind it, all on one core."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from bench import machine
from bench.envoy import envoy_configuration
from bench.wire import HOST

BACKEND_DIR = Path(__file__).resolve().parent.parent
THREADS = 8
"""Of servers that answer in threads."""

START_SECONDS = 40.0
STOP_SECONDS = 5.0


class ServerError(Exception):
    """A server does not run."""


class Running(NamedTuple):
    """A server that answers."""

    port: int
    pids: Mapping[str, int]
    """By what the processes are: `server`, and `envoy` before it."""

    def cpu_seconds(self, part: str | None = None) -> float:
        """Gives the time that the server, or one part of it, has had so far."""
        return machine.cpu_seconds(self.pids.values() if part is None else (self.pids[part],))

    def resident_bytes(self) -> int:
        """Gives the memory that it has now."""
        return machine.resident_bytes(self.pids.values())


def envoy_program() -> str | None:
    """Gives Envoy's program, None where there is none for this machine."""
    beside = Path(sys.executable).with_name("envoy")
    return str(beside) if beside.exists() else shutil.which("envoy")


class Launcher:
    """Starts servers, and ends all of them when it is left."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = contextlib.ExitStack()
        self._number = 0

    def __enter__(self) -> Launcher:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def group(self) -> Iterator[Launcher]:
        """Gives a launcher whose servers end before those of this one."""
        with Launcher(self._directory) as inner:
            inner._number = self._number + 1000
            yield inner

    def start(self, kind: str, application: str, environment: Mapping[str, str] | None = None) -> Running:
        """Starts a server of one of the kinds below. Raises `ServerError` if it does not answer."""
        if kind.startswith("envoy"):
            return self._start_envoy(kind.removeprefix("envoy+"))
        with socket.create_server((HOST, 0), backlog=2048) as listener:
            port = listener.getsockname()[1]
            if kind in _TAKE_A_SOCKET:
                command = _TAKE_A_SOCKET[kind](listener.fileno(), application)
                process = self._spawn(command, environment or {}, listener.fileno())
        if kind not in _TAKE_A_SOCKET:
            process = self._spawn(_TAKE_A_PORT[kind](port, application), environment or {})
        self._wait_until_answering(process, port)
        return Running(port, {"server": process.pid})

    def _start_envoy(self, kind: str) -> Running:
        program = envoy_program()
        if program is None:
            raise ServerError("there is no Envoy for this machine")
        port, server_port = _free_port(), _free_port()
        server = self._spawn([sys.executable, "-m", "bench.apps.native", kind, str(server_port)], {})
        self._wait_until_answering(server, server_port)
        path = self._directory / f"envoy-{port}.json"
        path.write_text(json.dumps(envoy_configuration(port, server_port)))
        command = [program, "-c", str(path), "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
        envoy = self._spawn(command, {})
        self._wait_until_answering(envoy, port)
        return Running(port, {"envoy": envoy.pid, "server": server.pid})

    def _spawn(
        self, command: list[str], environment: Mapping[str, str], listener: int | None = None
    ) -> subprocess.Popen[bytes]:
        self._number += 1
        with (self._directory / f"server-{self._number}.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                command,
                cwd=BACKEND_DIR,
                env=server_environment() | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=() if listener is None else (listener,),
                start_new_session=True,
                preexec_fn=machine.bind_server,  # noqa: PLW1509 - there are no threads here
            )
        self._stack.callback(_stop, process)
        return process

    def _wait_until_answering(self, process: subprocess.Popen[bytes], port: int) -> None:
        """Answering is accepting: a listening socket accepts at once, so that the first call waits for the rest."""
        end = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1.0):
                return
            time.sleep(0.02)
        log = (self._directory / f"server-{self._number}.log").read_text(errors="replace")
        raise ServerError(f"{process.args!r} does not run:\n{log[-4000:]}")


def server_environment() -> dict[str, str]:
    """Gives the environment of servers and of what prepares them: nothing of a developer's settings reaches them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WEB_", "GUNICORN_", "DJANGO_"))}
    kept |= {name: os.environ[name] for name in ("DJANGO_SQLITE_PATH",) if name in os.environ}
    return kept | {"DJANGO_SETTINGS_MODULE": "bench.settings", "PYTHONDONTWRITEBYTECODE": "1"}


def _gunicorn(worker: str, listener: int, application: str) -> list[str]:
    return [
        "/usr/bin/env", f"WEB_BIND=fd://{listener}", f"WEB_WORKER={worker}", f"WEB_THREADS={THREADS}",
        "WEB_CONCURRENCY=1", "WEB_LOG_LEVEL=warning", "WEB_GRACEFUL_TIMEOUT=1",
        sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py", application,
    ]  # fmt: skip


def _uvicorn(port: int, application: str) -> list[str]:
    # By port, because it takes an inherited socket for a Unix one and leaves out TCP_NODELAY.
    return [
        sys.executable, "-m", "uvicorn", "--host", HOST, "--port", str(port), "--loop", "uvloop", "--http", "httptools",
        "--lifespan", "off", "--no-access-log", "--log-level", "warning", application,
    ]  # fmt: skip


def _granian(interface: str, port: int, application: str) -> list[str]:
    threads = ["--blocking-threads", str(THREADS)] if interface == "wsgi" else []
    return [
        sys.executable, "-m", "granian", "--interface", interface, "--host", HOST, "--port", str(port),
        "--workers", "1", "--runtime-threads", "1", "--no-ws", "--log-level", "warning", *threads, application,
    ]  # fmt: skip


_TAKE_A_SOCKET: dict[str, Callable[[int, str], list[str]]] = {
    "gthread": lambda listener, application: _gunicorn("gthread", listener, application),
    "gunicorn-asgi": lambda listener, application: _gunicorn("asgi", listener, application),
}
_TAKE_A_PORT: dict[str, Callable[[int, str], list[str]]] = {
    "uvicorn": _uvicorn,
    "granian-wsgi": lambda port, application: _granian("wsgi", port, application),
    "granian-asgi": lambda port, application: _granian("asginl", port, application),
}


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _stop(process: subprocess.Popen[bytes]) -> None:
    """With all that it has started: they are in its session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError, subprocess.TimeoutExpired):
            os.killpg(process.pid, number)
            process.wait(STOP_SECONDS)
            if number == signal.SIGKILL:
                return
    process.wait()
