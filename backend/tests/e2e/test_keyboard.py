"""The page without a mouse: every control is reached, seen to be reached, and does its work."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.echo_page import EchoPage
from tests.e2e.envoy_site import ENVOY
from tests.e2e.observed import STOPPED
from tests.e2e.server_log import ServerLog
from tests.e2e.witness import Witness
from tests.servers import ASGI

pytestmark = pytest.mark.parametrize("server", [ASGI, ENVOY], indirect=True)

MOST_STOPS = 60

FOCUSABLE = """() => {
  const selector = "a[href], button, input, select, textarea, [tabindex='0']";
  return [...document.querySelectorAll(selector)]
    .filter((element) => !element.disabled && element.getClientRects().length > 0)
    .filter((element) => element.type !== "radio" || element.checked)
    .map((element) => element.dataset.testid ?? element.className);
}"""
"""All that the Tab key has to reach. Of a group of radio buttons that is the checked one; arrows move within it."""

FOCUSED = """() => {
  const element = document.activeElement;
  // What is drawn in place of a radio button or checkbox follows it, or surrounds it.
  const drawn = [element, element.nextElementSibling, element.closest("label")].filter(Boolean);
  const outlined = (candidate) => {
    const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(candidate);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 1 && !/, 0\\)$/.test(outlineColor);
  };
  const box = drawn.map((candidate) => candidate.getBoundingClientRect()).find((rect) => rect.width > 4);
  return {
    name: element.dataset.testid ?? element.className,
    outlined: drawn.some(outlined),
    inView: Boolean(box) && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
  };
}"""


def tab_stops(page: Page) -> list[dict[str, Any]]:
    """Presses Tab from the start of the document to its end, and gives where the focus was."""
    stops: list[dict[str, Any]] = []
    while len(stops) < MOST_STOPS:
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            return stops
        stops.append(page.evaluate(FOCUSED))
    raise AssertionError(f"the focus does not leave the page after {MOST_STOPS} stops: {stops}")


def test_tab_reaches_every_control_in_reading_order_and_shows_it(echo_page: EchoPage) -> None:
    stops = tab_stops(echo_page.page)
    assert [stop["name"] for stop in stops] == echo_page.page.evaluate(FOCUSABLE)
    assert {"wire-text", "deadline", "echo-message", "echo-send", "stream-start", "stream-cancel"} <= {
        stop["name"] for stop in stops
    }
    assert [stop["name"] for stop in stops if not stop["outlined"]] == []
    assert [stop["name"] for stop in stops if not stop["inView"]] == []


def test_enter_in_a_field_sends_the_unary_call(echo_page: EchoPage) -> None:
    def type_into(field: str) -> None:
        echo_page.control(field).focus()
        echo_page.page.keyboard.press("ControlOrMeta+A")
        echo_page.page.keyboard.type("typed")
        echo_page.page.keyboard.press("Enter")

    type_into("echo-message")
    echo_page.unary.expect_status("done", 0, "OK")
    expect(echo_page.response).to_have_text("typed")
    expect(echo_page.control("echo-message")).to_be_focused()
    type_into("abort-message")
    echo_page.unary.expect_status("failed", 5, "NOT_FOUND", "typed")
    expect(echo_page.control("abort-message")).to_be_focused()


def test_a_stream_by_keyboard_alone(echo_page: EchoPage, witness: Witness, server_log: ServerLog) -> None:
    witness.expect_problem("net::ERR_ABORTED")
    keyboard = echo_page.page.keyboard
    echo_page.control("stream-message").focus()
    for text in ("by hand", "200", "150"):
        keyboard.press("ControlOrMeta+A")
        keyboard.type(text)
        keyboard.press("Tab")
    expect(echo_page.control("stream-abort")).to_be_focused()
    keyboard.press("Space")
    keyboard.press("Tab")
    expect(echo_page.control("stream-abort-code")).to_be_focused()
    keyboard.type("14")
    keyboard.press("Shift+Tab")
    keyboard.press("Space")
    expect(echo_page.control("stream-abort")).not_to_be_checked()
    keyboard.press("Enter")

    expect(echo_page.stream.row(2)).to_be_visible()
    keyboard.press("Escape")
    echo_page.stream.expect_status("cancelled", 1, "CANCELLED")
    assert server_log.wait_for_stream_end("by hand").outcome == STOPPED


def test_arrow_keys_choose_the_wire_format(echo_page: EchoPage, witness: Witness) -> None:
    echo_page.control("wire-text").focus()
    echo_page.page.keyboard.press("ArrowRight")
    expect(echo_page.control("wire-binary")).to_be_checked()
    echo_page.control("noop-send").focus()
    echo_page.page.keyboard.press("Space")
    echo_page.unary.expect_status("done", 0, "OK")
    assert witness.requests[-1].headers["content-type"] == "application/grpc-web+proto"


def test_escape_cancels_the_stream_from_anywhere(echo_page: EchoPage, witness: Witness) -> None:
    witness.expect_problem("net::ERR_ABORTED")
    echo_page.start_stream("escaped", 200, 150)
    expect(echo_page.stream.row(1)).to_be_visible()
    echo_page.control("echo-message").focus()
    echo_page.page.keyboard.press("Escape")
    echo_page.stream.expect_status("cancelled", 1, "CANCELLED")
    expect(echo_page.control("echo-message")).to_be_focused()
    echo_page.page.keyboard.press("Escape")
    echo_page.stream.expect_state("cancelled")
