"""`manage.py runserver` serves RPCs too: it takes the project's WSGI application."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from tests.contract.case import Call
from tests.contract.control import eventually
from tests.contract.grpc_web import GrpcWebTransport, Mode
from tests.contract.http_client import Connection
from tests.databases import NO_DATABASE
from tests.servers import BACKEND_DIR, HOST, STOP_SECONDS, Server

STARTED = re.compile(r"Starting development server at http://127\.0\.0\.1:(\d+)/")


@pytest.fixture(scope="module")
def runserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The development server, on a port that is free."""
    yield from running(tmp_path_factory.mktemp("runserver") / "server.log")


def running(log_path: Path) -> Iterator[Server]:
    """Gives the server and ends it."""
    settings = {"DJANGO_SETTINGS_MODULE": "tests.contract.settings", "PYTHONUNBUFFERED": "1"}
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "runserver", f"{HOST}:0", "--noreload"],
            cwd=BACKEND_DIR, env=os.environ | settings, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        assert eventually(lambda: STARTED.search(log_path.read_text()) is not None, 60), log_path.read_text()
        started = STARTED.search(log_path.read_text())
        assert started is not None
        yield Server("runserver", int(started[1]), process.pid, log_path, NO_DATABASE)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)
    assert "Traceback" not in log_path.read_text()


@pytest.fixture
def transport(runserver: Server, mode: Mode) -> GrpcWebTransport:
    """The development server in each mode."""
    return GrpcWebTransport(runserver, mode)


def test_a_unary_call(transport: GrpcWebTransport, flavour: str) -> None:
    answer = transport.call(flavour, Call("Echo", [StringValue(value="hello")]))
    assert (answer.code, answer.messages) == (grpc.StatusCode.OK, (StringValue(value="hello"),))


def test_a_stream(transport: GrpcWebTransport, flavour: str) -> None:
    answer = transport.call(flavour, Call("Repeat", [Int32Value(value=3)]))
    assert (answer.code, len(answer.messages)) == (grpc.StatusCode.OK, 3)


def test_messages_come_one_by_one(transport: GrpcWebTransport, flavour: str, key: str) -> None:
    with transport.open(flavour, "Tick") as call:
        call.send_whole([StringValue(value=key)])
        messages = iter(call.reply())
        assert next(messages)
        assert next(messages)


def test_a_deadline(transport: GrpcWebTransport, flavour: str, key: str) -> None:
    answer = transport.call(flavour, Call("Wait", [StringValue(value=key)], timeout=0.1))
    assert answer.code is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_page(runserver: Server) -> None:
    with Connection(runserver) as connection:
        connection.send_head("GET", "/healthz", [])
        assert connection.response("GET").status == 200
