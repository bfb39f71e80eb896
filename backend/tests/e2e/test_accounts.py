"""Signing up, out and in, with the keyboard and on a phone, as people do it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.witness import Witness

PASSWORD = "a-Long-enough-passw0rd"


@pytest.fixture(params=[None, "phone"])
def browser_context_args(browser_context_args: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    """A desktop window, and a phone."""
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "color_scheme": "dark"}
    return browser_context_args | (phone if request.param else {})


def fill_in(page: Page, **fields: str) -> None:
    """Types into the form and sends it by the Enter key."""
    for name, value in fields.items():
        page.locator(f"[name={name}]").fill(value)
    page.keyboard.press("Enter")


def test_signing_up_out_and_in(page: Page) -> None:
    email = f"{uuid.uuid4().hex}@example.com"
    page.goto("/")
    page.get_by_role("link", name="Sign in").click()
    page.get_by_role("link", name="Sign up").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign up")

    fill_in(page, email="nobody", name="Ada Lovelace", password1=PASSWORD, password2=PASSWORD)
    expect(page).to_have_title("Error: Sign up · Django gRPC-Web Starter")
    address = page.get_by_role("textbox", name="E-mail address")
    expect(address).to_have_accessible_description("Enter a valid email address.")
    expect(address).to_be_focused()

    fill_in(page, email=email, password1=PASSWORD, password2=PASSWORD)
    expect(page).to_have_url("/")
    expect(page.get_by_test_id("account-name")).to_have_text("Ada")

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()

    page.goto("/sign-in/")
    fill_in(page, username=email, password="wrong")
    expect(page.get_by_role("alert")).to_contain_text("no active account")
    fill_in(page, username=email, password=PASSWORD)
    expect(page.get_by_test_id("account-name")).to_have_text("Ada")


def test_looking_around_as_a_demo_user(page: Page) -> None:
    page.goto("/sign-in/?next=/sign-in/")
    page.get_by_role("button", name="Sign in as demo staff").click()
    expect(page.get_by_test_id("account-name")).to_have_attribute("title", "staff@example.com")


def test_too_many_attempts(page: Page, witness: Witness) -> None:
    witness.expect_problem("429")
    page.goto("/sign-in/")
    email = f"{uuid.uuid4().hex}@example.com"
    for _ in range(5):
        fill_in(page, username=email, password="wrong")
        expect(page.get_by_role("alert")).to_contain_text("no active account")
        expect(page.locator("[name=password]")).to_be_empty()
    fill_in(page, username=email, password="wrong")
    expect(page.get_by_role("alert")).to_contain_text("Try again in 15 minutes.")


@pytest.mark.parametrize("path", ["/sign-in/", "/sign-up/"])
def test_nothing_is_wider_than_the_window(page: Page, path: str) -> None:
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    # WCAG 2.2, 2.5.8 (AA), which leaves out links inside a sentence.
    for control in page.locator("nav a, button, .account input:not([type=hidden])").all():
        box = control.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 24, box
