"""Calls that fail: code name, number, message and trailing metadata are shown, and the next call works."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.echo_page import WIRES, EchoPage, Wire
from tests.e2e.observed import STOPPED
from tests.e2e.server_log import ServerLog
from tests.e2e.witness import Witness

ODD_MESSAGE = 'Größe > 100 %, %20 stays, "世界" 🚀'

CODE_NAMES = {1: "CANCELLED", 3: "INVALID_ARGUMENT", 5: "NOT_FOUND", 13: "INTERNAL", 16: "UNAUTHENTICATED"}

WRONG_VALUES = [
    ("stream-count", ""),
    ("stream-count", "0"),
    ("stream-count", "10001"),
    ("stream-count", "1.5"),
    ("stream-interval", "-1"),
    ("stream-interval", "60001"),
    ("deadline", "0"),
]


def error_info(message_count: int) -> dict[str, object]:
    """Gives what the servicer says of its abort."""
    metadata = {"message_count": str(message_count)}
    return {"reason": "ABORT_ASKED_FOR", "domain": "echo.v1.EchoService", "metadata": metadata}


BY_WIRE = pytest.mark.parametrize("wire", WIRES)


@BY_WIRE
def test_an_aborted_call_shows_its_status(echo_page: EchoPage, wire: Wire) -> None:
    echo_page.choose_wire(wire)
    for code, name in CODE_NAMES.items():
        message = f"{ODD_MESSAGE} {code}"  # a new one each time, so that what is seen is of this call
        echo_page.abort(code, message)
        echo_page.unary.expect_status("failed", code, name, message)
        expect(echo_page.unary.method).to_have_text("EchoAbort")
        expect(echo_page.unary.hint).not_to_be_empty()
        expect(echo_page.response).to_be_hidden()
        assert echo_page.unary.trailing_metadata() == [("echo-message-count", "0")]
        assert echo_page.unary.status_details() == [("google.rpc.ErrorInfo", error_info(0))]


def test_every_status_code_can_be_asked_for(echo_page: EchoPage) -> None:
    offered = echo_page.control("abort-code").locator("option").evaluate_all("all => all.map((o) => Number(o.value))")
    assert offered == list(range(1, 17))
    for code in offered:
        echo_page.abort(code, f"message of code {code}")
        expect(echo_page.unary.status_message).to_have_text(f"message of code {code}")
        expect(echo_page.unary.status_code).to_have_attribute("data-code", str(code))
        echo_page.unary.expect_state("failed")


def test_an_error_without_a_message_is_shown_and_forgotten_with_the_next_call(echo_page: EchoPage) -> None:
    echo_page.abort(9, "")
    echo_page.unary.expect_status("failed", 9, "FAILED_PRECONDITION", "")
    echo_page.echo("all is well")
    echo_page.unary.expect_status("done", 0, "OK", "")
    expect(echo_page.unary.hint).to_be_empty()
    assert echo_page.unary.trailing_metadata() == []
    assert echo_page.unary.status_details() == []


@BY_WIRE
def test_a_stream_that_fails_shows_its_messages_and_then_the_error(echo_page: EchoPage, wire: Wire) -> None:
    stream = echo_page.stream
    echo_page.choose_wire(wire)
    echo_page.start_stream(ODD_MESSAGE, 3, 50, abort_code=14)
    stream.expect_status("failed", 14, "UNAVAILABLE", ODD_MESSAGE)
    expect(stream.method).to_have_text("ServerStreamingEchoAbort")
    expect(stream.rows.locator("td:last-child")).to_have_text([ODD_MESSAGE] * 3)
    stream.expect_count(3)
    assert stream.trailing_metadata() == [("echo-message-count", "3")]
    assert stream.status_details() == [("google.rpc.ErrorInfo", error_info(3))]


@pytest.mark.parametrize(
    ("wire", "abort_code"),
    [("text", None), ("text", 8), ("binary", None)],
    ids=["text-async-handler", "text-sync-handler", "binary"],
)
def test_a_stream_ends_at_its_deadline(
    echo_page: EchoPage, server_log: ServerLog, wire: Wire, abort_code: int | None
) -> None:
    stream = echo_page.stream
    echo_page.choose_wire(wire)
    # Below a second the browser's own timeout, which is never shorter, leaves it to the server to end the call.
    echo_page.set_deadline(500)
    echo_page.start_stream("too long", 100, 200, abort_code)
    stream.expect_status("failed", 4, "DEADLINE_EXCEEDED")
    expect(stream.hint).to_contain_text("deadline")
    assert 450 < stream.elapsed_ms() < 5000
    assert server_log.wait_for_stream_end("too long").outcome == STOPPED

    echo_page.set_deadline(20_000)
    echo_page.start_stream("in time", 3, 20)
    stream.expect_status("done", 0, "OK", "")


@BY_WIRE
def test_what_the_server_refuses_is_shown(echo_page: EchoPage, wire: Wire) -> None:
    echo_page.choose_wire(wire)
    # The form's own limit is lifted: the server has to hold by itself.
    echo_page.control("stream-count").evaluate("input => (input.max = '99999')")
    echo_page.start_stream("far too many", 10_001, 0)
    message = "message_count must be between 0 and 10000, not 10001"
    echo_page.stream.expect_status("failed", 3, "INVALID_ARGUMENT", message)
    assert echo_page.stream.rows.count() == 0


def test_a_wrong_field_is_marked_and_nothing_is_sent(echo_page: EchoPage, witness: Witness) -> None:
    sent = len(witness.requests)
    for name, value in WRONG_VALUES:
        field, error = echo_page.control(name), echo_page.page.locator(f"#{name}-error")
        field.fill(value)
        echo_page.control("stream-start").click()
        expect(error).to_be_visible()
        expect(error).to_have_text(re.compile(r"\d to \d"))
        expect(field).to_be_focused()
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(error.inner_text())

        field.fill("5")
        expect(error).to_be_hidden()
        expect(field).to_have_attribute("aria-invalid", "false")
    echo_page.stream.expect_state("idle")
    assert len(witness.requests) == sent
