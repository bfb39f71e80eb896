"""The switch between in-process and Envoy: both ways from either page, for calls, streams and who is signed in."""

from __future__ import annotations

import contextlib
import http.server
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.databases import Database
from tests.e2e.conftest import SETTINGS
from tests.e2e.echo_page import SERVICE_PATH, EchoPage
from tests.e2e.envoy_site import ENVOY, EnvoySite, running_site
from tests.e2e.site_page import SitePage
from tests.e2e.witness import Witness, record_preflights
from tests.native_server.process import running_rungrpc
from tests.servers import HOST, Server

pytestmark = pytest.mark.parametrize("server", [ENVOY], indirect=True)

IN_PROCESS = "in-process"
WAYS = (IN_PROCESS, ENVOY)
LABELS = {IN_PROCESS: "in-process", ENVOY: "through Envoy"}


@pytest.fixture
def whole_site(server: Server) -> EnvoySite:
    """Envoy's edge, and Django behind it, each at an address of its own."""
    return cast(EnvoySite, server)


@pytest.fixture
def urls(whole_site: EnvoySite) -> dict[str, str]:
    """The two origins."""
    return {IN_PROCESS: whole_site.in_process.url, ENVOY: whole_site.url}


def expect_way(page: Page, way: str) -> None:
    expect(page.get_by_test_id("path")).to_have_attribute("data-path", way)
    expect(page.get_by_test_id(f"path-{way}")).to_be_checked()


def expect_taken(readout: Locator, way: str) -> None:
    expect(readout).to_have_attribute("data-path", way)
    expect(readout).to_have_text(LABELS[way])
    expect(readout).to_be_visible()


@pytest.mark.parametrize("home", WAYS)
def test_calls_take_the_way_that_is_chosen_and_say_which(
    page: Page, witness: Witness, urls: dict[str, str], home: str
) -> None:
    echo_page = EchoPage(page).open(f"{urls[home]}/")
    expect_way(page, home)
    preflights = record_preflights(page)
    other = WAYS[1 - WAYS.index(home)]
    for way in (home, other, home):
        echo_page.choose(f"path-{way}")
        before = len(witness.requests)
        echo_page.echo(f"by way of {way}")
        echo_page.unary.expect_status("done", 0, "OK", "")
        expect(echo_page.response).to_have_text(f"by way of {way}")
        expect_taken(page.get_by_test_id("unary-path"), way)
        echo_page.start_stream("tick", 3, 50, abort_code=8)
        echo_page.stream.expect_status("failed", 8, "RESOURCE_EXHAUSTED", "tick")
        assert echo_page.stream.numbers() == [1, 2, 3]
        expect_taken(page.get_by_test_id("stream-path"), way)
        assert ("echo-message-count", "3") in echo_page.stream.trailing_metadata()
        assert {request.url.partition(SERVICE_PATH)[0] for request in witness.requests[before:]} == {urls[way]}
    assert {address.partition(SERVICE_PATH)[0] for address in preflights} == {urls[other]}


@pytest.mark.parametrize("wire", ["text", "binary"])
@pytest.mark.parametrize("way", WAYS)
def test_a_page_of_the_other_origin_sees_an_error_whole(page: Page, urls: dict[str, str], wire: str, way: str) -> None:
    """Also one that comes in the headers, of which a browser shows only what it is told to."""
    echo_page = EchoPage(page).open(f"{urls[WAYS[1 - WAYS.index(way)]]}/")
    echo_page.choose(f"path-{way}")
    echo_page.choose_wire("binary" if wire == "binary" else "text")
    echo_page.abort(9, "größer als 100 %")
    echo_page.unary.expect_status("failed", 9, "FAILED_PRECONDITION", "größer als 100 %")
    assert echo_page.unary.trailing_metadata() == [("echo-message-count", "0")]
    assert [name for name, _ in echo_page.unary.status_details()] == ["google.rpc.ErrorInfo"]


def test_the_choice_lasts(page: Page, urls: dict[str, str]) -> None:
    echo_page = EchoPage(page).open(f"{urls[IN_PROCESS]}/")
    echo_page.choose("path-envoy")
    echo_page.open(f"{urls[IN_PROCESS]}/")
    expect_way(page, ENVOY)
    echo_page.open(f"{urls[ENVOY]}/")
    echo_page.choose(f"path-{IN_PROCESS}")
    echo_page.open(f"{urls[ENVOY]}/")
    expect_way(page, IN_PROCESS)


def test_another_name_of_the_machine_has_no_choice_and_says_why(page: Page, urls: dict[str, str]) -> None:
    """Its cookies are others. Calls go to the page's own origin."""
    echo_page = EchoPage(page).open(f"{urls[ENVOY].replace(HOST, 'localhost')}/")
    expect_way(page, ENVOY)
    expect(page.get_by_test_id(f"path-{IN_PROCESS}")).to_be_disabled()
    note = page.get_by_test_id("path-note")
    expect(note).to_be_visible()
    expect(note).to_contain_text(urls[IN_PROCESS])
    echo_page.echo("all the same")
    echo_page.unary.expect_status("done", 0, "OK", "")
    expect_taken(page.get_by_test_id("unary-path"), ENVOY)


def test_the_board_moves_to_the_other_way_and_goes_on(
    site: SitePage, another_person: Callable[[], SitePage], witness: Witness, urls: dict[str, str]
) -> None:
    """Two people, each on a way of their own, whose servers are different processes: each sees what the other does."""
    site.sign_up()
    site.expect_live()
    expect(site.connection_text).to_have_text("live, through Envoy")
    staff = another_person()
    staff.page.goto(f"{urls[IN_PROCESS]}/#orders")
    staff.control("orders-demo-staff").click()
    staff.expect_signed_in("orders").expect_live()
    expect(staff.connection_text).to_have_text("live, in-process")

    site.add_to_cart("Sencha, first flush")
    order = site.place_order()
    staff.expect_card(order, "placed")
    staff.advance(order, "placed")
    site.expect_card(order, "paid")

    before = len(witness.requests)
    EchoPage(site.page).choose(f"path-{IN_PROCESS}")
    site.expect_live()
    expect(site.connection_text).to_have_text("live, in-process")
    # The catalogue looks at the stock when it likes.
    moved = [request.url for request in witness.requests[before:] if "ListProducts" not in request.url]
    assert moved == [f"{urls[IN_PROCESS]}/orders.v1.OrderService/StreamOrderUpdates"], "from the last token on"
    staff.advance(order, "paid")
    site.expect_card(order, "packed")

    EchoPage(staff.page).choose(f"path-{ENVOY}")
    staff.expect_live()
    staff.advance(order, "packed")
    site.expect_card(order, "shipped")
    site.add_to_cart("Sencha, first flush")
    staff.expect_card(site.place_order(), "placed")


def test_the_native_server_goes_away_and_comes_back(
    page: Page, witness: Witness, migrated: Database, tmp_path: Path
) -> None:
    """Behind Envoy, which says so. In-process nobody misses it."""
    witness.expect_problem("503", "net::ERR_")
    with running_site(tmp_path / "site", migrated, SETTINGS) as site:
        echo_page = EchoPage(page).open(f"{site.url}/")
        echo_page.start_stream("cut off", 100, 200)
        expect(echo_page.stream.row(2)).to_be_visible()
        site.rungrpc.process.kill()
        echo_page.stream.expect_status("failed", 2, "UNKNOWN")
        expect(echo_page.stream.hint).to_contain_text("connection ended before the server sent a status")
        echo_page.echo("is anybody there?")
        echo_page.unary.expect_status("failed", 14, "UNAVAILABLE")
        echo_page.choose(f"path-{IN_PROCESS}")
        echo_page.echo("is anybody here?")
        echo_page.unary.expect_status("done", 0, "OK", "")
        echo_page.choose("path-envoy")
        echo_page.echo("and there?")
        echo_page.unary.expect_status("failed", 14, "UNAVAILABLE")
        (tmp_path / "again").mkdir()
        with running_rungrpc(
            tmp_path / "again", database=site.database, settings=SETTINGS, bind=(site.rungrpc.address,), copy=False
        ):
            site.envoy.wait_for(lambda: site.envoy.is_healthy("grpc"))
            echo_page.echo("welcome back")
            echo_page.unary.expect_status("done", 0, "OK", "")
            expect_taken(page.get_by_test_id("unary-path"), ENVOY)
            page.close()


FOREIGN_PAGE = b"<!doctype html><title>A page of somebody else</title>"

CALL = """async ([address, contentType]) => {
  const body = contentType.includes("text") ? "AAAAAAA=" : new Uint8Array(5);
  try {
    const response = await fetch(address, {
      method: "POST", credentials: "include", headers: { "content-type": contentType, "x-grpc-web": "1" }, body,
    });
    return [response.status, response.headers.get("grpc-status"), await response.text()];
  } catch (error) {
    return String(error);
  }
}"""
"""What a page can try: a call as whoever is signed in on the other origin."""


@contextlib.contextmanager
def foreign_page() -> Iterator[str]:
    """Serves a page that has nothing to do with the site, on the same host: the browser sends it the same cookies."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(FOREIGN_PAGE)))
            self.end_headers()
            self.wfile.write(FOREIGN_PAGE)

        def log_message(self, *arguments: object) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("content_type", ["application/grpc-web+proto", "application/grpc-web-text"])
def test_a_foreign_page_cannot_call_as_who_is_signed_in(
    site: SitePage, witness: Witness, context: BrowserContext, urls: dict[str, str], content_type: str
) -> None:
    """The browser lets it ask Envoy, which cannot know it from the site's own page at another port. The bridge can."""
    witness.expect_problem("404", "Failed to load resource", "blocked by CORS policy", "net::ERR_FAILED", "403")
    site.sign_up("users")
    whoami = "/users.v1.UserService/GetCurrentUser"
    assert any(cookie["name"] == "sessionid" for cookie in context.cookies())
    own = site.page.evaluate(CALL, [f"{urls[ENVOY]}{whoami}", content_type])
    assert (own[0], own[1]) == (200, None), "with its messages before its status"
    with foreign_page() as address:
        page = context.new_page()
        page.goto(address)
        status, code, body = page.evaluate(CALL, [f"{urls[ENVOY]}{whoami}", content_type])
        assert (status, code, body) == (200, "7", "")
        assert re.match(
            "TypeError: Failed to fetch", page.evaluate(CALL, [f"{urls[IN_PROCESS]}{whoami}", content_type])
        )
        page.close()
