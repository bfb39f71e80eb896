"""The panels beside Echo: how one gets to them, and how they look and sound in all themes and sizes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.colours import LEAST_CONTRAST, text_contrasts
from tests.e2e.envoy_site import ENVOY
from tests.e2e.site_page import SitePage
from tests.e2e.test_accessibility import NAMED_ROLES, accessible_nodes
from tests.e2e.test_appearance import PHONE
from tests.e2e.test_keyboard import FOCUSABLE, tab_stops
from tests.servers import ASGI

pytestmark = pytest.mark.parametrize("server", [ASGI, ENVOY], indirect=True)

OVERFLOW = "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"


def visitor_orders(site: SitePage) -> None:
    site.open("orders")
    expect(site.product("Stoneware mug")).to_be_visible()


def staff_users(site: SitePage) -> None:
    site.sign_in_as_demo("staff", "users")
    expect(site.rows.first).to_be_visible()


def user_form(site: SitePage) -> None:
    staff_users(site)
    site.control("users-new").click()
    site.fill_user(email="wrong", age="old")
    site.add_entry("", "a value without its key")
    site.save_user()
    expect(site.field_error("age")).to_be_visible()


def token_secret(site: SitePage) -> None:
    """With a table of tokens behind it."""
    site.sign_in_as_demo("customer", "users")
    site.control("token-new").click()
    site.page.locator("#token-name").fill("a program")
    site.control("token-save").click()
    expect(site.control("token-secret")).to_be_visible()
    expect(site.control("tokens")).to_have_attribute("data-state", "ready")


def staff_orders(site: SitePage) -> None:
    site.sign_in_as_demo("staff").expect_live()
    expect(site.column("delivered").locator(".card").first).to_be_visible()


def customer_orders(site: SitePage) -> None:
    """With a cart that shows an error."""
    site.sign_in_as_demo("customer").expect_live()
    site.add_to_cart("Merino blanket")
    site.cart_line("Merino blanket").get_by_test_id("cart-quantity").fill("99")
    site.control("cart-place").click()
    expect(site.cart_line("Merino blanket").get_by_test_id("cart-error")).to_contain_text("wanted")


def question(site: SitePage) -> None:
    staff_users(site)
    site.control("user-delete").first.click()
    expect(site.confirm).to_be_visible()


VIEWS: list[Callable[[SitePage], None]] = [
    visitor_orders,
    staff_users,
    user_form,
    token_secret,
    staff_orders,
    customer_orders,
    question,
]
EACH_VIEW = pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)


@EACH_VIEW
def test_all_text_can_be_read_and_everything_has_a_name(site: SitePage, view: Callable[[SitePage], None]) -> None:
    site.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    view(site)
    for scheme in ("light", "dark"):
        site.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        measured = text_contrasts(site.page)
        assert len(measured) > 10
        assert [each for each in measured if each.contrast < LEAST_CONTRAST] == []

    unnamed = [
        node["role"]["value"]
        for node in accessible_nodes(site.page)
        if node["role"]["value"] in NAMED_ROLES - {"table"} and not node.get("name", {}).get("value", "").strip()
    ]
    assert unnamed == []
    ids = site.page.locator("[id]").evaluate_all("all => all.map((each) => each.id)")
    assert len(ids) == len(set(ids))
    levels = site.page.get_by_role("heading").evaluate_all("all => all.map((each) => Number(each.tagName[1]))")
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


@PHONE
@EACH_VIEW
def test_a_phone_shows_it_whole_with_controls_for_fingers(site: SitePage, view: Callable[[SitePage], None]) -> None:
    view(site)
    assert site.page.evaluate(OVERFLOW) == 0
    assert site.page.evaluate("innerWidth") == 390
    small = site.page.evaluate("""() => [...document.querySelectorAll("button, .panel-nav a, input, select")]
        .map((element) => element.closest("label") ?? element)
        .filter((element) => element.checkVisibility())
        .map((element) => [element.textContent || element.id, element.getBoundingClientRect()])
        .filter(([, box]) => Math.min(box.width, box.height) < 24)
        .map(([name]) => name)""")
    assert small == []


@pytest.mark.parametrize("view", [staff_users, staff_orders, customer_orders], ids=lambda view: view.__name__)
def test_tab_reaches_every_control_in_reading_order_and_shows_it(
    site: SitePage, view: Callable[[SitePage], None]
) -> None:
    site.page.emulate_media(reduced_motion="reduce")
    view(site)
    # The address names the panel, and that is where a browser begins to count.
    site.control("theme-auto").focus()
    stops = tab_stops(site.page)
    assert ["theme-auto", *(stop["name"] for stop in stops)] == site.page.evaluate(FOCUSABLE)
    assert [stop["name"] for stop in stops if not stop["outlined"]] == []
    assert [stop["name"] for stop in stops if not stop["inView"]] == []


def test_links_bookmarks_and_the_back_button_choose_the_panel(page: Page) -> None:
    site = SitePage(page).open("echo")
    for name, heading in (("users", "Users"), ("orders", "Orders")):
        site.control(f"nav-{name}").click()
        expect(page.get_by_role("heading", level=2)).to_have_text(heading)
        expect(page).to_have_title(f"{heading} · Django gRPC-Web Starter")
        expect(page.get_by_role("link", name=heading)).to_have_attribute("aria-current", "page")
    page.go_back()
    expect(page.locator("#users")).to_be_visible()
    expect(page.locator("#orders")).to_be_hidden()
    page.reload()
    expect(page.locator("#users")).to_be_visible()
    page.goto("/#nothing-of-the-kind")
    expect(page.locator("#echo")).to_be_visible()
    expect(page).to_have_title("Django gRPC-Web Starter")
    page.goto("/#stream")
    expect(page.locator("#stream")).to_be_in_viewport()


def test_motion_is_left_out_for_those_who_ask(site: SitePage) -> None:
    site.page.emulate_media(reduced_motion="reduce")
    staff_orders(site)
    site.page.evaluate("() => { window.glides = 0; Element.prototype.animate = () => { window.glides += 1; }; }")
    before = site.column("placed").locator(".card")
    number = before.first.get_attribute("data-order-id") or ""
    site.advance(number, "placed")
    site.expect_card(number, "paid")
    assert site.page.evaluate("window.glides") == 0
