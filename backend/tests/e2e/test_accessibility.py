"""What assistive technology gets to know: names, landmarks, and what happens."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.echo_page import EchoPage
from tests.e2e.envoy_site import ENVOY
from tests.e2e.witness import Witness
from tests.servers import ASGI

# What the page tells does not depend on the worker: both send the same files. With Envoy it has a switch more.
pytestmark = pytest.mark.parametrize("server", [ASGI, ENVOY], indirect=True)

NAMED_ROLES = {"button", "checkbox", "combobox", "link", "radio", "spinbutton", "textbox", "table", "image", "img"}
"""Roles that say nothing without a name."""


def accessible_nodes(page: Page) -> list[dict[str, Any]]:
    """Gives what Chromium tells assistive technology of the page."""
    session = page.context.new_cdp_session(page)
    nodes: list[dict[str, Any]] = session.send("Accessibility.getFullAXTree")["nodes"]
    return [node for node in nodes if not node["ignored"]]


def test_everything_to_operate_has_a_name(echo_page: EchoPage) -> None:
    echo_page.control("stream-abort").check()
    found: dict[str, list[str]] = {}
    for node in accessible_nodes(echo_page.page):
        role = node["role"]["value"]
        if role in NAMED_ROLES:
            found.setdefault(role, []).append(node.get("name", {}).get("value", "").strip())
    assert {"button", "checkbox", "combobox", "radio", "spinbutton", "textbox"} <= found.keys()
    assert {role: names for role, names in found.items() if "" in names} == {}


def test_the_page_has_landmarks_and_headings(echo_page: EchoPage) -> None:
    page = echo_page.page
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("banner")).to_have_count(1)
    expect(page.get_by_role("main")).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    for name in ("Echo", "Unary", "Server streaming"):
        expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()

    levels = page.get_by_role("heading").evaluate_all("all => all.map((each) => Number(each.tagName[1]))")
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_every_id_is_unique(echo_page: EchoPage) -> None:
    ids = echo_page.page.locator("[id]").evaluate_all("all => all.map((each) => each.id)")
    assert len(ids) == len(set(ids))


def test_results_are_announced(echo_page: EchoPage) -> None:
    unary, stream = echo_page.unary.announcement, echo_page.stream.announcement
    for announcement in (unary, stream):
        expect(announcement).to_have_role("status")
    echo_page.echo("said aloud")
    expect(unary).to_have_text(re.compile(r"Echo done.*OK.*said aloud"))
    echo_page.abort(8, "said in anger")
    expect(unary).to_have_text(re.compile(r"EchoAbort failed.*RESOURCE_EXHAUSTED.*said in anger"))
    echo_page.start_stream("said often", 3, 20)
    expect(stream).to_have_text(re.compile(r"ServerStreamingEcho done after 3 messages.*OK"))
    echo_page.start_stream("said in vain", 2, 20, abort_code=14)
    expect(stream).to_have_text(re.compile(r"ServerStreamingEchoAbort failed after 2 messages.*UNAVAILABLE.*in vain"))


def test_a_cancellation_is_announced(echo_page: EchoPage, witness: Witness) -> None:
    witness.expect_problem("net::ERR_ABORTED")
    echo_page.start_stream("hush", 100, 100)
    expect(echo_page.stream.announcement).to_contain_text("ServerStreamingEcho")
    expect(echo_page.stream.row(1)).to_be_visible()
    echo_page.stream.cancel.click()
    expect(echo_page.stream.announcement).to_contain_text("cancelled")
