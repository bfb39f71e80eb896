"""Fixtures of the browser tests: how Chromium starts, which server it talks to, and what no page may ever do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

import browser as chromium_finder
from tests.conftest import SERVER_AT_START
from tests.databases import Database, migrated_database
from tests.e2e.echo_page import EchoPage
from tests.e2e.envoy_site import ENVOY, running_site
from tests.e2e.server_log import ServerLog
from tests.e2e.site_page import SitePage
from tests.e2e.witness import Witness
from tests.servers import ASGI, BACKEND_DIR, KINDS, WSGI, Server, running_server

FRONTEND_DIR = BACKEND_DIR.parent / "frontend"

SETTINGS = "tests.e2e.server_settings"

MANAGE_SECONDS = 60.0

EXPECT_MS = 15_000
"""How long a browser on a loaded machine may take to show what it should. Passing tests never wait for it."""

TEST_SECONDS = 180
"""How long a test may take. The first one of a worker waits for a database with demo data, a server and a browser."""

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",  # root in a container has no sandbox
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

OUTPUT_DEFAULTS = {
    "output": ("test-results", str(BACKEND_DIR / "test-results")),
    "screenshot": ("off", "only-on-failure"),
}
"""Options of pytest-playwright, their defaults, and ours. The folder is ignored by git and watched by nobody."""

ARTIFACTS = pytest.StashKey[TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Keeps what is needed to understand a failure."""
    expect.set_options(timeout=EXPECT_MS)
    for name, (default, value) in OUTPUT_DEFAULTS.items():
        if getattr(config.option, name) == default:
            setattr(config.option, name, value)
    if not hasattr(config, "workerinput"):  # which pytest-xdist gives its workers
        shutil.rmtree(config.option.output, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)  # before `-m` looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests here and puts them last.

    Playwright keeps an event loop running in the main thread from its first use to the end of the session, in which no
    async test and no synchronous query of Django's can run.
    """
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("e2e")
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))
            if "site" in getattr(item, "fixturenames", ()):  # a window of the panels whose calls use the database
                item.add_marker("database")
    items.sort(key=lambda item: here in item.path.parents)


@pytest.fixture(scope="session")
def delete_output_dir() -> None:
    """Done by `pytest_configure`: a worker that begins late must not delete what another has left there."""


@pytest.fixture(scope="session")
def _pw_artifacts_folder(
    _pw_artifacts_folder: TemporaryDirectory[str], pytestconfig: pytest.Config
) -> TemporaryDirectory[str]:
    """pytest-playwright's, which it deletes in `Config.add_cleanup`. Workers of pytest-xdist never come to that."""
    pytestconfig.stash[ARTIFACTS] = _pw_artifacts_folder
    return _pw_artifacts_folder


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Deletes it."""
    if ARTIFACTS in session.config.stash:
        session.config.stash[ARTIFACTS].cleanup()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Chromium as `make test-e2e` has chosen it, or as it is found, or else Playwright's own."""
    arguments = browser_type_launch_args | {"args": CHROMIUM_ARGUMENTS}
    executable = os.environ.get("CHROMIUM") or chromium_finder.on_path()
    return arguments | {"executable_path": executable} if executable else arguments


@pytest.fixture(scope="session", autouse=True)
def frontend_is_built() -> None:
    """Without its bundles the page is there and does nothing, which every test would find out slowly."""
    missing = [name for name in ("main.js", "main.css", "theme.js") if not (FRONTEND_DIR / "dist" / name).exists()]
    if missing:
        pytest.fail(f"the page is not built ({', '.join(missing)} missing): make setup does it", pytrace=False)


def manage(database: Database, *arguments: str) -> None:
    """Runs a command of manage.py on this database."""
    subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=BACKEND_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": SETTINGS} | database.environment,
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=MANAGE_SECONDS,
    )


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database with all migrations and the demo data, to be copied."""
    with migrated_database(tmp_path_factory.mktemp("database"), SETTINGS) as database:
        manage(database, "seed")
        yield database


@pytest.fixture(scope="session")
def asgi_server(tmp_path_factory: pytest.TempPathFactory, migrated: Database) -> Iterator[Server]:
    """gunicorn with its asgi worker."""
    with running_server(ASGI, tmp_path_factory.mktemp(ASGI), settings=SETTINGS, database=migrated) as server:
        yield server


@pytest.fixture(scope="session")
def wsgi_server(tmp_path_factory: pytest.TempPathFactory, migrated: Database) -> Iterator[Server]:
    """gunicorn with its gthread worker."""
    with running_server(WSGI, tmp_path_factory.mktemp(WSGI), settings=SETTINGS, database=migrated) as server:
        yield server


@pytest.fixture(scope="session")
def envoy_site(tmp_path_factory: pytest.TempPathFactory, migrated: Database) -> Iterator[Server]:
    """Envoy before gunicorn and the native server."""
    with running_site(tmp_path_factory.mktemp(ENVOY), migrated, SETTINGS) as server:
        yield server


@pytest.fixture(params=(*KINDS, ENVOY))
def server(request: pytest.FixtureRequest, server_of_kind: Callable[[str], Server]) -> Server:
    """Each server in turn, and Envoy as the one by which pages come and calls go."""
    if request.param != ENVOY:
        return server_of_kind(request.param)
    server: Server = request.getfixturevalue("envoy_site")
    request.node.stash[SERVER_AT_START] = server, server.log_size()
    return server


@pytest.fixture(scope="session")
def base_url() -> None:
    """None for the session: each test has the address of its own server. (The plugin's own warns under pytest 9.)"""


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any], server: Server) -> dict[str, Any]:
    """Pages have addresses relative to the server under test."""
    return browser_context_args | {"base_url": server.url}


@pytest.fixture
def witness(
    context: BrowserContext, request: pytest.FixtureRequest, pytestconfig: pytest.Config, output_path: str
) -> Iterator[Witness]:
    """What pages of this test did. A test whose page did something that it must not do fails, whatever else it saw.

    A failure leaves a trace beside its screenshot, to be opened with `playwright show-trace`. It has what the test did
    and what the console said. `--tracing retain-on-failure` has a film, requests and the page's states as well, which
    take half as long again, so it is for the search and not for every run.
    """
    has_trace = pytestconfig.option.tracing == "off"
    if has_trace:
        context.tracing.start()
    witness = Witness(context)
    yield witness
    call_report = getattr(request.node, "rep_call", None)  # of pytest-playwright; there is none after a failed setup
    failed = call_report is None or call_report.failed or witness.unexpected_problems()
    if has_trace:
        context.tracing.stop(path=Path(output_path) / "trace.zip" if failed else None)
    witness.check()


@pytest.fixture
def page(witness: Witness, context: BrowserContext) -> Page:
    """An empty page under observation."""
    page = context.new_page()
    page.set_default_timeout(EXPECT_MS)
    return page


@pytest.fixture
def echo_page(page: Page) -> EchoPage:
    """The page at `/`, open and ready."""
    return EchoPage(page).open()


@pytest.fixture
def site(page: Page, witness: Witness) -> SitePage:
    """A window of somebody who is not signed in. A page that is left or a panel that is hidden ends its stream."""
    witness.expect_problem("net::ERR_ABORTED")
    return SitePage(page)


@pytest.fixture
def another_person(new_context: Callable[..., BrowserContext]) -> Iterator[Callable[[], SitePage]]:
    """Opens windows of other people, each with a session of their own. They are watched as all pages are."""
    witnesses: list[Witness] = []

    def open_window() -> SitePage:
        context = new_context()
        context.set_default_timeout(EXPECT_MS)
        witness = Witness(context)
        witness.expect_problem("net::ERR_ABORTED")
        witnesses.append(witness)
        return SitePage(context.new_page())

    yield open_window
    for witness in witnesses:
        witness.check()


@pytest.fixture
def server_log(server: Server) -> ServerLog:
    """What the server logs during this test."""
    return ServerLog(server)
