"""People come in and go: by the forms, and by the buttons for demo users."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.envoy_site import ENVOY
from tests.e2e.site_page import PASSWORD, SitePage, unique_email
from tests.e2e.witness import Witness
from tests.servers import ASGI

pytestmark = pytest.mark.parametrize("server", [ASGI, ENVOY], indirect=True)


def test_somebody_signs_up_and_out_and_in_again(site: SitePage) -> None:
    email = site.sign_up("users", name="Grete Hermann")
    expect(site.account_name).to_have_text("Grete")
    expect(site.account_name).to_have_attribute("title", email)
    expect(site.control("account-facts")).to_contain_text(email)

    site.control("sign-out").click()
    expect(site.control("sign-in")).to_be_visible()
    site.open("users")
    expect(site.control("users-prompt")).to_be_visible()

    site.control("users-prompt").get_by_role("link", name="Sign in").click()
    site.page.get_by_label("E-mail address").fill(email)
    site.page.get_by_label("Password").fill("a wrong one")
    site.control("submit").click()
    expect(site.control("form-error")).to_contain_text("no active account")
    site.page.get_by_label("Password").fill(PASSWORD)
    site.control("submit").click()
    site.expect_signed_in("users")


def test_a_form_says_what_is_wrong_at_the_field(site: SitePage) -> None:
    site.open().control("sign-up").click()
    site.page.get_by_label("E-mail address").fill(unique_email())
    site.page.get_by_label("Password", exact=True).fill("12345678")
    site.page.get_by_label("Password confirmation").fill("12345678")
    site.control("submit").click()
    expect(site.page).to_have_title("Error: Sign up · Django gRPC-Web Starter")
    expect(site.page.locator(".field-error").first).to_be_visible()


@pytest.mark.parametrize("panel", ["users", "orders"])
def test_a_demo_user_comes_back_to_the_panel(site: SitePage, panel: str) -> None:
    site.sign_in_as_demo("customer", panel)
    expect(site.account_name).to_have_attribute("title", "demo@example.com")
    expect(site.control(f"{panel}-prompt")).to_have_count(0)


def test_visitors_see_the_catalogue_and_a_way_in(site: SitePage, witness: Witness) -> None:
    site.open("orders")
    expect(site.product("Stoneware mug")).to_contain_text("€24.00")
    expect(site.control("product-add")).to_have_count(0)
    expect(site.control("board")).to_have_count(0)
    expect(site.control("orders-prompt")).to_be_visible()
    site.control("nav-users").click()
    expect(site.control("users-prompt")).to_contain_text("Accounts are private")
    expect(site.control("users-list")).to_have_count(0)
    called = {request.url.rsplit("/", 1)[-1] for request in witness.requests if request.method == "POST"}
    assert called == {"ListProducts"}, "what a visitor may not see is not even asked for"
