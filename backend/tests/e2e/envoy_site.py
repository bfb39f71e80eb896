"""The site as `make envoy` serves it: Envoy, gunicorn and rungrpc with one database; the page knows both origins."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.databases import Database, copied_database
from tests.envoy_process import Envoy, reserved_address, running_envoy
from tests.native_server.process import Rungrpc, running_rungrpc
from tests.servers import ASGI, SIGNS_OF_FAULTS, Server, gunicorn, running_program

ENVOY = "envoy"


@dataclass(frozen=True, kw_only=True)
class EnvoySite(Server):
    """Envoy's edge, as specs know servers. Its handlers run in rungrpc, whose log this is."""

    in_process: Server
    rungrpc: Rungrpc
    envoy: Envoy

    @property
    def is_asgi(self) -> bool:
        """grpcio tells a handler at once that its caller has gone."""
        return True


def origins(web: str, edge: str) -> dict[str, str]:
    """Gives the environment by which the page knows both ways."""
    return {"WEB_IN_PROCESS_URL": f"http://{web}", "WEB_ENVOY_URL": f"http://{edge}"}


@contextlib.contextmanager
def running_site(directory: Path, migrated: Database, settings: str) -> Iterator[EnvoySite]:
    """Runs all of it until the end of the block. `migrated` is copied."""

    def environment(listener: int) -> dict[str, str]:
        with socket.fromfd(listener, socket.AF_INET, socket.SOCK_STREAM) as own:
            host, port = own.getsockname()
        return program.environment(listener) | origins(f"{host}:{port}", edge)

    program = gunicorn(ASGI)
    (directory / "grpc").mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        edge = stack.enter_context(reserved_address())
        database = stack.enter_context(copied_database(migrated, directory))
        web = stack.enter_context(
            running_program(
                replace(program, environment=environment),
                directory / "web",
                settings=settings,
                database=database,
                copy=False,
            )
        )
        rungrpc = stack.enter_context(
            running_rungrpc(
                directory / "grpc",
                database=database,
                settings=settings,
                environment=origins(web.authority, edge),
                faults=SIGNS_OF_FAULTS,
                copy=False,
            )
        )
        envoy = stack.enter_context(
            running_envoy(directory / "envoy", web=web.authority, grpc=rungrpc.address, edge=edge)
        )
        host, _, port = edge.rpartition(":")
        yield EnvoySite(
            ENVOY, int(port), web.pid, rungrpc.log_path, database, host, in_process=web, rungrpc=rungrpc, envoy=envoy
        )
