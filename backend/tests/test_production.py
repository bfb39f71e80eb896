"""A server with production settings, as somebody in the world meets it."""

from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Iterator

import pytest

from generated.echo.v1 import echo_pb2 as pb
from tests.contract.grpc_web import MODES, Reply
from tests.databases import Database
from tests.servers import KINDS, Server, running_server

HOST = "shop.example.com"
ENVIRONMENT = {"DJANGO_SECRET_KEY": secrets.token_urlsafe(64), "DJANGO_ALLOWED_HOSTS": HOST}
HTTPS = {"X-Forwarded-Proto": "https"}
"""What a load balancer on this machine adds."""


@pytest.fixture(scope="module", params=KINDS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated: Database
) -> Iterator[Server]:
    """Each kind of server."""
    directory = tmp_path_factory.mktemp(f"production-{request.param}")
    settings = "config.settings.prod"
    with running_server(request.param, directory, settings=settings, database=migrated, environment=ENVIRONMENT) as one:
        yield one
        for line in one.log().splitlines():
            assert "message" in json.loads(line)


@pytest.fixture
def connection(server: Server) -> Iterator[http.client.HTTPConnection]:
    """A connection to it."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=50)
    yield connection
    connection.close()


def get(connection: http.client.HTTPConnection, path: str, **headers: str) -> http.client.HTTPResponse:
    """Asks for a page."""
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


def test_plain_http_is_sent_to_https(connection: http.client.HTTPConnection) -> None:
    response = get(connection, "/orders", Host=HOST)
    assert (response.status, response.headers["location"]) == (301, f"https://{HOST}/orders")


def test_an_answer_over_https_says_what_browsers_shall_insist_on(connection: http.client.HTTPConnection) -> None:
    response = get(connection, "/nothing-here", Host=HOST, **HTTPS)
    assert response.status == 404
    assert response.headers["strict-transport-security"] == "max-age=31536000"
    assert "default-src 'none'" in response.headers["content-security-policy"].split("; ")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["cross-origin-opener-policy"] == "same-origin"


def test_another_host_gets_nothing(connection: http.client.HTTPConnection) -> None:
    assert get(connection, "/", Host="evil.example.org", **HTTPS).status == 400


@pytest.mark.parametrize(("path", "body"), [("/healthz", b"ok\n"), ("/readyz", b"ready\n")])
def test_a_probe_is_answered(connection: http.client.HTTPConnection, path: str, body: bytes) -> None:
    response = get(connection, path, Host="10.0.0.7:8000")
    assert (response.status, response.read()) == (200, body)


@pytest.mark.parametrize(("host", "status"), [(HOST, 200), ("evil.example.org", 400)])
def test_calls_are_taken_for_the_host_alone(connection: http.client.HTTPConnection, host: str, status: int) -> None:
    (mode, _) = MODES
    body = mode.request_body([pb.EchoRequest(message="hello")])
    headers = {"Host": host, **HTTPS, **dict(mode.headers())}
    connection.request("POST", "/echo.v1.EchoService/Echo", body, headers)
    response = connection.getresponse()
    assert response.status == status
    if status == 200:
        assert [message.message for message in Reply(response, pb.EchoResponse, mode)] == ["hello"]
