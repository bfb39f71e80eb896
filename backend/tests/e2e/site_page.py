"""The Users and Orders panels as a person sees them, and the ways to sign in.

All test hooks of these panels are named here and nowhere else; the templates say what they mean.
"""

from __future__ import annotations

import re
import uuid
from typing import Literal

from playwright.sync_api import Locator, Page, expect

PASSWORD = "a-password-of-some-length"

Status = Literal["placed", "paid", "packed", "shipped", "delivered", "cancelled"]


def unique_email(name: str = "somebody") -> str:
    """Gives an address that no other test has."""
    return f"{name}-{uuid.uuid4().hex[:12]}@example.com"


class SitePage:
    """A window, with what a person can do in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.connection = page.get_by_test_id("connection")
        self.connection_text = self.connection.locator(".connection-text")
        self.account_name = page.get_by_test_id("account-name")
        self.rows = page.get_by_test_id("users-rows").locator("tr")
        self.range = page.get_by_test_id("users-range")
        self.dialog = page.get_by_test_id("user-dialog")
        self.confirm = page.get_by_test_id("confirm")

    def control(self, test_id: str) -> Locator:
        """Gives a control by its hook."""
        return self.page.get_by_test_id(test_id)

    # Signing in.

    def open(self, panel: str = "echo") -> SitePage:
        """Opens the page with this panel and waits until the script has shown it."""
        self.page.goto(f"/#{panel}")
        expect(self.control(f"nav-{panel}")).to_have_attribute("aria-current", "page")
        expect(self.page.locator(f"#{panel}")).to_be_visible()
        return self

    def sign_in_as_demo(self, account: Literal["customer", "staff"], panel: str = "orders") -> SitePage:
        """Presses the button in the panel's prompt for visitors, and is back in the panel."""
        self.open(panel)
        self.control(f"{panel}-demo-{account}").click()
        return self.expect_signed_in(panel)

    def sign_up(self, panel: str = "orders", name: str = "Test Customer") -> str:
        """Makes a new customer's account, comes back to the panel, and gives the e-mail address."""
        email = unique_email()
        self.open(panel)
        self.control(f"{panel}-prompt").get_by_role("link", name="sign up").click()
        self.page.get_by_label("E-mail address").fill(email)
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_label("Password confirmation").fill(PASSWORD)
        self.control("submit").click()
        self.expect_signed_in(panel)
        return email

    def expect_signed_in(self, panel: str) -> SitePage:
        """Waits for the page of somebody who is signed in, with this panel shown."""
        expect(self.account_name).to_be_visible()
        expect(self.page).to_have_url(re.compile(f"/#{panel}$"))
        expect(self.control(f"nav-{panel}")).to_have_attribute("aria-current", "page")
        return self

    # Users.

    def row(self, email: str) -> Locator:
        """Gives the row of a user."""
        return self.rows.filter(has=self.page.get_by_role("rowheader", name=email, exact=True))

    def cell(self, email: str, field: str) -> Locator:
        """Gives a cell in the row of a user."""
        return self.row(email).locator(f"[data-cell={field}]")

    def search(self, text: str) -> None:
        """Types into the search field."""
        self.control("users-search").fill(text)

    def fill_user(self, **fields: str) -> None:
        """Fills in fields of the form."""
        for name, value in fields.items():
            self.dialog.locator(f"#user-{name}").fill(value)

    def add_entry(self, key: str, value: str) -> None:
        """Adds an entry to the metadata in the form."""
        self.control("metadata-add").click()
        entry = self.control("metadata-row").last
        entry.get_by_label("Key").fill(key)
        entry.get_by_label("Value").fill(value)

    def save_user(self) -> None:
        """Presses the button of the form."""
        self.control("user-save").click()

    def field_error(self, field: str) -> Locator:
        """Gives the error at a field of the form."""
        return self.dialog.locator(f"#user-{field}-error")

    # Orders.

    def product(self, name: str) -> Locator:
        """Gives the row of a product."""
        return self.control("product-rows").locator("tr").filter(has_text=name)

    def add_to_cart(self, name: str) -> None:
        """Puts one of a product into the cart."""
        self.product(name).get_by_test_id("product-add").click()

    def cart_line(self, name: str) -> Locator:
        """Gives the line of a product in the cart."""
        return self.control("cart-lines").locator("li").filter(has_text=name)

    def place_order(self) -> str:
        """Presses the button, waits for the answer, and gives the order's number."""
        self.control("cart-place").click()
        outcome = self.control("cart-outcome")
        expect(outcome).to_have_text(re.compile(r"^Order \d+ is placed\.$"))
        return re.findall(r"\d+", outcome.inner_text())[0]

    def expect_live(self) -> SitePage:
        """Waits until the board follows."""
        expect(self.connection).to_have_attribute("data-state", "live")
        return self

    def column(self, status: Status) -> Locator:
        """Gives a column of the board."""
        return self.control(f"column-{status}")

    def card(self, order: str, status: Status) -> Locator:
        """Gives the card of an order in a column: it is there only while the order has that status."""
        return self.column(status).locator(f"[data-order-id='{order}']")

    def expect_card(self, order: str, status: Status) -> None:
        """Waits until an order has this status, here and in no other column."""
        expect(self.card(order, status)).to_be_visible()
        expect(self.control("board").locator(f"[data-order-id='{order}']")).to_have_count(1)

    def advance(self, order: str, status: Status) -> None:
        """Moves an order on from the column in which it is."""
        self.card(order, status).get_by_test_id("order-next").click()
