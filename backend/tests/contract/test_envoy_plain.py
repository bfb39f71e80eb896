"""Envoy's other listener, a plain load balancer before Django: callers get the same bytes as without it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from tests.contract.case import Call
from tests.contract.cases.messages import texts
from tests.contract.control import Control
from tests.contract.grpc_web import GrpcWebTransport, Mode
from tests.contract.http_client import Connection
from tests.contract.methods import SYNC, path
from tests.contract.servicers.lifetime import CALLBACK, STARTED
from tests.envoy_process import Envoy
from tests.servers import ASGI, Server

OF_THE_WAY = {"connection", "date", "server", "transfer-encoding"}
"""Headers of a connection, and of whoever holds it."""


@pytest.fixture
def plain(envoy: Envoy, asgi_server: Server) -> Server:
    """The ASGI server through Envoy."""
    host, _, port = envoy.in_process.rpartition(":")
    return Server(ASGI, int(port), asgi_server.pid, asgi_server.log_path, asgi_server.database, host)


def answer(
    server: Server, target: str, mode: Mode, requests: Sequence[StringValue]
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Makes a call and gives status, headers and body of the answer."""
    with Connection(server) as connection:
        response = connection.request("POST", target, mode.headers(), mode.request_body(requests))
        headers = sorted((name.lower(), value) for name, value in response.getheaders())
        return response.status, [entry for entry in headers if entry[0] not in OF_THE_WAY], response.read()


@pytest.mark.parametrize(
    "target",
    [
        *(path(flavour, method) for flavour in ("Sync", "Async") for method in ("Echo", "Chat", "Collect", "Large")),
        "/contract.Sync/SendInitialInStream",
        "/contract.Sync/SetTrailing",
        "/contract.Sync/AbortWithStatus",
        "/contract.Sync/Missing",
        "/no/such/path",
    ],
)
def test_every_byte_passes(plain: Server, asgi_server: Server, target: str, mode: Mode) -> None:
    requests = [] if target.endswith(("Large", "SetTrailing", "SendInitialInStream")) else texts("hello")
    assert answer(plain, target, mode, requests) == answer(asgi_server, target, mode, requests)


def test_messages_arrive_while_the_stream_is_open(plain: Server, mode: Mode, flavour: str, key: str) -> None:
    transport = GrpcWebTransport(plain, mode)
    with transport.open(flavour, "WaitInStream") as call:
        call.send_whole([StringValue(value=key)])
        messages = iter(call.reply())
        assert next(messages) == StringValue(value="before")
        Control(transport).open_gate(key)
        assert list(messages) == texts("after")


def test_a_caller_that_leaves_ends_its_handler(plain: Server, mode: Mode, flavour: str, key: str) -> None:
    transport = GrpcWebTransport(plain, mode)
    with transport.open(flavour, "WaitInStream") as call:
        call.send_whole([StringValue(value=key)])
        assert next(iter(call.reply())) == StringValue(value="before")
    Control(transport).assert_noted(key, STARTED, CALLBACK)


def test_the_host_is_the_one_that_was_called(plain: Server, mode: Mode) -> None:
    own = ("origin", plain.url), ("cookie", "sessionid=0123456789abcdef")
    assert GrpcWebTransport(plain, mode).call(SYNC, Call("Echo", texts("hello"), own)).messages == (*texts("hello"),)
