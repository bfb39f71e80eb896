"""CORS of a site that has allowed other origins: what a browser asks before a call, and what it may read after it."""

from __future__ import annotations

from http.client import HTTPMessage

import pytest
from google.protobuf.empty_pb2 import Empty

from tests.contract.grpc_web import BINARY, MODES, TEXT
from tests.contract.http_client import Connection
from tests.contract.literals import GOOD_ANSWER, HELLO
from tests.contract.methods import path
from tests.contract.site_settings import PARTNER, PREVIEW, TRUSTED
from tests.servers import Server

FOREIGN = "https://evil.example.org"
COOKIE = ("cookie", "theme=dark; sessionid=0123456789abcdef")
EXPOSED = "grpc-status, grpc-message, grpc-status-details-bin"
ASKED = "content-type,x-grpc-web,x-user-agent,grpc-timeout,authorization"
EMPTY = MODES[0].request_body([Empty()])


def cors(headers: HTTPMessage) -> dict[str, str]:
    """Gives what concerns CORS. Nothing may stand there twice."""
    found = [(name.lower(), value) for name, value in headers.items()]
    found = [(name, value) for name, value in found if name == "vary" or name.startswith("access-control-")]
    assert len(dict(found)) == len(found), found
    return dict(found)


def readable(origin: str, *keys: str) -> dict[str, str]:
    """Gives the headers by which a page may read an answer."""
    return {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": ", ".join((EXPOSED, *keys)),
        "vary": "origin",
    }


@pytest.mark.parametrize("origin", [PARTNER, PREVIEW])
@pytest.mark.parametrize("method", ["Echo", "Missing"])
def test_a_preflight(site_server: Server, flavour: str, origin: str, method: str) -> None:
    headers = [
        ("origin", origin), ("access-control-request-method", "POST"), ("access-control-request-headers", ASKED)
    ]  # fmt: skip
    with Connection(site_server) as connection:
        connection.send_head("OPTIONS", path(flavour, method), headers)
        response = connection.response("OPTIONS")
        assert (response.status, response.read()) == (200, b"")
        assert cors(response.headers) == {
            "access-control-allow-origin": origin,
            "access-control-allow-credentials": "true",
            "access-control-allow-methods": "POST",
            "access-control-allow-headers": "content-type, x-grpc-web, x-user-agent, grpc-timeout, authorization",
            "access-control-max-age": "600",
            "vary": "origin, access-control-request-method, access-control-request-headers",
        }
        # The connection goes on with the call itself.
        response = connection.request(
            "POST", path(flavour, "Echo"), [("content-type", BINARY), ("origin", origin)], HELLO
        )
        assert response.read() == GOOD_ANSWER
        assert cors(response.headers) == readable(origin)


@pytest.mark.parametrize("origin", [FOREIGN, "null", TRUSTED, "https://preview-x.example.com"])
def test_a_preflight_of_a_page_that_may_not_call(site_server: Server, target: str, origin: str) -> None:
    with Connection(site_server) as connection:
        connection.send_head("OPTIONS", target, [("origin", origin), ("access-control-request-method", "POST")])
        response = connection.response("OPTIONS")
        assert (response.status, cors(response.headers)) == (403, {"vary": "origin"})


def test_views_answer_their_own_preflights(site_server: Server) -> None:
    headers = [
        ("origin", PARTNER), ("access-control-request-method", "POST"), ("access-control-request-headers", ASKED)
    ]  # fmt: skip
    with Connection(site_server) as connection:
        for target, status in (("/", 405), ("/admin/login/", 200), ("/nothing-here", 404)):
            connection.send_head("OPTIONS", target, headers)
            response = connection.response("OPTIONS")
            response.read()
            assert response.status == status, target
            assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    ("method", "keys"),
    [
        ("SendInitial", ["first", "second-bin"]),
        ("SendInitialInStream", ["first", "second-bin"]),
        ("SetTrailing", []),
        ("Unimplemented", []),
        ("AbortWithDetails", []),
        ("SetMetadataAndRaise", ["first", "second-bin"]),
        ("YieldNone", []),
    ],
)
@pytest.mark.parametrize("content_type", [BINARY, TEXT])
def test_a_page_may_read_what_a_handler_sends(
    site_server: Server, flavour: str, method: str, keys: list[str], content_type: str
) -> None:
    mode = next(mode for mode in MODES if mode.content_type == content_type)
    headers = [*mode.headers(), ("origin", PARTNER)]
    with Connection(site_server) as connection:
        response = connection.request("POST", path(flavour, method), headers, mode.request_body([Empty()]))
        response.read()
        sent = [name.lower() for name in response.headers if name.lower() not in HTTP_HEADERS | set(readable(PARTNER))]
        assert cors(response.headers) == readable(PARTNER, *dict.fromkeys(sent))
        assert bool(sent) is bool(keys)


HTTP_HEADERS = {
    "cache-control", "connection", "content-length", "content-type", "date", "server", "transfer-encoding",
    "x-accel-buffering",
}  # fmt: skip


@pytest.mark.parametrize(
    ("http_method", "headers", "status", "keys"),
    [
        ("POST", [("content-type", BINARY), ("grpc-timeout", "soon")], 200, ()),
        ("POST", [("content-type", BINARY), ("grpc-encoding", "br")], 200, ("grpc-accept-encoding",)),
        ("POST", [("content-type", BINARY), ("grpc-timeout", "1n")], 200, ()),
        ("POST", [("content-type", "application/json")], 415, ()),
        ("POST", [("content-type", "application/grpc")], 505, ()),
        ("PUT", [("content-type", BINARY)], 405, ()),
        ("OPTIONS", [], 405, ()),
    ],
)
def test_a_page_may_read_refusals(
    site_server: Server,
    target: str,
    http_method: str,
    headers: list[tuple[str, str]],
    status: int,
    keys: tuple[str, ...],
) -> None:
    with Connection(site_server) as connection:
        response = connection.request(http_method, target, [*headers, ("origin", PARTNER)], HELLO)
        assert response.status == status
        assert cors(response.headers) == readable(PARTNER, *keys)


@pytest.mark.parametrize(
    ("origin", "status", "allowed"),
    [
        (PARTNER, 200, True),
        (PREVIEW, 200, True),
        (TRUSTED, 200, False),
        (FOREIGN, 403, False),
        ("null", 403, False),
    ],
)
def test_calls_with_the_cookie(site_server: Server, target: str, origin: str, status: int, allowed: bool) -> None:
    headers = [("content-type", BINARY), ("origin", origin), ("sec-fetch-site", "cross-site"), COOKIE]
    with Connection(site_server) as connection:
        response = connection.request("POST", target, headers, HELLO)
        assert response.status == status
        assert cors(response.headers) == (readable(origin) if allowed else {"vary": "origin"})


def test_own_pages_and_other_clients_need_nothing(site_server: Server, target: str) -> None:
    own = ("origin", f"http://{site_server.host}:{site_server.port}")
    for headers in ([], [own], [own, COOKIE]):
        with Connection(site_server) as connection:
            response = connection.request("POST", target, [("content-type", BINARY), *headers], HELLO)
            assert response.read() == GOOD_ANSWER
            assert cors(response.headers) == {"vary": "origin"}
