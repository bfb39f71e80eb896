"""API tokens in the Users panel: made, copied once, used by a program, revoked."""

from __future__ import annotations

import re
import urllib.request

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.e2e.site_page import SitePage
from tests.servers import ASGI, Server

pytestmark = pytest.mark.parametrize("server", [ASGI], indirect=True)

UNAUTHENTICATED = 16
EMPTY_MESSAGE = bytes(5)
TIMEOUT_SECONDS = 15


def answer_to(server: Server, secret: str) -> bytes:
    """What a program gets that asks who it is."""
    request = urllib.request.Request(  # noqa: S310 - the server under test
        f"{server.url}/users.v1.UserService/GetCurrentUser",
        data=EMPTY_MESSAGE,
        headers={"content-type": "application/grpc-web+proto", "authorization": f"Bearer {secret}"},
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
        body: bytes = response.read()
    return body


def status_of(answer: bytes) -> int:
    """Reads it from the trailers, which end the body."""
    return int(re.findall(rb"grpc-status: ?(\d+)\r\n", answer)[-1])


def make_token(site: SitePage, name: str, days: str = "30") -> str:
    """Fills in the form and gives the secret."""
    site.control("token-new").click()
    site.page.locator("#token-name").fill(name)
    site.page.locator("#token-days").fill(days)
    site.control("token-save").click()
    secret = site.control("token-secret")
    expect(secret).to_be_visible()
    return secret.input_value()


def test_a_token_is_made_used_and_revoked(site: SitePage, server: Server) -> None:
    email = site.sign_up("users")
    expect(site.control("tokens-note")).to_contain_text("No tokens.")
    secret = make_token(site, "a program", "7")
    expect(site.control("token-secret")).to_be_focused()
    site.control("token-done").click()
    rows = site.control("token-rows").locator("tr")
    expect(rows).to_have_count(1)
    for field, text in {"name": "a program", "prefix": f"{secret[:8]}…", "used": "never"}.items():
        expect(rows.locator(f"[data-cell={field}]")).to_have_text(text)
    assert secret not in site.page.content()
    expect(site.control("token-secret")).to_have_value("")

    answer = answer_to(server, secret)
    assert email.encode() in answer
    assert status_of(answer) == 0
    site.page.reload()
    expect(rows.locator("[data-cell=used]")).not_to_have_text("never")

    site.control("token-revoke").click()
    expect(site.confirm).to_contain_text("a program")
    site.control("confirm-yes").click()
    expect(site.control("users-announcement")).to_have_text("The token a program is revoked")
    expect(rows).to_have_count(0)
    expect(site.control("token-new")).to_be_focused()
    answer = answer_to(server, secret)
    assert email.encode() not in answer
    assert status_of(answer) == UNAUTHENTICATED


def test_what_is_wrong_stands_at_the_field(site: SitePage) -> None:
    site.sign_up("users")
    site.control("token-new").click()
    name, days = site.page.locator("#token-name"), site.page.locator("#token-days")
    expect(name).to_be_focused()
    days.fill("soon")
    site.control("token-save").click()
    expect(site.page.locator("#token-days-error")).to_have_text("A whole number, 1 or more")
    days.fill("366")
    site.control("token-save").click()
    expect(site.page.locator("#token-days-error")).to_have_text("A token is good for 1 to 365 days.")
    days.fill("365")
    site.control("token-save").click()
    expect(name).to_be_focused()
    expect(name).to_have_accessible_description("This field cannot be blank.")
    site.page.keyboard.type("by hand")
    site.page.keyboard.press("Enter")
    expect(site.control("token-made")).to_be_visible()
    site.page.keyboard.press("Escape")
    expect(site.control("token-new")).to_be_focused()
    expect(site.control("token-rows").locator("tr")).to_have_count(1)


def test_the_secret_is_copied(site: SitePage, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    site.sign_in_as_demo("staff", "users")
    secret = make_token(site, "to be copied")
    site.control("token-copy").click()
    expect(site.control("token-copy")).to_have_text("Copied")
    assert site.page.evaluate("navigator.clipboard.readText()") == secret
