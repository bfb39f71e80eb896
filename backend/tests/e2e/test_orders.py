"""The Orders panel: what one person does, others see, through breaks of all kinds."""

from __future__ import annotations

import base64
import contextlib
import functools
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Request, Route, expect

from tests.databases import Database, copied_database
from tests.e2e.conftest import SETTINGS
from tests.e2e.envoy_site import ENVOY
from tests.e2e.site_page import SitePage
from tests.e2e.witness import Witness
from tests.servers import ASGI, KINDS, Server, running_server

AnotherPerson = Callable[[], SitePage]

MUG = "Stoneware mug"
TEA = "Sencha, first flush"

on_asgi = pytest.mark.parametrize("server", [ASGI], indirect=True)
on_gunicorn = pytest.mark.parametrize("server", KINDS, indirect=True)
both_ways = pytest.mark.parametrize("server", [ASGI, ENVOY], indirect=True)


def methods_called(witness: Witness) -> list[str]:
    return [request.url.rsplit("/", 1)[-1] for request in witness.requests if request.method == "POST"]


def last_call(witness: Witness, method: str) -> Request:
    return [request for request in witness.requests if request.url.endswith(f"/{method}")][-1]


def place_one(site: SitePage, product: str = TEA) -> str:
    site.add_to_cart(product)
    return site.place_order()


def test_an_order_is_placed_and_moves_in_all_windows(site: SitePage, another_person: AnotherPerson) -> None:
    email = site.sign_up()
    site.expect_live()
    second = SitePage(site.page.context.new_page()).open("orders").expect_live()
    staff = another_person().sign_in_as_demo("staff").expect_live()

    site.add_to_cart(MUG)
    site.add_to_cart(TEA)
    site.cart_line(TEA).get_by_test_id("cart-quantity").fill("3")
    expect(site.control("cart-total")).to_have_text("€83.97")
    expect(site.control("cart-total")).to_have_attribute("data-nanos", "83970000000")
    order = site.place_order()
    expect(site.control("cart-total")).to_have_text("–")

    for window in (site, second, staff):
        window.expect_card(order, "placed")
        for text in ("€83.97", f"1 × {MUG}", f"3 × {TEA}"):
            expect(window.card(order, "placed")).to_contain_text(text)
    expect(staff.card(order, "placed")).to_contain_text(email)
    expect(site.card(order, "placed").get_by_test_id("order-next")).to_have_count(0)

    for before, after in (("placed", "paid"), ("paid", "packed"), ("packed", "shipped"), ("shipped", "delivered")):
        staff.advance(order, before)
        for window in (staff, site, second):
            window.expect_card(order, after)
    expect(second.column("delivered")).to_have_attribute("data-count", "1")
    expect(staff.card(order, "delivered").get_by_role("button")).to_have_count(0)


@both_ways
def test_a_customer_cancels_and_the_stock_is_back(site: SitePage) -> None:
    site.sign_up()
    site.expect_live()
    stock = site.product("Wool slippers").get_by_test_id("product-stock")
    expect(stock).to_have_text(re.compile(r"\d+"))
    before = int(stock.inner_text())
    order = place_one(site, "Wool slippers")
    expect(stock).to_have_text(str(before - 1))
    site.card(order, "placed").get_by_test_id("order-cancel").click()
    expect(site.confirm).to_contain_text("Its items go back to stock")
    site.control("confirm-yes").click()
    expect(site.confirm).to_be_hidden()
    site.expect_card(order, "cancelled")
    expect(stock).to_have_text(str(before))


@both_ways
def test_too_little_stock_is_said_at_the_item(site: SitePage) -> None:
    site.sign_up()
    site.add_to_cart("Merino blanket")
    site.add_to_cart(TEA)
    quantity = site.cart_line("Merino blanket").get_by_test_id("cart-quantity")
    quantity.fill("0")
    expect(site.cart_line("Merino blanket").get_by_test_id("cart-error")).to_have_text("A whole number, 1 to 99")
    expect(site.control("cart-place")).to_have_attribute("aria-disabled", "true")
    quantity.fill("99")
    site.control("cart-place").click()
    error = site.cart_line("Merino blanket").get_by_test_id("cart-error")
    expect(error).to_have_text(re.compile(r"Merino blanket: 99 wanted, \d+ in stock"))
    expect(quantity).to_have_accessible_description(re.compile("99 wanted"))
    expect(site.cart_line(TEA).get_by_test_id("cart-error")).to_be_hidden()
    expect(site.control("cart-outcome")).to_have_text("There is not enough in stock.")
    site.cart_line("Merino blanket").get_by_test_id("cart-remove").click()
    site.expect_card(site.place_order(), "placed")


@both_ways
def test_an_order_whose_answer_is_lost_is_placed_once(site: SitePage, witness: Witness) -> None:
    witness.expect_problem("net::ERR_FAILED")
    site.sign_up()
    site.expect_live()

    def lose_the_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    site.page.route("**/PlaceOrder", lose_the_answer, times=1)
    site.add_to_cart(TEA)
    site.control("cart-place").click()
    expect(site.control("cart-outcome")).to_contain_text("No order is placed twice")
    expect(site.column("placed").locator(".card")).to_have_count(1)
    order = site.place_order()
    site.expect_card(order, "placed")
    expect(site.column("placed")).to_have_attribute("data-count", "1")
    assert methods_called(witness).count("PlaceOrder") == 2


@on_asgi
def test_a_cart_outlives_a_reload_and_is_nobody_elses(site: SitePage, witness: Witness) -> None:
    """Also the attempt to place it, whose answer the page that was left behind never got."""
    site.sign_up()
    site.add_to_cart(MUG)
    site.add_to_cart(TEA)
    site.cart_line(TEA).get_by_test_id("cart-quantity").fill("3")
    site.page.reload()
    expect(site.control("cart-total")).to_have_text("€83.97")
    expect(site.cart_line(TEA).get_by_test_id("cart-quantity")).to_have_value("3")

    with site.page.expect_request("**/PlaceOrder") as placing:
        site.page.route("**/PlaceOrder", lambda route: route.fetch() and None, times=1)
        site.control("cart-place").click()
    expect(site.column("placed").locator(".card")).to_have_count(1)
    site.page.reload()
    order = site.place_order()
    assert methods_called(witness).count("PlaceOrder") == 2
    assert placing.value.post_data_buffer == last_call(witness, "PlaceOrder").post_data_buffer
    site.expect_live()
    site.expect_card(order, "placed")
    expect(site.column("placed")).to_have_attribute("data-count", "1")
    expect(site.control("cart-empty")).to_be_visible()

    site.add_to_cart(MUG)
    site.control("sign-out").click()
    site.sign_up()
    expect(site.product(MUG)).to_be_visible()
    expect(site.control("cart-empty")).to_be_visible()
    expect(site.control("cart-lines").locator("li")).to_have_count(0)


@both_ways
def test_a_browser_that_was_offline_catches_up_from_its_token(
    site: SitePage, another_person: AnotherPerson, witness: Witness
) -> None:
    witness.expect_problem("net::ERR_INTERNET_DISCONNECTED")
    site.sign_up()
    site.expect_live()
    order = place_one(site)
    site.expect_card(order, "placed")
    staff = another_person().sign_in_as_demo("staff").expect_live()

    site.page.context.set_offline(True)
    expect(site.connection).to_have_attribute("data-state", "offline")
    expect(site.connection_text).to_have_text("offline")
    staff.advance(order, "placed")
    staff.expect_card(order, "paid")
    staff.advance(order, "paid")
    staff.expect_card(order, "packed")
    site.expect_card(order, "placed")

    before = len(methods_called(witness))
    site.page.context.set_offline(False)
    site.expect_live()
    site.expect_card(order, "packed")
    called = methods_called(witness)[before:]
    assert "StreamOrderUpdates" in called
    assert "ListOrders" not in called


@both_ways
def test_a_token_that_is_too_old_lists_the_orders_anew(site: SitePage, witness: Witness) -> None:
    site.sign_up()
    site.expect_live()
    order = place_one(site)
    site.expect_card(order, "placed")

    def too_old(route: Route) -> None:
        trailers = b"grpc-status: 11\r\ngrpc-message: too old\r\n"
        frame = b"\x80" + len(trailers).to_bytes(4, "big") + trailers
        route.fulfill(body=base64.b64encode(frame), content_type="application/grpc-web-text+proto")

    site.page.route("**/StreamOrderUpdates", too_old, times=1)
    before = len(methods_called(witness))
    site.control("nav-echo").click()
    site.control("nav-orders").click()
    site.expect_live()
    site.expect_card(order, "placed")
    called = methods_called(witness)[before:]
    assert called.count("StreamOrderUpdates") == 2
    assert called.count("ListOrders") == 6


@on_asgi
def test_the_server_goes_away_and_comes_back(
    site: SitePage, another_person: AnotherPerson, witness: Witness, migrated: Database, tmp_path: Path
) -> None:
    witness.expect_problem("net::ERR_")
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(copied_database(migrated, tmp_path))
        start = functools.partial(running_server, ASGI, settings=SETTINGS, database=kept, copy=False)
        with start(tmp_path / "first") as first:
            site.page.goto(f"{first.url}/#orders")
            site.control("orders-demo-customer").click()
            site.expect_live()
            order = place_one(site)
            site.expect_card(order, "placed")

        expect(site.connection).to_have_attribute("data-state", "waiting")
        expect(site.connection_text).to_have_text(re.compile(r"reconnecting in \d+ s"))
        expect(site.control("connection-retry")).to_be_visible()
        site.expect_card(order, "placed")
        stack.enter_context(start(tmp_path / "second", port=first.port))
        site.expect_live()  # by itself
        staff = another_person()
        staff.page.goto(f"{first.url}/#orders")
        staff.control("orders-demo-staff").click()
        staff.expect_live()
        staff.advance(order, "placed")
        site.expect_card(order, "paid")


@on_gunicorn
def test_a_reload_of_the_server_is_a_short_break(
    server: Server,
    site: SitePage,
    another_person: AnotherPerson,
    witness: Witness,
    migrated: Database,
    tmp_path: Path,
) -> None:
    """No request fails, and the page goes on where it was."""
    with running_server(server.kind, tmp_path, settings=SETTINGS, database=migrated) as reloaded:
        staff = another_person()
        for window, account in ((site, "customer"), (staff, "staff")):
            window.page.goto(f"{reloaded.url}/#orders")
            window.control(f"orders-demo-{account}").click()
            window.expect_live()
        order = place_one(site)
        staff.expect_card(order, "placed")
        before = len(methods_called(witness))
        os.kill(reloaded.pid, signal.SIGHUP)
        for window in (site, staff):
            expect(window.connection).to_have_attribute("data-state", "waiting")
        for window in (site, staff):
            window.expect_live()
        staff.advance(order, "placed")
        site.expect_card(order, "paid")
        called = methods_called(witness)[before:]
        assert "StreamOrderUpdates" in called
        assert "ListOrders" not in called
        for window in (site, staff):
            window.page.close()  # or it would ask for the server that is ended now, which is a problem here


@both_ways
def test_a_card_keeps_the_focus_when_it_moves(site: SitePage, another_person: AnotherPerson) -> None:
    customer = another_person()
    customer.sign_up()
    customer.expect_live()
    order = place_one(customer)
    staff = site.sign_in_as_demo("staff").expect_live()
    for before, after in (("placed", "paid"), ("paid", "packed")):
        button = staff.card(order, before).get_by_test_id("order-next")
        button.focus()
        staff.page.keyboard.press("Enter")
        expect(staff.card(order, after).get_by_test_id("order-next")).to_be_focused()


@both_ways
def test_two_people_move_the_same_order(site: SitePage, another_person: AnotherPerson, witness: Witness) -> None:
    witness.expect_problem("net::ERR_FAILED")
    customer = another_person()
    customer.sign_up()
    order = place_one(customer)
    staff = site.sign_in_as_demo("staff").expect_live()
    staff.expect_card(order, "placed")
    staff.page.route("**/StreamOrderUpdates", lambda route: route.abort())
    staff.control("nav-echo").click()  # without its stream, the board does not know what others do
    customer.card(order, "placed").get_by_test_id("order-cancel").click()
    customer.control("confirm-yes").click()
    customer.expect_card(order, "cancelled")
    staff.control("nav-orders").click()
    staff.advance(order, "placed")
    expect(staff.card(order, "placed").get_by_test_id("order-error")).to_contain_text("cannot become paid")
