"""The server goes away while a stream is open, and comes back. Each test here has servers of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.databases import Database
from tests.e2e.conftest import SETTINGS
from tests.e2e.echo_page import EchoPage
from tests.e2e.witness import Witness
from tests.servers import KINDS, Server, ServerError, running_server

pytestmark = pytest.mark.parametrize("server", KINDS, indirect=True)

StartServer = Callable[..., contextlib.AbstractContextManager[Server]]

UNKNOWN = (2, "UNKNOWN")
"""What grpc-web makes of a broken connection, and of no connection."""


@pytest.fixture
def start_server(server: Server, migrated: Database, tmp_path: Path) -> StartServer:
    """Starts a server of the kind that is under test."""

    def start(name: str, port: int = 0, **environment: str) -> contextlib.AbstractContextManager[Server]:
        return running_server(
            server.kind, tmp_path / name, settings=SETTINGS, database=migrated, port=port, environment=environment
        )

    return start


def expect_nobody_answers(echo_page: EchoPage) -> None:
    echo_page.echo("is anybody there?")
    echo_page.unary.expect_status("failed", *UNKNOWN)
    expect(echo_page.unary.hint).to_contain_text(re.compile("No .*answer came from the server"))


def expect_all_is_well(echo_page: EchoPage) -> None:
    echo_page.echo("welcome back")
    echo_page.unary.expect_status("done", 0, "OK", "")
    expect(echo_page.response).to_have_text("welcome back")
    echo_page.start_stream("again", 2, 50)
    echo_page.stream.expect_status("done", 0, "OK", "")


def test_a_server_that_crashes_in_a_stream(page: Page, witness: Witness, start_server: StartServer) -> None:
    witness.expect_problem("net::ERR_")
    with contextlib.ExitStack() as servers:
        first = servers.enter_context(start_server("first"))
        echo_page = EchoPage(page).open(first.url)
        echo_page.start_stream("cut off", 100, 200)
        expect(echo_page.stream.row(2)).to_be_visible()
        os.killpg(first.pid, signal.SIGKILL)
        with pytest.raises(ServerError, match="ended with -9"):
            servers.close()

    echo_page.stream.expect_status("failed", *UNKNOWN)
    assert 2 <= echo_page.stream.count() < 100
    expect(echo_page.stream.status_message).not_to_be_empty()
    expect(echo_page.stream.hint).to_contain_text("connection ended before the server sent a status")
    expect_nobody_answers(echo_page)
    with start_server("second", first.port):
        expect_all_is_well(echo_page)


def test_a_server_that_is_restarted_lets_a_stream_end(page: Page, witness: Witness, start_server: StartServer) -> None:
    witness.expect_problem("net::ERR_")
    patient = {"WEB_STREAM_GRACE": "1000", "WEB_GRACEFUL_TIMEOUT": "1000"}
    with start_server("first", **patient) as first:
        echo_page = EchoPage(page).open(first.url)
        echo_page.start_stream("to the end", 8, 200)
        expect(echo_page.stream.row(1)).to_be_visible()
        os.kill(first.pid, signal.SIGTERM)
        echo_page.stream.expect_status("done", 0, "OK", "")
        assert echo_page.stream.numbers() == list(range(1, 9))

    expect_nobody_answers(echo_page)
    with start_server("second", first.port):
        expect_all_is_well(echo_page)
