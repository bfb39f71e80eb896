"""Cancelling: the page shows it at once, and the server stops working.

The second is asked of the server's handlers, see `observed`. Under ASGI a handler is stopped where it waits. Under WSGI
nobody can know of the cancellation before the next message is written, so there it takes until then.
"""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import expect

from tests.e2e.echo_page import EchoPage
from tests.e2e.observed import FINISHED, STOPPED
from tests.e2e.server_log import ServerLog
from tests.e2e.witness import Witness
from tests.servers import Server

BOTH_METHODS = pytest.mark.parametrize("abort_code", [None, 8], ids=["async-handler", "sync-handler"])

LONG_PAUSE_MS = 40_000
"""A handler that ends long before this pause does was stopped in it."""

STOP_SECONDS = 2.0
"""How long after a cancellation a handler may go on. gunicorn's asgi worker itself cancels what has gone on for three
seconds after a disconnect, so more than that would prove nothing."""

ABORTED = "net::ERR_ABORTED"
"""What Chromium calls a request that the page has cancelled."""


@pytest.fixture(autouse=True)
def aborted_requests_are_expected(witness: Witness) -> None:
    witness.expect_problem(ABORTED)


def start_slow_stream(echo_page: EchoPage, server: Server, message: str, abort_code: int | None = None) -> None:
    """Starts a stream that would run for 40 seconds, and waits for its first message.

    Under ASGI the handler then waits for one long pause; under WSGI it goes on sending, as it has to.
    """
    if server.is_asgi:
        echo_page.start_stream(message, 2, LONG_PAUSE_MS, abort_code)
    else:
        echo_page.start_stream(message, 200, 200, abort_code)
    expect(echo_page.stream.row(1)).to_be_visible()


@BOTH_METHODS
def test_cancel_ends_the_stream_here_and_in_the_server(
    echo_page: EchoPage, server: Server, server_log: ServerLog, abort_code: int | None
) -> None:
    stream = echo_page.stream
    start_slow_stream(echo_page, server, "stop me", abort_code)
    expect(stream.cancel).to_have_attribute("aria-disabled", "false")
    stream.cancel.click()

    stream.expect_status("cancelled", 1, "CANCELLED")
    cancelled_at, shown = time.time(), stream.count()
    expect(stream.cancel).to_have_attribute("aria-disabled", "true")
    end = server_log.wait_for_stream_end("stop me")
    assert end.outcome == STOPPED
    assert end.at - cancelled_at < STOP_SECONDS
    # By now the server has noticed; had the page listened on, more rows would be there.
    assert stream.count() == shown == stream.rows.count()
    stream.expect_state("cancelled")


def test_the_page_can_call_again_after_a_cancel(echo_page: EchoPage, server: Server) -> None:
    start_slow_stream(echo_page, server, "first")
    echo_page.stream.cancel.click()
    echo_page.stream.expect_state("cancelled")
    echo_page.start_stream("second", 3, 0)
    echo_page.stream.expect_status("done", 0, "OK", "")
    assert echo_page.stream.numbers() == [1, 2, 3]


def test_starting_a_stream_cancels_the_one_that_runs(
    echo_page: EchoPage, server: Server, server_log: ServerLog
) -> None:
    start_slow_stream(echo_page, server, "old")
    echo_page.start_stream("new", 3, 100)
    echo_page.stream.expect_status("done", 0, "OK", "")
    expect(echo_page.stream.rows.locator("td:last-child")).to_have_text(["new"] * 3)
    assert server_log.wait_for_stream_end("old").outcome == STOPPED
    end = server_log.wait_for_stream_end("new")
    assert (end.outcome, end.count) == (FINISHED, 3)


def test_of_three_quick_starts_one_goes_on(echo_page: EchoPage, server_log: ServerLog) -> None:
    echo_page.plan_stream("", 200, 200)
    echo_page.page.evaluate("""() => {
        for (const message of ["quick 1", "quick 2", "quick 3"]) {
            document.querySelector("[data-testid=stream-message]").value = message;
            document.querySelector("[data-testid=stream-start]").click();
        }
    }""")
    expect(echo_page.stream.row(4)).to_be_visible()
    assert set(echo_page.stream.rows.locator("td:last-child").all_inner_texts()) == {"quick 3"}
    for message in ("quick 1", "quick 2"):
        if server_log.has_begun(message):  # if not, the browser has dropped it before it was sent
            assert server_log.wait_for_stream_end(message).outcome == STOPPED
    echo_page.stream.expect_state("streaming")
    assert server_log.stream_ends("quick 3") == []


def test_leaving_the_page_ends_the_stream_in_the_server(
    echo_page: EchoPage, server: Server, server_log: ServerLog
) -> None:
    start_slow_stream(echo_page, server, "left alone")
    echo_page.page.close()
    assert server_log.wait_for_stream_end("left alone").outcome == STOPPED


def test_a_unary_call_can_be_cancelled(echo_page: EchoPage) -> None:
    echo_page.page.route("**/Echo", lambda route: None)  # the request is held back: no servicer here is slow enough
    echo_page.echo("nobody answers")
    echo_page.unary.expect_state("waiting")
    echo_page.unary.cancel.click()
    echo_page.unary.expect_status("cancelled", 1, "CANCELLED")
    echo_page.page.unroute_all()
    echo_page.echo("somebody answers")
    echo_page.unary.expect_status("done", 0, "OK")
    expect(echo_page.response).to_have_text("somebody answers")


def test_cancelling_one_group_leaves_the_other_alone(echo_page: EchoPage) -> None:
    echo_page.start_stream("undisturbed", 5, 200)
    expect(echo_page.stream.row(1)).to_be_visible()
    expect(echo_page.unary.cancel).to_have_attribute("aria-disabled", "true")
    echo_page.unary.cancel.click(force=True)  # it is marked as disabled, and can be pressed none the less
    echo_page.echo("beside the stream")
    echo_page.unary.expect_status("done", 0, "OK")
    echo_page.stream.expect_status("done", 0, "OK", "")
    echo_page.stream.expect_count(5)
