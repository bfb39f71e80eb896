"""A second request on the connection of a first one that the handler did not want, or not to its end."""

from __future__ import annotations

import pytest

from tests.contract.http_client import Connection
from tests.contract.literals import GOOD_ANSWER, HEADERS, HELLO, good_request
from tests.contract.methods import path
from tests.servers import Server

REFUSED = {
    "wrong type": ("Echo", [("content-type", "text/plain")], HELLO),
    "no type": ("Echo", [], HELLO),
    "unknown method": ("Missing", HEADERS, HELLO),
    "bad timeout": ("Echo", [*HEADERS, ("grpc-timeout", "soon")], HELLO),
    "unknown encoding": ("Echo", [*HEADERS, ("grpc-encoding", "br")], HELLO),
    "empty": ("Echo", HEADERS, b""),
    "two messages": ("Echo", HEADERS, HELLO * 2),
    "reserved flag": ("Echo", HEADERS, b"\2\0\0\0\0"),
    "truncated": ("Echo", HEADERS, HELLO[:-1]),
    "too large": ("Echo", HEADERS, b"\0\x7f\xff\xff\xff" + b"x" * 100_000),
    "one request where more may come": ("TakeFirst", HEADERS, HELLO * 1000),
    "abort with requests left": ("AbortRequests", HEADERS, HELLO * 1000),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_second_request_is_answered(server: Server, flavour: str, target: str, name: str) -> None:
    method, headers, body = REFUSED[name]
    with Connection(server) as connection:
        connection.send_head("POST", path(flavour, method), [*headers, ("content-length", str(len(body)))])
        connection.send(body + good_request(target))
        connection.response().read()
        assert connection.response().read() == GOOD_ANSWER


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.usefixtures("runs_no_handler")
def test_a_request_inside_the_body_is_none(server: Server, flavour: str, target: str, name: str) -> None:
    """What is not read of a body must not be taken for the next request."""
    method, headers, body = REFUSED[name]
    body += good_request(target)
    with Connection(server) as connection:
        connection.send_head("POST", path(flavour, method), [*headers, ("content-length", str(len(body)))])
        connection.send(body)
        connection.response().read()
        connection.half_close()
        assert connection.is_closed_by_server()
