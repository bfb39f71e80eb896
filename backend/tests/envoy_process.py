"""A real Envoy for tests: with envoy/envoy.yaml on free ports of 127.0.0.1, ended within seconds.

with running_envoy(directory, web=server.authority, grpc=rungrpc.address) as envoy:
    grpc.insecure_channel(envoy.edge)
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import envoy_config
from machine import has_envoy_wheel
from tests.servers import HOST, START_SECONDS, STOP_SECONDS, ServerError

FREE = f"{HOST}:0"
NOBODY = f"{HOST}:9"
"""Where nothing listens: only servers of the system get such ports."""

POLL_SECONDS = 0.02
READ_SECONDS = 5.0
FLUSH_MS = 50
CONCURRENCY = 2
"""Threads, as on a small machine. Each has connections of its own to the servers."""


@contextlib.contextmanager
def reserved_address() -> Iterator[str]:
    """Gives an address that nobody else gets until the end of the block, for an Envoy that others hear of before."""
    with socket.socket() as holder:
        if (
            sys.platform == "linux"
        ):  # where Envoy sets this as well, and so may listen beside somebody who is only bound
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((HOST, 0))
        address = f"{HOST}:{holder.getsockname()[1]}"
        if sys.platform != "linux":
            holder.close()
        yield address


def program() -> str:
    """Gives Envoy. Skips the test on a machine for which there is none, and fails it on one where it is missing."""
    found = envoy_config.program()
    if not found and has_envoy_wheel():
        pytest.fail("Envoy is missing: make tools installs it", pytrace=False)
    if not found:
        pytest.skip("there is no wheel of Envoy for this machine, and no envoy on the PATH")
    return found


@dataclass(frozen=True)
class Envoy:
    """A running Envoy. Addresses are HOST:PORT."""

    process: subprocess.Popen[bytes]
    log_path: Path
    admin: str
    edge: str
    in_process: str

    @property
    def log(self) -> str:
        """Gives what it has written so far, its access log included."""
        return self.log_path.read_text(errors="replace")

    def access(self, path: str) -> list[str]:
        """Waits until a request for this path is in the access log, and gives the lines of all there are."""
        self.wait_for(lambda: f" {path} " in self.log)
        return [line for line in self.log.splitlines() if f" {path} " in line]

    def ask(self, path: str) -> str:
        """Gives what its admin says."""
        return _ask(self.admin, path)

    def is_healthy(self, cluster: str) -> bool:
        """Whether all servers of a cluster are healthy, and there is one."""
        flags = [
            line for line in self.ask("/clusters").splitlines() if f"{cluster}::" in line and "health_flags" in line
        ]
        return bool(flags) and all(line.endswith("::healthy") for line in flags)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Waits until something holds. Raises `ServerError` if it does not within `START_SECONDS`."""
        _wait_for(self.process, self.log_path, condition)


@contextlib.contextmanager
def running_envoy(
    directory: Path, *, web: str = NOBODY, grpc: str, edge: str = FREE, replica: str = ""
) -> Iterator[Envoy]:
    """Runs Envoy before these servers, which run already, until the end of the block. `edge` is where it listens,
    `replica` another server of `web`.

    Raises `ServerError` if it does not start, or does not end by itself when told to.
    """
    directory.mkdir(parents=True, exist_ok=True)
    config, admin, log_path = directory / "envoy.yaml", directory / "admin", directory / "envoy.log"
    config.write_text(_with_replica(envoy_config.configuration(FREE, edge, web, grpc, in_process=FREE), web, replica))
    command = [
        *envoy_config.command(program(), config, FLUSH_MS),
        *("--concurrency", str(CONCURRENCY), "--admin-address-path", str(admin)),
    ]
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _wait_for(process, log_path, lambda: admin.exists() and _ports(admin.read_text()) != {})
        address = admin.read_text()
        envoy = Envoy(process, log_path, address, **_ports(address))
        envoy.wait_for(lambda: envoy.is_healthy("grpc") and (web == NOBODY or envoy.is_healthy("web")))
        yield envoy
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            if process.wait(STOP_SECONDS):
                raise ServerError(f"Envoy ended with {process.returncode}.\n{envoy.log[-8000:]}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _with_replica(text: str, web: str, replica: str) -> str:
    if not replica:
        return text
    line = re.compile(rf"( +)- endpoint:\n.*\n.*{_place(web)}.*\n")
    changed, count = line.subn(lambda found: found[0] + found[0].replace(_place(web), _place(replica)), text)
    assert count == 1, "web has one endpoint"
    return changed


def _place(address: str) -> str:
    host, _, port = address.rpartition(":")
    return f"address: {host}, port_value: {port} "


def _ask(admin: str, path: str) -> str:
    with urllib.request.urlopen(f"http://{admin}{path}", timeout=READ_SECONDS) as answer:
        text: str = answer.read().decode()
        return text


def _ports(admin: str) -> dict[str, str]:
    """Gives the addresses of the listeners by their names, once there are any."""
    try:
        listeners: list[dict[str, Any]] = json.loads(_ask(admin, "/listeners?format=json")).get("listener_statuses", [])
    except OSError:
        return {}
    sockets = {one["name"]: one["local_address"]["socket_address"] for one in listeners}
    return {name: f"{socket['address']}:{socket['port_value']}" for name, socket in sockets.items()}


def _wait_for(process: subprocess.Popen[bytes], log_path: Path, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            raise ServerError(f"Envoy: what was waited for did not come.\n{log_path.read_text()[-8000:]}")
        time.sleep(POLL_SECONDS)
