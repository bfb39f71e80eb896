"""Unary calls from the page, and what they are on the wire."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.echo_page import CONTENT_TYPES, SERVICE_PATH, WIRES, EchoPage, Wire
from tests.e2e.witness import Witness, record_preflights
from tests.servers import Server

pytestmark = pytest.mark.parametrize("wire", WIRES)

UNICODE = "Grüße, мир, 世界, 👩‍🚀 — 100 % & <b>no markup</b>"


@pytest.fixture(autouse=True)
def chosen_wire(echo_page: EchoPage, wire: Wire) -> None:
    echo_page.choose_wire(wire)


def test_the_message_comes_back_with_status_ok(echo_page: EchoPage) -> None:
    for message in ("Hello", UNICODE, "x" * 20_000, " ", ""):
        echo_page.echo(message)
        expect(echo_page.response).to_have_js_property("textContent", message)
        echo_page.unary.expect_status("done", 0, "OK", "")
        expect(echo_page.unary.method).to_have_text("Echo")
        expect(echo_page.response).to_have_count(1)
        assert echo_page.unary.elapsed_ms() > 0
        assert echo_page.unary.trailing_metadata() == []


def test_no_op_answers(echo_page: EchoPage) -> None:
    echo_page.control("noop-send").click()
    echo_page.unary.expect_status("done", 0, "OK", "")
    expect(echo_page.unary.method).to_have_text("NoOp")


def test_a_call_that_meets_its_deadline_is_ok(echo_page: EchoPage) -> None:
    echo_page.set_deadline(30_000)
    with echo_page.page.expect_request(f"**{SERVICE_PATH}Echo") as sent:
        echo_page.echo("in time")
    echo_page.unary.expect_status("done", 0, "OK")
    expect(echo_page.response).to_have_text("in time")
    assert sent.value.headers["grpc-timeout"].rstrip("m").isdigit()


def test_a_call_is_one_post_of_its_wire_format(
    echo_page: EchoPage, wire: Wire, witness: Witness, server: Server
) -> None:
    preflights = record_preflights(echo_page.page)
    before = len(witness.requests)
    echo_page.echo("on the wire")
    echo_page.unary.expect_state("done")

    (request,) = witness.requests[before:]
    assert request.method == "POST"
    assert request.url == f"{server.url}{SERVICE_PATH}Echo"
    assert request.headers["content-type"] == CONTENT_TYPES[wire]
    assert preflights == []
    response = request.response()
    assert response is not None
    assert response.status == 200
    assert response.headers["content-type"].startswith(CONTENT_TYPES[wire])
