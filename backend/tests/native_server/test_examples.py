"""Every example runs, and prints what it promises."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.databases import Database
from tests.envoy_process import Envoy, running_envoy
from tests.native_server.conftest import Certificates
from tests.native_server.process import Rungrpc, running_rungrpc
from tests.servers import ASGI, BACKEND_DIR, Server, running_server

EXAMPLES = sorted(path.stem for path in (BACKEND_DIR / "examples").glob("*.py"))
NO_EXAMPLES = {"__init__", "client"}
SETTINGS = "config.settings.test"

ADD_USER_WITH_TOKEN = """
from services.users import logic
from services.users.models import User
print(logic.create_token(User.objects.create_user("robot@example.com"), "example", 1)[1])
"""

Run = Callable[..., list[str]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, migrated: Database) -> Iterator[Rungrpc]:
    """The server of this project, without anything from the tests."""
    with running_rungrpc(tmp_path_factory.mktemp("examples"), database=migrated, settings=SETTINGS) as server:
        yield server


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory, server: Rungrpc) -> Iterator[Envoy]:
    """Envoy before it."""
    with running_envoy(tmp_path_factory.mktemp("examples-envoy"), grpc=server.address) as envoy:
        yield envoy


@pytest.fixture(params=["direct", "envoy"])
def address(request: pytest.FixtureRequest, server: Rungrpc) -> str:
    """The server, and the way through Envoy."""
    return server.address if request.param == "direct" else request.getfixturevalue("envoy").edge


@pytest.fixture(scope="module")
def tls_server(
    tmp_path_factory: pytest.TempPathFactory, migrated: Database, certificates: Certificates
) -> Iterator[Rungrpc]:
    """The same with a certificate."""
    arguments = ("--tls-cert", str(certificates.server_cert), "--tls-key", str(certificates.server_key))
    directory = tmp_path_factory.mktemp("examples-tls")
    with running_rungrpc(directory, *arguments, database=migrated, settings=SETTINGS) as server:
        yield server


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, migrated: Database) -> Iterator[Server]:
    """The site, served as in production."""
    with running_server(ASGI, tmp_path_factory.mktemp("site"), settings=SETTINGS, database=migrated) as server:
        yield server


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs an example as `python -m` does, and gives the lines that it prints."""

    def run_example(name: str, address: str, *arguments: object) -> list[str]:
        monkeypatch.setattr(sys, "argv", [name, "--address", address, *map(str, arguments)])
        monkeypatch.delitem(sys.modules, f"examples.{name}", raising=False)  # another example may have imported it
        runpy.run_module(f"examples.{name}", run_name="__main__", alter_sys=True)
        return capsys.readouterr().out.splitlines()

    return run_example


def test_unary(run: Run, address: str) -> None:
    assert run("unary", address)[0] == "Hello"


def test_streaming(run: Run, address: str) -> None:
    assert run("streaming", address) == [
        "unary: Hello",
        *(f"server streaming: {number} tick" for number in (1, 2, 3)),
        "client streaming: 3 messages",
        *("full duplex: 1 ping", "full duplex: 2 ping!", "full duplex: 3 ping!!"),
        *("half duplex: 1 one", "half duplex: 2 two", "half duplex: 3 three"),
        "cancelled after: 1",
    ]


def test_asynchronous(run: Run, address: str) -> None:
    assert run("asynchronous", address) == [
        f"side by side: {sum(range(20))}",
        *("full duplex: 1 one", "full duplex: 2 two", "full duplex: 3 three"),
    ]


def test_deadlines(run: Run, address: str) -> None:
    ready, in_time, *messages, late = run("deadlines", address)
    assert (ready, in_time) == ("ready", "in time")
    assert messages in (["message 1"], [])  # on a machine that is busy nothing may have come by then
    assert late.startswith("DEADLINE_EXCEEDED after ")


def test_retries(run: Run, server: Rungrpc, address: str) -> None:
    start = len(server.log)
    assert run("retries", address) == ["still UNAVAILABLE"]
    lines = [line for line in server.log[start:].splitlines() if "EchoAbort" in line and "status=UNAVAILABLE" in line]
    assert len(lines) == 4


def test_keepalive(run: Run, address: str) -> None:
    assert run("keepalive", address) == ["before the silence", "after the silence"]


def test_compression(run: Run, address: str) -> None:
    assert run("compression", address) == ["compressed: True", "as it is: True"]


def test_interceptors(run: Run, address: str) -> None:
    unary, stream = run("interceptors", address)
    assert unary.startswith("/echo.v1.EchoService/Echo OK ")
    assert stream.startswith("/echo.v1.EchoService/ServerStreamingEcho OK ")


def test_error_details(run: Run, address: str) -> None:
    assert run("error_details", address) == [
        "FAILED_PRECONDITION: not now",
        "ABORT_ASKED_FOR in echo.v1.EchoService: {'message_count': '0'}",
    ]


def test_tls(run: Run, tls_server: Rungrpc, certificates: Certificates) -> None:
    assert run("tls", tls_server.address, "--ca", certificates.ca) == ["Nobody else reads this"]


def test_mutual_tls(run: Run, tmp_path: Path, migrated: Database, certificates: Certificates) -> None:
    arguments = (
        *("--tls-cert", str(certificates.server_cert), "--tls-key", str(certificates.server_key)),
        *("--tls-client-ca", str(certificates.ca)),
    )
    with running_rungrpc(tmp_path, *arguments, database=migrated, settings=SETTINGS) as server:
        given = ("--ca", certificates.ca, "--cert", certificates.client_cert, "--key", certificates.client_key)
        assert run("mutual_tls", server.address, *given) == ["We know each other"]


def test_tokens(run: Run, tls_server: Rungrpc, certificates: Certificates) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", ADD_USER_WITH_TOKEN],
        cwd=BACKEND_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": SETTINGS} | tls_server.database.environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run("tokens", tls_server.address, "--ca", certificates.ca, "--token", done.stdout.strip()) == [
        "called as robot@example.com",
        "refused: UNAUTHENTICATED",
    ]


def test_grpc_web(run: Run, site: Server) -> None:
    assert run("grpc_web", site.authority) == [
        "unary: Hello",
        *(f"server streaming: {number} tick" for number in (1, 2, 3)),
        "client streaming: 3 messages",
        *("half duplex: 1 one", "half duplex: 2 two", "half duplex: 3 three"),
        "cancelled after: 1",
        "NOT_FOUND: no such thing",
        f"side by side: {sum(range(20))}",
    ]


def test_every_example_is_tested() -> None:
    assert {name for name in globals() if name.startswith("test_")} >= {
        f"test_{name}" for name in EXAMPLES if name not in NO_EXAMPLES
    }
