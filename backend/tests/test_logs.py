"""JSON logs of real servers: every line is an object, and one id leads from what a caller is told to all of them."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.contract.case import Call
from tests.contract.control import eventually
from tests.contract.grpc_web import MODES, GrpcWebTransport
from tests.contract.methods import FLAVOURS, METHODS, path
from tests.contract.native import NativeTransport, connect
from tests.databases import Database, copied_database
from tests.native_server.process import running_rungrpc
from tests.servers import BACKEND_DIR, KINDS, SIGNS_OF_FAULTS, Server, running_server

SETTINGS = "tests.contract.database_settings"
JSON = {"DJANGO_LOG_FORMAT": "json", "WEB_ACCESS_LOG": "1"}

BREAK = """
from django.db import connection
with connection.cursor() as cursor:
    for table in ("users_user", "django_session"):
        cursor.execute(f"ALTER TABLE {table} RENAME TO {table}_gone")
"""

ALWAYS = {"time": str, "level": str, "logger": str, "message": str, "process": int}
OF_A_CALL = {
    "method": str, "peer": str, "status": str, "duration_ms": float, "request_messages": int, "request_bytes": int,
    "response_messages": int, "response_bytes": int, "call": str,
}  # fmt: skip

Entry = dict[str, Any]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory, migrated: Database) -> Iterator[Database]:
    """A database in which tables are missing."""
    with copied_database(migrated, tmp_path_factory.mktemp("broken")) as database:
        subprocess.run(
            [sys.executable, "manage.py", "shell", "-v0", "-c", BREAK],
            cwd=BACKEND_DIR,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": SETTINGS} | database.environment,
            check=True,
            timeout=50,
        )
        yield database


@pytest.fixture(scope="module", params=KINDS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, broken: Database
) -> Iterator[Server]:
    """Each kind of server, with that database."""
    directory = tmp_path_factory.mktemp(f"logs-{request.param}")
    with running_server(request.param, directory, settings=SETTINGS, database=broken, environment=JSON) as server:
        yield server


def entries(log: str) -> list[Entry]:
    """Gives what all whole lines say. Raises for one that is no object."""
    found: list[Entry] = [json.loads(line) for line in log.splitlines(keepends=True) if line.endswith("\n")]
    for entry in found:
        assert {name: type(entry[name]) for name in ALWAYS} == ALWAYS, entry
        assert datetime.fromisoformat(entry["time"]).utcoffset() is not None
    return found


def entries_of(log: Any, key: str, value: str, count: int) -> list[Entry]:
    """Waits until so many entries have this value, and gives them by their logger's name."""
    found: list[Entry] = []

    def is_there() -> bool:
        found[:] = sorted((one for one in entries(log()) if one.get(key) == value), key=lambda one: one["logger"])
        return len(found) >= count

    assert eventually(is_there), log()
    return found


def assert_tells_of_the_call(log: Any, flavour: str, details: str | None) -> None:
    """Checks that the log has the failure and the call under the id that the caller was told."""
    # To SQLite a missing table is an operational error, after which one may try again; to PostgreSQL a mistake.
    told = re.fullmatch(
        r"(?:Exception calling application|Database not available) \(call ([0-9a-f]{32})\)", details or ""
    )
    assert told is not None, details
    failure, call = entries_of(log, "call", told[1], 2)
    method = path(flavour, "CountUsers")
    assert (failure["logger"], failure["level"]) == ("grpc_bridge", "ERROR")
    assert failure["message"] == f"{method} failed (call {told[1]})"
    assert "users_user" in failure["exception"]
    assert failure["exception"].startswith("Traceback (most recent call last)")
    assert (call["logger"], call["message"]) == ("grpc_bridge.calls", "call ended")
    assert {name: type(call[name]) for name in OF_A_CALL} == OF_A_CALL
    assert (call["method"], call["response_messages"]) == (method, 0)
    assert call["status"] in {code.name for code in FAILED}


FAILED = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE}
REQUEST = Call("CountUsers", [METHODS["CountUsers"].request()])


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("timeout", [None, 50.0], ids=["", "deadline"])
def test_a_call_whose_database_fails(server: Server, flavour: str, timeout: float | None) -> None:
    answer = GrpcWebTransport(server, MODES[0]).call(flavour, replace(REQUEST, timeout=timeout))
    assert answer.code in FAILED
    assert_tells_of_the_call(server.log, flavour, answer.details)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_native_call_whose_database_fails(tmp_path: Path, broken: Database, flavour: str) -> None:
    with (
        running_rungrpc(
            tmp_path, "--skip-checks", database=broken, settings=SETTINGS, environment=JSON, faults=SIGNS_OF_FAULTS
        ) as rungrpc,
        connect(rungrpc.address) as channel,
    ):
        answer = NativeTransport(channel).call(flavour, REQUEST)

        def log() -> str:
            """Without what is said to whoever has started it."""
            return re.sub(r"^gRPC on .*\n", "", rungrpc.log, flags=re.MULTILINE)

        assert_tells_of_the_call(log, flavour, answer.details)


def get(server: Server, path: str, **headers: str) -> http.client.HTTPResponse:
    """Asks for a page."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=50)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def test_a_view_whose_database_fails(server: Server) -> None:
    response = get(server, "/?secret=1", cookie=f"sessionid={'x' * 32}")
    assert response.status == 500
    failure, access = entries_of(server.log, "request_id", response.headers["X-Request-ID"], 2)
    assert (failure["logger"], failure["message"]) == ("django.request", "Internal Server Error: /")
    assert "django_session" in failure["exception"]
    assert (
        access.items()
        >= {
            "logger": "gunicorn.access",
            "message": "request ended",
            "peer": "127.0.0.1",
            "http_method": "GET",
            "path": "/",
            "http_status": 500,
        }.items()
    )
    assert (type(access["duration_ms"]), type(access["response_bytes"])) == (float, int)
    assert "secret" not in json.dumps(access)


def test_what_is_not_found(server: Server) -> None:
    response = get(server, "/nothing-here")
    access, warning = sorted(
        entries_of(server.log, "request_id", response.headers["X-Request-ID"], 2), key=lambda entry: entry["level"]
    )
    assert (warning["level"], warning["message"]) == ("WARNING", "Not Found: /nothing-here")
    assert warning["status_code"] == access["http_status"] == 404


def test_gunicorn_itself(server: Server) -> None:
    started = [entry for entry in entries(server.log()) if entry["logger"] == "gunicorn.error"]
    assert any(entry["message"].startswith("Listening at: ") and entry["level"] == "INFO" for entry in started)
