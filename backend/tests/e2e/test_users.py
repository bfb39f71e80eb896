"""The Users panel: staff keep the accounts, customers their own."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import manage
from tests.e2e.envoy_site import ENVOY
from tests.e2e.site_page import SitePage, unique_email
from tests.servers import ASGI, Server

pytestmark = pytest.mark.parametrize("server", [ASGI, ENVOY], indirect=True)


@pytest.fixture
def staff(site: SitePage) -> SitePage:
    """A window of demo staff with the list of users."""
    site.sign_in_as_demo("staff", "users")
    expect(site.rows.first).to_be_visible()
    return site


def create_user(staff: SitePage, email: str, name: str) -> None:
    staff.control("users-new").click()
    staff.fill_user(email=email, name=name)
    staff.save_user()
    expect(staff.dialog).to_be_hidden()
    staff.search(email)
    expect(staff.rows).to_have_count(1)


def test_a_user_is_created_edited_and_deleted(staff: SitePage) -> None:
    email = unique_email("emmy")
    staff.control("users-new").click()
    staff.fill_user(email=email.upper(), name="Emmy Noether", age="53")
    staff.control("user-role-staff").check()
    staff.add_entry("field", "algebra")
    staff.save_user()
    expect(staff.dialog).to_be_hidden()
    expect(staff.control("users-announcement")).to_have_text(f"{email} is created")
    staff.search(email)
    expect(staff.range).to_have_text("1–1 of 1")
    shown = {"age": "53", "roles": "Customer, Staff", "status": "Active", "metadata": "field algebra"}
    for field, text in shown.items():
        expect(staff.cell(email, field)).to_have_text(text)

    staff.row(email).get_by_test_id("user-edit").click()
    staff.fill_user(name="Amalie Noether", age="")
    staff.page.locator("#user-status").select_option("Suspended")
    staff.control("metadata-remove").click()
    staff.save_user()
    for field, text in {"name": "Amalie Noether", "age": "–", "status": "Suspended", "metadata": "–"}.items():
        expect(staff.cell(email, field)).to_have_text(text)

    staff.row(email).get_by_test_id("user-delete").click()
    expect(staff.confirm).to_contain_text(email)
    staff.control("confirm-no").click()
    expect(staff.row(email)).to_be_visible()
    staff.row(email).get_by_test_id("user-delete").click()
    staff.control("confirm-yes").click()
    expect(staff.confirm).to_be_hidden()
    expect(staff.row(email)).to_have_count(0)
    expect(staff.control("users-note")).to_contain_text(f"No user has “{email}”")


def test_what_is_wrong_stands_at_the_field_until_it_is_right(staff: SitePage) -> None:
    email = unique_email()
    staff.control("users-new").click()
    staff.fill_user(email="no address", name="n" * 201, age="151")
    staff.add_entry("k" * 41, "too long a key")
    staff.save_user()
    for field in ("email", "name", "age", "metadata"):
        expect(staff.field_error(field)).to_be_visible()
    expect(staff.page.locator("#user-email")).to_be_focused()
    expect(staff.page.locator("#user-email")).to_have_attribute("aria-invalid", "true")
    expect(staff.page.locator("#user-email")).to_have_accessible_description("Enter a valid email address.")

    staff.fill_user(email="demo@example.com", name="Short", age="not a number")
    staff.control("metadata-remove").click()
    staff.save_user()
    expect(staff.field_error("age")).to_have_text("Empty, or a whole number")
    expect(staff.field_error("email")).to_be_hidden()
    staff.fill_user(age="15")
    staff.save_user()
    expect(staff.field_error("email")).to_have_text("This address has an account.")
    expect(staff.field_error("age")).to_be_hidden()
    staff.fill_user(email=email)
    staff.save_user()
    expect(staff.dialog).to_be_hidden()


def test_what_the_server_refuses_is_said_in_the_dialog(staff: SitePage) -> None:
    staff.search("staff@example.com")
    expect(staff.rows).to_have_count(1)
    staff.row("staff@example.com").get_by_test_id("user-delete").click()
    staff.control("confirm-yes").click()
    expect(staff.control("confirm-error")).to_contain_text("Nobody can delete their own account")
    staff.page.keyboard.press("Escape")
    expect(staff.confirm).to_be_hidden()
    expect(staff.row("staff@example.com").get_by_test_id("user-delete")).to_be_focused()


def test_pages_go_forth_and_back_within_a_search(staff: SitePage, server: Server) -> None:
    word = unique_email("paged").split("@")[0]
    make = f"[User.objects.create(email=f'{word}-{{n:02}}@example.com') for n in range(12)]"
    manage(server.database, "shell", "-c", f"from services.users.models import User; {make}")
    staff.search(word)
    expect(staff.rows.first).to_contain_text(word)  # not the range, which may be the same for all users
    expect(staff.range).to_have_text("1–10 of 12")
    expect(staff.control("users-previous")).to_have_attribute("aria-disabled", "true")
    staff.control("users-next").click()
    expect(staff.range).to_have_text("11–12 of 12")
    expect(staff.rows).to_have_count(2)
    expect(staff.control("users-next")).to_have_attribute("aria-disabled", "true")
    staff.control("users-previous").click()
    expect(staff.range).to_have_text("1–10 of 12")
    staff.search("")
    expect(staff.row("ada@example.com")).to_be_visible()


def test_customers_change_what_they_may_of_their_own_account(site: SitePage) -> None:
    email = site.sign_up("users", name="Before")
    facts = site.control("account-facts")
    expect(facts).to_contain_text("Before")
    site.control("account-edit").click()
    expect(site.page.locator("#user-email")).to_have_count(0)
    site.fill_user(name="After", age="200")
    site.add_entry("colour", "green")
    site.save_user()
    expect(site.field_error("age")).to_be_visible()
    site.fill_user(age="20")
    site.save_user()
    expect(site.dialog).to_be_hidden()
    for text in (email, "After", "20", "colour green"):
        expect(facts).to_contain_text(text)
    site.page.reload()
    expect(facts).to_contain_text("After")


def test_the_form_by_keyboard_alone(staff: SitePage) -> None:
    keyboard = staff.page.keyboard
    staff.control("users-new").focus()
    keyboard.press("Enter")
    expect(staff.page.locator("#user-email")).to_be_focused()
    email = unique_email("typed")
    keyboard.type(email)
    keyboard.press("Tab")
    keyboard.type("By Hand")
    keyboard.press("Enter")
    expect(staff.dialog).to_be_hidden()
    expect(staff.control("users-new")).to_be_focused()
    staff.search(email)
    expect(staff.cell(email, "name")).to_have_text("By Hand")
    keyboard.press("Escape")
    expect(staff.row(email)).to_be_visible()
