"""Fixtures for tests against real servers: each kind of server runs once a session, and shows its log on failure."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

import pytest

from tests.databases import NO_DATABASE
from tests.servers import ASGI, KINDS, WSGI, Server, running_server

SETTINGS = "tests.contract.settings"
LOG_SHOWN_CHARACTERS = 20_000
SERVER_AT_START = pytest.StashKey[tuple[Server, int]]()


@pytest.fixture(scope="session")
def asgi_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """gunicorn with its asgi worker."""
    with running_server(ASGI, tmp_path_factory.mktemp(ASGI), settings=SETTINGS, database=NO_DATABASE) as server:
        yield server


@pytest.fixture(scope="session")
def wsgi_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """gunicorn with its gthread worker."""
    with running_server(WSGI, tmp_path_factory.mktemp(WSGI), settings=SETTINGS, database=NO_DATABASE) as server:
        yield server


@pytest.fixture
def server_of_kind(request: pytest.FixtureRequest) -> Callable[[str], Server]:
    """Gives the running server of one of `KINDS`."""

    def get(kind: str) -> Server:
        server: Server = request.getfixturevalue("asgi_server" if kind == ASGI else "wsgi_server")
        request.node.stash[SERVER_AT_START] = server, server.log_size()
        return server

    return get


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, server_of_kind: Callable[[str], Server]) -> Server:
    """Each server in turn."""
    return server_of_kind(request.param)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds what the server has logged during a test to the report of its failure."""
    report = yield
    if report.failed and SERVER_AT_START in item.stash:
        server, start = item.stash[SERVER_AT_START]
        report.sections.append((f"log of the {server.kind} server", server.log(start)[-LOG_SHOWN_CHARACTERS:]))
    return report
