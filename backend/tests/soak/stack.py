"""All servers of the site on this machine, without Docker: database, gunicorn, rungrpc and Envoy in front of it.

They run with production's settings and configuration files, in a temporary directory, and end with the block:

    with running_stack(options) as stack:
        stack.web.kill()
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import envoy_config
import postgres
from tests.databases import Database, migrated_database
from tests.servers import ASGI, BACKEND_DIR, HOST
from tests.soak.caller import Route
from tests.soak.cluster import Cluster, running_cluster
from tests.soak.processes import Service, answers, free_port
from tests.soak.usage import Pids

GRACE_SECONDS = 3
"""How long a server that is told to end gives its calls. Streams never end by themselves."""

SETTINGS = "config.settings.prod"
DATA_SECONDS = 300.0
IN_PROCESS, ENVOY = "in-process", "Envoy"
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
SERVING = b"\0\0\0\0\2\x08\1"  # a message that says so, in its frame

_PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": SETTINGS,
    "DJANGO_SECRET_KEY": "only-for-a-soak-test-on-this-machine-and-long-enough-for-the-checks",
    "DJANGO_ALLOWED_HOSTS": HOST,
    "DJANGO_HTTPS": "0",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True)
class Plan:
    """Which servers there are."""

    web_workers: int = 2
    web_worker: str = ASGI
    has_envoy: bool = True
    """Whether rungrpc and Envoy are wanted. Without them all calls are answered in-process."""
    has_demo: bool = True
    """Whether the demo's orders are there, which takes some seconds."""
    settings: str = SETTINGS
    web_environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Stack:
    """Running servers. `grpc` and `envoy` are there together or not at all."""

    directory: Path
    environment: dict[str, str]
    web: Service
    web_port: int
    cluster: Cluster | None = None
    grpc: Service | None = None
    envoy: Service | None = None
    envoy_port: int = 0
    left_out: list[str] = field(default_factory=list)
    """What cannot be tried on this machine, in words."""

    @property
    def services(self) -> list[Service]:
        """The servers but for the database, in the order in which they start."""
        return [service for service in (self.web, self.grpc, self.envoy) if service is not None]

    def pids(self) -> dict[str, Pids]:
        """What the processes of each server are found by."""
        found: dict[str, Pids] = {service.name: service.pids for service in self.services}
        if self.cluster is not None:
            found["PostgreSQL"] = self.cluster.pids
        return found

    def routes(self) -> list[Route]:
        """Gives each way to the servers, in each mode."""
        places = [(IN_PROCESS, self.web_port)]
        if self.envoy is not None:
            places.append((ENVOY, self.envoy_port))
        return [Route(place, port, is_text) for place, port in places for is_text in (False, True)]

    def data(self, *words: str) -> Any:
        """Gives what a command of `data.py` prints."""
        return json.loads(self._run("-m", "tests.soak.data", *words))

    def _run(self, *words: str, **environment: str) -> bytes:
        return subprocess.run(
            [sys.executable, *words],
            cwd=BACKEND_DIR,
            env=os.environ | self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=True,
            timeout=DATA_SECONDS,
        ).stdout

    def seed(self) -> None:
        """Fills the demo shop. Production refuses to, so settings of a developer's machine are taken."""
        self._run("manage.py", "seed", DJANGO_SETTINGS_MODULE="config.settings.local")

    def faults(self) -> list[str]:
        """Gives what the servers have done or logged that they must not."""
        return [fault for service in self.services for fault in (*service.faults, *service.logged_faults())]


@contextlib.contextmanager
def running_stack(plan: Plan, database: Database | None = None) -> Iterator[Stack]:
    """Starts all servers on free ports and ends them, and leaves nothing behind.

    Without `database` it is that of DATABASE_URL, or a PostgreSQL that is started from an installed package, or SQLite.
    """
    with contextlib.ExitStack() as last:
        directory = Path(last.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        left_out: list[str] = []
        cluster = None
        if database is None:
            cluster = _cluster(last, left_out)
            database = last.enter_context(_database(directory, cluster))
        stack = _stack(plan, directory, database)
        stack.cluster, stack.left_out = cluster, left_out + stack.left_out
        if plan.has_demo:
            stack.seed()
        try:
            for service in stack.services:
                service.start()
            yield stack
        finally:
            for service in reversed(stack.services):
                service.stop()


def _cluster(last: contextlib.ExitStack, left_out: list[str]) -> Cluster | None:
    if os.environ.get("DATABASE_URL"):
        left_out.append("restarts of the database: DATABASE_URL names one that is not ours")
        return None
    programs = postgres.programs()
    if programs is None:
        left_out.append("PostgreSQL: no installed package was found, so all runs on SQLite")
        return None
    return last.enter_context(running_cluster(programs))


@contextlib.contextmanager
def _database(directory: Path, cluster: Cluster | None) -> Iterator[Database]:
    before = os.environ.get("DATABASE_URL")
    if cluster is not None:
        os.environ["DATABASE_URL"] = cluster.url  # where databases are made
    try:
        with migrated_database(directory) as database:
            yield database
    finally:
        if cluster is not None:
            os.environ.pop("DATABASE_URL")
        if before is not None:
            os.environ["DATABASE_URL"] = before


def _stack(plan: Plan, directory: Path, database: Database) -> Stack:
    environment = _PRODUCTION | {"DJANGO_SETTINGS_MODULE": plan.settings} | database.environment
    port = free_port()
    web = {
        "WEB_BIND": f"{HOST}:{port}",
        "WEB_CONCURRENCY": str(plan.web_workers),
        "WEB_GRACEFUL_TIMEOUT": str(GRACE_SECONDS),
        "WEB_WORKER": plan.web_worker,
        **plan.web_environment,
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py"]
    service = Service("web", command, environment | web, directory / "web.log", lambda _: answers(port))
    stack = Stack(directory, environment, service, port)
    if plan.has_envoy and not envoy_config.program():
        stack.left_out.append("rungrpc and Envoy: there is no envoy (make envoy installs it)")
    elif plan.has_envoy:
        _add_envoy(stack)
    return stack


def _add_envoy(stack: Stack) -> None:
    grpc_port, stack.envoy_port, admin_port = free_port(), free_port(), free_port()
    grpc, edge, admin, web = (f"{HOST}:{port}" for port in (grpc_port, stack.envoy_port, admin_port, stack.web_port))
    file = stack.directory / "envoy.yaml"
    file.write_text(envoy_config.configuration(admin, edge, web, grpc))
    stack.grpc = Service(
        "rungrpc",
        [sys.executable, "manage.py", "rungrpc", "--bind", grpc, "--grace", str(GRACE_SECONDS)],
        stack.environment,
        stack.directory / "rungrpc.log",
        lambda service: f"gRPC on {grpc}" in service.log_since_start(),
    )
    stack.envoy = Service(
        "Envoy",
        envoy_config.command(envoy_config.program(), file),
        {},
        stack.directory / "envoy.log",
        lambda _: answers(stack.envoy_port, HEALTH_CHECK, bytes(5), SERVING),
    )
