"""Which pages may call through Envoy: what it tells their browsers, and what the bridge says to those that call anyway.

Envoy's CORS lets pages of this machine call, on any port, because nobody knows its ports; the bridge is exact about who
uses the session's cookie.
"""

from __future__ import annotations

from http.client import HTTPMessage

import grpc
import pytest

from tests.contract.case import Call
from tests.contract.cases.messages import texts
from tests.contract.control import Control
from tests.contract.envoy import EnvoyTransport
from tests.contract.grpc_web import BINARY, MODES, TEXT, Mode
from tests.contract.http_client import Connection, Headers, head
from tests.contract.literals import HELLO
from tests.contract.methods import path
from tests.contract.native import NativeTransport
from tests.servers import Server

COOKIE = ("cookie", "theme=dark; sessionid=0123456789abcdef")
FOREIGN = "https://evil.example.org"
NEIGHBOUR = "http://localhost:8000"
"""A page of the same machine."""

EXPOSED = "grpc-status, grpc-message, grpc-status-details-bin, grpc-retry-pushback-ms, echo-message-count"
BODIES = {BINARY: HELLO, TEXT: b"AAAAAAcKBWhlbGxv"}


@pytest.fixture
def control(envoy_server: Server) -> Control:
    """The bookkeeping of rungrpc."""
    return Control(EnvoyTransport(envoy_server, MODES[0]))


def cors(headers: HTTPMessage) -> dict[str, str]:
    """Gives what concerns CORS."""
    return {name.lower(): value for name, value in headers.items() if name.lower().startswith("access-control-")}


def post(
    server: Server, target: str, headers: Headers, *, host: str | None = None, content_type: str = BINARY
) -> tuple[int, HTTPMessage, bytes]:
    """Makes a call and gives status, headers and body of the answer."""
    body = BODIES[content_type]
    given = [
        ("host", server.authority if host is None else host),
        ("content-type", content_type),
        ("content-length", str(len(body))),
        *headers,
    ]
    with Connection(server) as connection:
        connection.send(head("POST", target, given) + body)
        response = connection.response()
        return response.status, response.headers, response.read()


@pytest.mark.parametrize("origin", [NEIGHBOUR, "http://127.0.0.1:8000", "http://[::1]:9000"])
@pytest.mark.parametrize("method", ["Echo", "Missing"])
def test_a_preflight(envoy_server: Server, origin: str, method: str) -> None:
    headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,grpc-timeout,x-grpc-web,x-user-agent"),
    ]
    with Connection(envoy_server) as connection:
        connection.send_head("OPTIONS", path("Sync", method), headers)
        response = connection.response("OPTIONS")
        assert (response.status, response.read()) == (200, b"")
    allowed = "authorization, content-type, grpc-timeout, x-csrftoken, x-grpc-web, x-user-agent"
    assert cors(response.headers) == {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": allowed,
        "access-control-expose-headers": EXPOSED,
        "access-control-max-age": "7200",
    }


@pytest.mark.parametrize(
    "origin",
    [FOREIGN, "null", "http://localhost:8000.evil.example.org", "http://evil-localhost:8000", "https://localhost:1"],
)
def test_a_preflight_of_a_page_that_may_not_call(envoy_server: Server, target: str, origin: str) -> None:
    with Connection(envoy_server) as connection:
        connection.send_head("OPTIONS", target, [("origin", origin), ("access-control-request-method", "POST")])
        response = connection.response("OPTIONS")
        response.read()
    assert "access-control-allow-origin" not in cors(response.headers)


def test_views_answer_their_own_preflights(envoy_server: Server) -> None:
    headers = [("origin", NEIGHBOUR), ("access-control-request-method", "POST")]
    with Connection(envoy_server) as connection:
        connection.send_head("OPTIONS", "/admin/login/", headers)
        response = connection.response("OPTIONS")
        response.read()
    assert cors(response.headers) == {}


@pytest.mark.parametrize("origin", [NEIGHBOUR, FOREIGN])
@pytest.mark.parametrize("method", ["Echo", "Abort", "Missing"])
def test_who_may_read_an_answer(envoy_server: Server, mode: Mode, origin: str, method: str) -> None:
    status, headers, _ = post(envoy_server, path("Sync", method), [("origin", origin)], content_type=mode.content_type)
    assert status == 200
    allowed = {
        "access-control-allow-origin": NEIGHBOUR,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": EXPOSED,
    }
    assert cors(headers) == (allowed if origin == NEIGHBOUR else {})


@pytest.mark.parametrize("content_type", BODIES)
@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ([], True),
        ([("origin", "http://{host}")], True),
        ([("origin", "http://{host}"), ("sec-fetch-site", "same-origin")], True),
        ([("origin", NEIGHBOUR), ("sec-fetch-site", "same-site")], False),
        ([("origin", FOREIGN), ("sec-fetch-site", "cross-site")], False),
        ([("origin", FOREIGN), ("x-forwarded-host", "evil.example.org")], False),
        ([("origin", "null")], False),
        ([("sec-fetch-site", "cross-site")], False),
    ],
)
def test_a_foreign_page_cannot_use_the_cookie(
    envoy_server: Server, control: Control, content_type: str, headers: list[tuple[str, str]], taken: bool
) -> None:
    given = [(name, value.format(host=envoy_server.authority)) for name, value in headers]
    before = control.invocations("Sync", "Echo")
    status, answer, body = post(envoy_server, path("Sync", "Echo"), [*given, COOKIE], content_type=content_type)
    assert status == 200
    if taken:
        assert body.startswith(BODIES[content_type][:10])
    else:
        assert (answer["grpc-status"], body) == (str(grpc.StatusCode.PERMISSION_DENIED.value[0]), b"")
        assert "CSRF_TRUSTED_ORIGINS" in answer["grpc-message"]
    assert control.invocations("Sync", "Echo") - before == taken
    assert "grpc-status" not in post(envoy_server, path("Sync", "Echo"), given, content_type=content_type)[1]


def test_a_stream_is_no_way_round(envoy_server: Server, flavour: str) -> None:
    answer = post(envoy_server, path(flavour, "Repeat"), [("origin", FOREIGN), COOKIE])[1]
    assert answer["grpc-status"] == str(grpc.StatusCode.PERMISSION_DENIED.value[0])


def test_nor_is_native_grpc(envoy_server: Server, envoy_channel: grpc.Channel, flavour: str) -> None:
    def code(*metadata: tuple[str, str]) -> grpc.StatusCode | None:
        return NativeTransport(envoy_channel).call(flavour, Call("Echo", texts("hello"), metadata)).code

    assert code(("origin", FOREIGN), COOKIE) is grpc.StatusCode.PERMISSION_DENIED
    assert code(("origin", f"http://{envoy_server.authority}"), COOKIE) is grpc.StatusCode.OK
    assert code(("origin", FOREIGN)) is grpc.StatusCode.OK
    assert code(COOKIE) is grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("host", "taken"),
    [("localhost", True), ("LOCALHOST:1", True), ("[::1]:8080", True), ("evil.example.org", False)],
)
def test_hosts(envoy_server: Server, mode: Mode, host: str, taken: bool) -> None:
    forged = [("x-forwarded-host", "localhost")]
    for headers in ([], forged):
        answer = post(envoy_server, path("Sync", "Echo"), headers, host=host, content_type=mode.content_type)[1]
        assert ("grpc-status" in answer) is not taken
        if not taken:
            assert answer["grpc-status"] == str(grpc.StatusCode.INVALID_ARGUMENT.value[0])
            assert "ALLOWED_HOSTS" in answer["grpc-message"]
