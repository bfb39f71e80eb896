"""The Echo panel as a person sees it: its controls, and the readouts of its two groups of calls.

All test hooks of the page are named here and nowhere else; the page's template says what they mean.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from playwright.sync_api import Locator, Page, expect

Wire = Literal["text", "binary"]
WIRES: tuple[Wire, ...] = ("text", "binary")

CONTENT_TYPES = {"text": "application/grpc-web-text", "binary": "application/grpc-web+proto"}
"""What requests are sent as, by wire format."""

SERVICE_PATH = "/echo.v1.EchoService/"

ROW_LIMIT = 200
"""How many of a stream's messages the page lists."""


class Readout:
    """What one group of calls, `unary` or `stream`, shows of its newest call."""

    def __init__(self, page: Page, group: str) -> None:
        self._page = page
        self.group = page.locator(f"#{group}")
        self.state = page.get_by_test_id(f"{group}-call-state")
        self.method = page.get_by_test_id(f"{group}-method")
        self.elapsed = page.get_by_test_id(f"{group}-elapsed")
        self.status_code = page.get_by_test_id(f"{group}-status-code")
        self.status_message = page.get_by_test_id(f"{group}-status-message")
        self.hint = page.get_by_test_id(f"{group}-hint")
        self.details = page.get_by_test_id(f"{group}-details")
        self.trailers = page.get_by_test_id(f"{group}-trailers")
        self.announcement = page.get_by_test_id(f"{group}-announcement")
        self.cancel = page.get_by_test_id(f"{group}-cancel")

    def expect_state(self, state: str) -> None:
        """Waits for a state: idle, waiting, streaming, done, cancelled or failed."""
        expect(self.state).to_have_attribute("data-state", state)
        expect(self.state).to_be_visible()

    def expect_status(self, state: str, code: int, name: str, message: str | None = None) -> None:
        """Waits for the end of the call. A person must see number and name of the code, and the message."""
        self.expect_state(state)
        expect(self.status_code).to_be_visible()
        expect(self.status_code).to_have_attribute("data-code", str(code))
        expect(self.status_code).to_have_text(f"{code} {name}")
        if message is not None:
            expect(self.status_message).to_have_text(message)

    def elapsed_ms(self) -> float:
        """Gives how long the call took, by the page's clock."""
        return float(self.elapsed.get_attribute("data-ms") or "nan")

    def trailing_metadata(self) -> list[tuple[str, str]]:
        """Gives the trailing metadata that is shown, as names and values."""
        return _rows(self.trailers)

    def status_details(self) -> list[tuple[str, Any]]:
        """Gives the status details that are shown, as the names of their types and their contents."""
        return [(name, json.loads(text)) for name, text in _rows(self.details)]


def _rows(table: Locator) -> list[tuple[str, str]]:
    rows = table.locator("tr").all()
    return [(row.locator("th").inner_text(), row.locator("td").inner_text()) for row in rows]


class StreamReadout(Readout):
    """What the streaming group shows besides: its messages."""

    def __init__(self, page: Page) -> None:
        super().__init__(page, "stream")
        self.received = page.get_by_test_id("stream-received")
        self.timeline = page.get_by_test_id("stream-timeline")
        self.rows = page.get_by_test_id("stream-messages").locator("tr")

    def row(self, number: int) -> Locator:
        """Gives the row of the message with this number, from 1."""
        return self._page.get_by_test_id("stream-messages").locator(f"tr[data-sequence='{number}']")

    def expect_count(self, count: int) -> None:
        """Waits until so many messages have arrived."""
        expect(self.received).to_have_attribute("data-count", str(count))

    def count(self) -> int:
        """Gives how many messages have arrived."""
        return int(self.received.get_attribute("data-count") or 0)

    def at_this_moment(self) -> tuple[str, int]:
        """Gives the state and the number of rows, both of one moment."""
        state, rows = self.group.evaluate(
            """(group) => [
                group.querySelector("[data-testid=stream-call-state]").dataset.state,
                group.querySelector("[data-testid=stream-messages]").childElementCount,
            ]"""
        )
        return state, rows

    def arrivals_ms(self) -> list[float]:
        """Gives when the listed messages arrived, by the page's clock, since the call began."""
        return [float(value) for value in self.rows.evaluate_all("rows => rows.map((row) => row.dataset.arrivalMs)")]

    def numbers(self) -> list[int]:
        """Gives the numbers of the listed messages, from top to bottom."""
        return [int(value) for value in self.rows.evaluate_all("rows => rows.map((row) => row.dataset.sequence)")]


class EchoPage:
    """The page, opened, with what a person can do on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.unary = Readout(page, "unary")
        self.stream = StreamReadout(page)
        self.response = page.get_by_test_id("unary-response")
        self.wire_note = page.get_by_test_id("wire-note")

    def open(self, address: str = "/") -> EchoPage:
        """Opens the page, of the server under test or of another one, and waits until its script has taken over."""
        self.page.goto(address)
        self.unary.expect_state("idle")
        expect(self.wire_note).not_to_be_empty()
        return self

    def control(self, test_id: str) -> Locator:
        """Gives a control by its hook."""
        return self.page.get_by_test_id(test_id)

    def choose_wire(self, wire: Wire) -> None:
        """Switches all later calls to a wire format, by a click on what is to be seen of the choice."""
        self.choose(f"wire-{wire}")

    def choose(self, test_id: str) -> None:
        """Clicks a radio button's label, which covers the button itself."""
        radio = self.control(test_id)
        self.page.locator("label").filter(has=radio).click()
        expect(radio).to_be_checked()

    def set_deadline(self, milliseconds: int) -> None:
        """Gives all later calls a deadline."""
        self.control("deadline").fill(str(milliseconds))

    def echo(self, message: str) -> None:
        """Calls Echo."""
        self.control("echo-message").fill(message)
        self.control("echo-send").click()

    def abort(self, code: int, message: str) -> None:
        """Calls EchoAbort."""
        self.control("abort-code").select_option(str(code))
        self.control("abort-message").fill(message)
        self.control("abort-send").click()

    def plan_stream(self, message: str, count: int, interval_ms: int, abort_code: int | None = None) -> None:
        """Fills in the form of the stream; with an `abort_code` it is ServerStreamingEchoAbort that is called."""
        self.control("stream-message").fill(message)
        self.control("stream-count").fill(str(count))
        self.control("stream-interval").fill(str(interval_ms))
        self.control("stream-abort").set_checked(abort_code is not None)
        if abort_code is not None:
            self.control("stream-abort-code").select_option(str(abort_code))

    def start_stream(self, message: str, count: int, interval_ms: int, abort_code: int | None = None) -> None:
        """Fills in the form of the stream and starts it."""
        self.plan_stream(message, count, interval_ms, abort_code)
        self.control("stream-start").click()
