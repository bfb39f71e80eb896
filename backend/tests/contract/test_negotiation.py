"""Which requests are RPCs, in which mode they are answered, and what is none of the bridge's business."""

from __future__ import annotations

import pytest

from tests.contract.control import Control
from tests.contract.grpc_web import BINARY, TEXT
from tests.contract.http_client import Connection
from tests.contract.literals import GOOD_ANSWER, HELLO
from tests.contract.methods import path
from tests.servers import Server

HELLO_TEXT = b"AAAAAAcKBWhlbGxv"
BODIES = {BINARY: HELLO, TEXT: HELLO_TEXT}
ANSWERS = {
    BINARY: GOOD_ANSWER,
    TEXT: HELLO_TEXT + b"gAAAABBncnBjLXN0YXR1czogMA0K",
}

BINARY_FORMS = (
    "application/grpc-web",
    "application/grpc-web+proto",
    "APPLICATION/gRPC-Web+Proto",
    "application/grpc-web+proto; charset=utf-8",
    "application/grpc-web+proto;x=y;z",
    "application/grpc-web ;charset=utf-8",
)
TEXT_FORMS = (
    "application/grpc-web-text",
    "application/grpc-web-text+proto",
    "application/grpc-web-text-base64",
    "Application/GRPC-web-TEXT",
    "application/grpc-web-text; charset=utf-8",
)

# A page on another site can send the first three without asking by a preflight.
OTHER_TYPES = (
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/json",
    "application/grpc+json",
    "application/grpc-web+json",
    "application/grpc-web+thrift",
    "application/grpc-webbing",
    "application/grpc-web-textual",
    "text/plain; application/grpc-web",
    "text/plain, application/grpc-web",
    "application/proto",
    "",
)

HTTP_METHODS = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")


@pytest.mark.parametrize("content_type", [*BINARY_FORMS, *TEXT_FORMS])
def test_content_types(server: Server, flavour: str, content_type: str) -> None:
    mode = BINARY if content_type in BINARY_FORMS else TEXT
    with Connection(server) as connection:
        headers = [("content-type", content_type)]
        response = connection.request("POST", path(flavour, "Echo"), headers, BODIES[mode])
        assert (response.status, response.headers["content-type"]) == (200, mode)
        assert response.read() == ANSWERS[mode]


@pytest.mark.parametrize(
    ("request_type", "accept", "answer_type"),
    [
        (BINARY, BINARY, BINARY),
        (BINARY, TEXT, TEXT),
        (BINARY, "application/grpc-web-text", TEXT),
        (BINARY, "Application/GRPC-Web-Text", TEXT),
        (BINARY, f"{BINARY}, {TEXT};q=0.5", TEXT),
        (BINARY, "*/*", BINARY),
        (BINARY, "text/html", BINARY),
        (BINARY, "", BINARY),
        (TEXT, TEXT, TEXT),
        (TEXT, "*/*", TEXT),
        (TEXT, "application/json", TEXT),
        (TEXT, BINARY, TEXT),
    ],
)
def test_accept(server: Server, request_type: str, accept: str, answer_type: str) -> None:
    """Text if the caller lists it, else as the request: clients tell us so, and never ask for what they cannot read."""
    with Connection(server) as connection:
        headers = [("content-type", request_type), ("accept", accept)]
        response = connection.request("POST", path("Sync", "Echo"), headers, BODIES[request_type])
        assert response.headers.get_all("content-type") == [answer_type]
        assert response.read() == ANSWERS[answer_type]


@pytest.mark.parametrize("accept", [BINARY, TEXT])
def test_accept_counts_for_errors_too(server: Server, accept: str) -> None:
    with Connection(server) as connection:
        headers = [("content-type", BINARY), ("accept", accept)]
        response = connection.request("POST", "/contract.Sync/Missing", headers, HELLO)
        assert (response.status, response.headers["content-type"]) == (200, accept)


@pytest.mark.parametrize("content_type", [*OTHER_TYPES, None])
def test_other_types_never_reach_a_handler(
    server: Server, control: Control, flavour: str, content_type: str | None
) -> None:
    before = control.invocations(flavour, "Echo")
    headers = [] if content_type is None else [("content-type", content_type)]
    with Connection(server) as connection:
        response = connection.request("POST", path(flavour, "Echo"), headers, HELLO)
        assert response.status == 415
        assert "application/grpc-web+proto" in response.headers["accept-post"]
        assert response.headers["content-type"].startswith("text/plain")
        assert response.read()
    assert control.invocations(flavour, "Echo") == before


@pytest.mark.parametrize("content_type", ["application/grpc", "application/grpc+proto"])
def test_native_grpc_needs_trailers_which_http_1_has_not(
    server: Server, control: Control, flavour: str, content_type: str
) -> None:
    before = control.invocations(flavour, "Echo")
    with Connection(server) as connection:
        response = connection.request("POST", path(flavour, "Echo"), [("content-type", content_type)], HELLO)
        assert response.status == 505
        assert b"trailers" in response.read()
        assert connection.request("POST", "/other/", [("content-type", content_type)], HELLO).status == 404
    assert control.invocations(flavour, "Echo") == before


def test_headers_in_the_query_do_not_count(server: Server, control: Control) -> None:
    """grpc-web can put them there to avoid the preflight, which is what protects cookies."""
    before = control.invocations("Sync", "Echo")
    with Connection(server) as connection:
        target = path("Sync", "Echo") + "?$httpHeaders=content-type:application/grpc-web%2Bproto%0D%0A"
        assert connection.request("POST", target, [("content-type", "text/plain")], HELLO).status == 415
    assert control.invocations("Sync", "Echo") == before


@pytest.mark.parametrize("http_method", HTTP_METHODS)
@pytest.mark.parametrize("content_type", [BINARY, "text/plain", None])
def test_other_http_methods(
    server: Server, control: Control, flavour: str, http_method: str, content_type: str | None
) -> None:
    before = control.invocations(flavour, "Echo")
    with Connection(server) as connection:
        headers = [] if content_type is None else [("content-type", content_type)]
        connection.send_head(http_method, path(flavour, "Echo"), headers)
        response = connection.response(http_method)
        assert (response.status, response.headers["allow"]) == (405, "POST")
        assert bool(response.read()) is (http_method != "HEAD")
    assert control.invocations(flavour, "Echo") == before


@pytest.mark.parametrize(
    "target",
    [
        "/contract.Sync/Missing",
        "/contract.Missing/Echo",
        "/contract.Sync/echo",
        "/contract.sync/Echo",
        "/contract.Sync/Echo/",
        "/contract.Sync/Echo/more",
        "/prefix/contract.Sync/Echo",
        "/contract.Sync",
        "/",
        "/admin/",
        "/healthz",
    ],
)
def test_an_rpc_to_an_unknown_method_gets_a_status(server: Server, target: str) -> None:
    """Its caller cannot read a web page."""
    with Connection(server) as connection:
        response = connection.request("POST", target, [("content-type", BINARY)], HELLO)
        assert (response.status, response.headers["content-type"]) == (200, BINARY)
        assert response.read() == b"\x80\x00\x00\x00\x32grpc-status: 12\r\ngrpc-message: Method not found!\r\n"


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        ("/", 200, b"<html"),
        ("/healthz", 200, b"ok"),
        ("/admin/login/", 200, b"csrfmiddlewaretoken"),
        ("/admin/", 302, b""),
        ("/contract.Sync/Missing", 404, b"Not Found"),
        ("/contract.Sync/", 404, b"Not Found"),
        ("/nothing-here", 404, b"Not Found"),
    ],
)
def test_pages_are_django_s(server: Server, target: str, status: int, text: bytes) -> None:
    with Connection(server) as connection:
        connection.send_head("GET", target, [])
        response = connection.response("GET")
        assert response.status == status
        assert text in response.read()


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", "application/grpc"])
@pytest.mark.parametrize(("target", "status"), [("/admin/login/", 403), ("/contract.Sync/Missing", 404), ("/", 403)])
def test_posts_of_other_types_are_django_s(server: Server, content_type: str, target: str, status: int) -> None:
    with Connection(server) as connection:
        assert connection.request("POST", target, [("content-type", content_type)], b"a=b").status == status


def test_a_query_changes_nothing(server: Server, flavour: str) -> None:
    with Connection(server) as connection:
        response = connection.request("POST", path(flavour, "Echo") + "?a=b", [("content-type", BINARY)], HELLO)
        assert response.read() == ANSWERS[BINARY]
