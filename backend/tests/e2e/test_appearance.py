"""Light and dark, wide and narrow."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.colours import LEAST_CONTRAST, page_background, text_contrasts
from tests.e2e.echo_page import EchoPage
from tests.e2e.envoy_site import ENVOY
from tests.e2e.witness import Witness
from tests.servers import ASGI, Server

# What the page looks like does not depend on the worker: both send the same files. With Envoy it has a switch more.
pytestmark = pytest.mark.parametrize("server", [ASGI, ENVOY], indirect=True)

PHONE = pytest.mark.browser_context_args(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)

CONTROLS = [
    "wire-text",
    "wire-binary",
    "deadline",
    "echo-message",
    "echo-send",
    "abort-code",
    "abort-message",
    "abort-send",
    "noop-send",
    "stream-message",
    "stream-count",
    "stream-interval",
    "stream-abort",
    "stream-abort-code",
    "stream-start",
    "stream-cancel",
    "theme-auto",
    "theme-light",
    "theme-dark",
]

PATH_CONTROLS = ["path-in-process", "path-envoy"]


def fill_readouts(echo_page: EchoPage) -> None:
    """Lets the page show as much as it can: a response, messages, a failure with trailing metadata, a wrong field."""
    echo_page.start_stream("a message of ordinary length", 30, 0, abort_code=8)
    echo_page.stream.expect_state("failed")
    echo_page.echo("a response")
    echo_page.unary.expect_state("done")
    echo_page.control("deadline").fill("0")
    echo_page.control("stream-start").click()
    expect(echo_page.page.locator("#deadline-error")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read_in_both_colour_schemes(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    echo_page = EchoPage(page).open()
    for fill in (lambda _: None, fill_readouts):
        fill(echo_page)
        measured = text_contrasts(page)
        assert len(measured) > 30
        assert [each for each in measured if each.contrast < LEAST_CONTRAST] == []


def test_the_background_follows_the_system(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    EchoPage(page).open()
    light = page_background(page)
    page.emulate_media(color_scheme="dark")
    dark = page_background(page)
    assert light != dark
    assert "none" not in (light, dark)


@pytest.mark.parametrize(("system", "chosen"), [("light", "dark"), ("dark", "light")])
def test_a_chosen_theme_overrides_the_system_and_lasts(page: Page, system: str, chosen: str) -> None:
    page.emulate_media(color_scheme="light" if system == "light" else "dark")
    echo_page = EchoPage(page).open()
    by_system = page_background(page)
    echo_page.choose(f"theme-{chosen}")
    by_choice = page_background(page)
    assert by_choice != by_system

    page.reload()
    expect(echo_page.control(f"theme-{chosen}")).to_be_checked()
    assert page_background(page) == by_choice

    echo_page.choose("theme-auto")
    assert page_background(page) == by_system
    page.reload()
    expect(echo_page.control("theme-auto")).to_be_checked()
    assert page_background(page) == by_system


@PHONE
def test_a_phone_needs_no_sideways_scrolling(echo_page: EchoPage) -> None:
    page = echo_page.page
    overflow = "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
    assert page.evaluate("innerWidth") == 390
    assert page.evaluate(overflow) == 0
    fill_readouts(echo_page)
    assert page.evaluate(overflow) == 0
    echo_page.control("deadline").fill("")
    echo_page.echo("unbroken" * 200)
    echo_page.unary.expect_state("done")
    echo_page.start_stream("unbroken" * 50, 30, 0, abort_code=8)
    echo_page.stream.expect_state("failed")
    assert page.evaluate(overflow) == 0
    assert page.evaluate("innerWidth") == 390


@PHONE
def test_all_controls_can_be_tapped_on_a_phone(echo_page: EchoPage, witness: Witness, server: Server) -> None:
    witness.expect_problem("net::ERR_ABORTED")
    echo_page.control("stream-abort").check()
    for name in (*CONTROLS, *(PATH_CONTROLS if server.kind == ENVOY else ())):
        control = echo_page.control(name)
        label = echo_page.page.locator("label").filter(has=control)
        target = label if label.count() else control
        target.scroll_into_view_if_needed()
        box = target.bounding_box()
        assert box is not None, name
        assert box["x"] >= 0, name
        assert box["x"] + box["width"] <= 390, name
        # WCAG 2.2, 2.5.8 (AA).
        assert min(box["width"], box["height"]) >= 24, name
        if name != "stream-cancel":
            target.tap(trial=True)
    echo_page.plan_stream("tapped", 200, 150)
    echo_page.control("stream-start").tap()
    echo_page.stream.expect_state("streaming")
    echo_page.stream.cancel.tap()
    echo_page.stream.expect_state("cancelled")
