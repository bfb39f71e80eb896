"""Streams: messages show up while the stream is open, not when it ends. That is asserted by time, in three ways."""

from __future__ import annotations

import re
from itertools import pairwise
from statistics import median

import pytest
from playwright.sync_api import expect

from tests.e2e.echo_page import CONTENT_TYPES, ROW_LIMIT, SERVICE_PATH, EchoPage
from tests.e2e.journal import Journal
from tests.e2e.witness import Witness

COUNT = 8
INTERVAL_MS = 250
SPAN_MS = (COUNT - 1) * INTERVAL_MS
"""From the first message to the last, if nothing is late."""

ABORT_CODE = 8

AS_THEY_ARRIVE = re.compile(r"as they arrive|when it arrives")
AT_THE_END = re.compile(r"at its end|when the stream has ended")

BOTH_METHODS = pytest.mark.parametrize("abort_code", [None, ABORT_CODE], ids=["async-handler", "sync-handler"])
"""ServerStreamingEcho is `async def`, ServerStreamingEchoAbort is `def`: two ways through the bridge."""


def expect_end(echo_page: EchoPage, message: str, abort_code: int | None) -> None:
    if abort_code is None:
        echo_page.stream.expect_status("done", 0, "OK", "")
    else:
        echo_page.stream.expect_status("failed", ABORT_CODE, "RESOURCE_EXHAUSTED", message)


@BOTH_METHODS
def test_in_text_mode_messages_arrive_one_by_one(echo_page: EchoPage, abort_code: int | None) -> None:
    stream, journal = echo_page.stream, Journal(echo_page.page)
    echo_page.start_stream("tick", COUNT, INTERVAL_MS, abort_code)

    # By what can be seen: the first row is there and the last is not, the stream is still open.
    stream.row(1).wait_for()
    state, shown = stream.at_this_moment()
    assert state == "streaming"
    assert 1 <= shown < COUNT
    expect(stream.row(1).locator("td").last).to_have_text("tick")

    expect_end(echo_page, "tick", abort_code)
    stream.expect_count(COUNT)
    assert stream.numbers() == list(range(1, COUNT + 1))

    # By the page's clock. The server waits at least the interval, and only the first message may be late by itself.
    arrivals = stream.arrivals_ms()
    gaps = [later - earlier for earlier, later in pairwise(arrivals)]
    assert min(gaps) >= 0
    assert len(set(arrivals)) > COUNT // 2  # a browser on a loaded machine may see some together
    assert arrivals[-1] - arrivals[0] > SPAN_MS * 0.6
    assert INTERVAL_MS * 0.5 < median(gaps) < INTERVAL_MS * 4
    assert stream.elapsed_ms() >= arrivals[-1]

    # By the record of what was shown: rows were added one after the other while the stream was open.
    assert journal.states() == ["waiting", "streaming", "done" if abort_code is None else "failed"]
    open_entries = [entry for entry in journal.entries() if entry.state == "streaming"]
    assert len({entry.rows for entry in open_entries}) > COUNT // 2
    assert open_entries[-1].ms - open_entries[0].ms > SPAN_MS * 0.6


@BOTH_METHODS
def test_in_binary_mode_messages_arrive_at_the_end_and_the_page_says_so(
    echo_page: EchoPage, abort_code: int | None
) -> None:
    stream, journal = echo_page.stream, Journal(echo_page.page)
    echo_page.choose_wire("binary")
    expect(echo_page.wire_note).to_contain_text(AT_THE_END)
    echo_page.start_stream("together", COUNT, INTERVAL_MS, abort_code)
    stream.expect_state("waiting")
    expect(stream.group.get_by_text(AT_THE_END)).to_be_visible()

    expect_end(echo_page, "together", abort_code)
    stream.expect_count(COUNT)
    arrivals = stream.arrivals_ms()
    assert arrivals[0] > SPAN_MS * 0.8
    assert arrivals[-1] - arrivals[0] < INTERVAL_MS
    assert "streaming" not in journal.states()


def test_the_page_says_when_each_wire_format_hands_messages_over(echo_page: EchoPage) -> None:
    expect(echo_page.wire_note).to_contain_text(AS_THEY_ARRIVE)
    echo_page.choose_wire("binary")
    expect(echo_page.wire_note).to_contain_text(AT_THE_END)
    echo_page.choose_wire("text")
    expect(echo_page.wire_note).to_contain_text(AS_THEY_ARRIVE)


@pytest.mark.parametrize("wire", ["text", "binary"])
def test_a_stream_is_one_post_that_nobody_may_buffer(echo_page: EchoPage, witness: Witness, wire: str) -> None:
    echo_page.choose_wire("binary" if wire == "binary" else "text")
    before = len(witness.requests)
    echo_page.start_stream("один", 3, 0)
    echo_page.stream.expect_status("done", 0, "OK", "")
    expect(echo_page.stream.row(3).locator("td").last).to_have_text("один")

    (request,) = witness.requests[before:]
    assert request.method == "POST"
    assert request.url.endswith(f"{SERVICE_PATH}ServerStreamingEcho")
    assert request.headers["content-type"] == CONTENT_TYPES[wire]
    response = request.response()
    assert response is not None
    assert response.headers["content-type"].startswith(CONTENT_TYPES[wire])
    assert response.headers["x-accel-buffering"] == "no"
    assert "no-transform" in response.headers["cache-control"]


def test_a_fast_stream_of_2000_messages_leaves_the_page_responsive(echo_page: EchoPage) -> None:
    stream = echo_page.stream
    echo_page.plan_stream("fast", 2000, 0)
    # A page that hangs does not run its timers: the longest pause between two of them is the longest hang.
    echo_page.page.evaluate("""() => {
        let last = performance.now();
        window.longestPauseMs = 0;
        window.heartbeat = setInterval(() => {
            const now = performance.now();
            window.longestPauseMs = Math.max(window.longestPauseMs, now - last);
            last = now;
        }, 20);
    }""")
    echo_page.control("stream-start").click()
    stream.expect_status("done", 0, "OK", "")
    stream.expect_count(2000)

    assert stream.numbers() == list(range(2001 - ROW_LIMIT, 2001))
    expect(stream.received).to_contain_text(f"the last {ROW_LIMIT} listed")
    expect(stream.timeline).to_have_attribute("data-count", "2000")
    assert echo_page.page.evaluate("window.longestPauseMs") < 2000
    echo_page.echo("still here")
    echo_page.unary.expect_status("done", 0, "OK")
