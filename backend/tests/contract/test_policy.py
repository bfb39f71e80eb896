"""Which hosts and pages calls are taken from, on a site that has configured nothing but ALLOWED_HOSTS."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty

from tests.contract.control import Control
from tests.contract.grpc_web import BINARY, TEXT
from tests.contract.http_client import Connection, Headers, head
from tests.contract.literals import GOOD_ANSWER, HELLO
from tests.contract.methods import path
from tests.servers import Server

COOKIE = ("cookie", "theme=dark; sessionid=0123456789abcdef")
FOREIGN = "https://evil.example.org"


def post(server: Server, target: str, headers: Headers, host: str | None = None) -> tuple[int, dict[str, str], bytes]:
    """Makes a call and gives status, headers and body of the answer."""
    given = [
        ("host", f"{server.host}:{server.port}" if host is None else host),
        ("content-type", BINARY),
        ("content-length", str(len(HELLO))),
        *headers,
    ]
    with Connection(server) as connection:
        connection.send(head("POST", target, given) + HELLO)
        response = connection.response()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("LOCALHOST:1", 200), ("testserver", 200), ("[::1]:8000", 200), ("evil.example.org", 400)],
)
def test_hosts(server: Server, target: str, control: Control, flavour: str, host: str, status: int) -> None:
    before = control.invocations(flavour, "Echo")
    answer = post(server, target, [], host)
    assert answer[0] == status
    if status == 200:
        assert answer[2] == GOOD_ANSWER
    else:
        assert answer[1]["content-type"].startswith("text/plain")
        assert b"ALLOWED_HOSTS" in answer[2]
        assert host.encode() not in answer[2]
    assert control.invocations(flavour, "Echo") - before == (status == 200)


def test_a_forwarded_host_does_not_count(server: Server, target: str) -> None:
    assert post(server, target, [("x-forwarded-host", "evil.example.org")])[0] == 200
    assert post(server, target, [("x-forwarded-host", "localhost")], "evil.example.org")[0] == 400


def test_a_request_without_a_host_is_for_the_server_s_address(server: Server, target: str) -> None:
    """HTTP/1.0 may leave it out."""
    with Connection(server) as connection:
        lines = f"POST {target} HTTP/1.0\r\ncontent-type: {BINARY}\r\ncontent-length: {len(HELLO)}\r\n\r\n"
        connection.send(lines.encode() + HELLO)
        assert connection.response().read() == GOOD_ANSWER


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 200),
        ([("origin", "{own}")], 200),
        ([("origin", "{own}"), ("sec-fetch-site", "same-origin")], 200),
        ([("sec-fetch-site", "none")], 200),
        ([("origin", FOREIGN)], 403),
        ([("origin", FOREIGN), ("sec-fetch-site", "cross-site")], 403),
        ([("origin", "null")], 403),
        ([("origin", "https://{host}")], 403),
        ([("origin", "http://localhost")], 403),
        ([("sec-fetch-site", "cross-site")], 403),
        ([("sec-fetch-site", "same-site")], 403),
    ],
)
def test_pages(
    server: Server, target: str, control: Control, flavour: str, headers: list[tuple[str, str]], status: int
) -> None:
    host = f"{server.host}:{server.port}"
    given = [(name, value.format(own=f"http://{host}", host=host)) for name, value in headers]
    before = control.invocations(flavour, "Echo")
    answer = post(server, target, [*given, COOKIE])
    assert answer[0] == status
    assert (answer[2] == GOOD_ANSWER) is (status == 200)
    assert control.invocations(flavour, "Echo") - before == (status == 200)
    assert post(server, target, given)[0] == 200, "without the cookie a page has no rights that it could abuse"


def test_a_stream_is_no_way_round(server: Server, flavour: str) -> None:
    assert post(server, path(flavour, "Repeat"), [("origin", FOREIGN), COOKIE])[0] == 403


@pytest.mark.parametrize("content_type", [BINARY, TEXT, "text/plain"])
def test_views_judge_for_themselves(server: Server, content_type: str) -> None:
    """Django's health check answers any host and any page."""
    with Connection(server) as connection:
        headers = [("host", "evil.example.org"), ("origin", FOREIGN), ("content-type", content_type), COOKIE]
        connection.send(head("GET", "/healthz", headers))
        assert connection.response("GET").status == 200


@pytest.mark.parametrize("origin", [None, FOREIGN, "http://localhost"])
@pytest.mark.parametrize("http_method", ["POST", "OPTIONS", "GET"])
def test_without_cors_no_answer_says_anything_of_it(
    server: Server, target: str, http_method: str, origin: str | None
) -> None:
    headers = [("content-type", BINARY), ("access-control-request-method", "POST")]
    headers += [] if origin is None else [("origin", origin)]
    with Connection(server) as connection:
        response = connection.request(http_method, target, headers, HELLO if http_method == "POST" else b"")
        assert response.status == (200 if http_method == "POST" else 405)
        assert not [name for name in response.headers if name.lower() == "vary" or name.lower().startswith("access-")]


@pytest.mark.parametrize(
    ("authority", "code"), [("localhost", grpc.StatusCode.OK), ("evil.example.org", grpc.StatusCode.INTERNAL)]
)
def test_over_native_grpc(server: Server, target: str, authority: str, code: grpc.StatusCode) -> None:
    """The host is what the client calls its authority. It makes INTERNAL of an HTTP status of 400."""
    options = (("grpc.default_authority", authority),)
    with grpc.insecure_channel(f"{server.host}:{server.port}", options=options) as channel:
        call = channel.unary_unary(target, Empty.SerializeToString, Empty.FromString).future(Empty(), timeout=10)
        assert call.code() is code
