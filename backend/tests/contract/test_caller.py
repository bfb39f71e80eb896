"""Who calls: a handler of either kind sees the user of the session's cookie on every server, by either protocol."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import StringValue

from tests.contract.case import Call
from tests.contract.control import new_key
from tests.contract.grpc_web import GrpcWebTransport
from tests.contract.http_client import Connection
from tests.contract.methods import SYNC, path
from tests.servers import Server


@pytest.fixture
def server(database_server: Server) -> Server:
    """A server with a database."""
    return database_server


@pytest.fixture
def email() -> str:
    return f"{new_key()}@example.com"


@pytest.fixture
def cookie(binary_transport: GrpcWebTransport, email: str) -> str:
    """What the browser of that user sends."""
    answer = binary_transport.call(SYNC, Call("LogIn", [StringValue(value=email)]))
    return answer.messages[0].value  # type: ignore[attr-defined, no-any-return]


def values(transport: GrpcWebTransport, flavour: str, method: str, cookie: str | None, request: str = "") -> list[str]:
    """Makes a call and gives the values of its messages."""
    message = StringValue(value=request) if method == "SessionValue" else Empty()
    metadata = () if cookie is None else (("cookie", cookie),)
    answer = transport.call(flavour, Call(method, [message], metadata))
    assert answer.code is grpc.StatusCode.OK, answer
    return [message.value for message in answer.messages]  # type: ignore[attr-defined]


def test_the_user_of_the_session(binary_transport: GrpcWebTransport, flavour: str, email: str, cookie: str) -> None:
    assert values(binary_transport, flavour, "WhoCalls", cookie) == [email]
    assert values(binary_transport, flavour, "WhoCallsInStream", cookie) == [email, email]
    assert values(binary_transport, flavour, "SessionValue", cookie, "colour") == ["green"]


@pytest.mark.parametrize("cookie", [None, "theme=dark", "sessionid=" + 32 * "x"])
def test_nobody(binary_transport: GrpcWebTransport, flavour: str, cookie: str | None) -> None:
    assert values(binary_transport, flavour, "WhoCalls", cookie) == [""]
    assert values(binary_transport, flavour, "SessionValue", cookie, "colour") == [""]


def test_no_call_sees_the_user_of_another(
    binary_transport: GrpcWebTransport, flavour: str, email: str, cookie: str
) -> None:
    for _ in range(5):
        assert values(binary_transport, flavour, "WhoCalls", cookie) == [email]
        assert values(binary_transport, flavour, "WhoCalls", None) == [""]


def test_a_view_sees_the_same_user(binary_transport: GrpcWebTransport, email: str, cookie: str) -> None:
    with Connection(binary_transport.server) as connection:
        connection.send_head("GET", "/admin/", [("cookie", cookie)])
        page = connection.response("GET")
        assert page.status == 200
        assert email.encode() in page.read()


def test_over_native_grpc(binary_transport: GrpcWebTransport, flavour: str, email: str, cookie: str) -> None:
    server = binary_transport.server
    with grpc.insecure_channel(f"{server.host}:{server.port}") as channel:
        call = channel.unary_unary(path(flavour, "WhoCalls"), Empty.SerializeToString, StringValue.FromString)
        assert call(Empty(), metadata=(("cookie", cookie),), timeout=10).value == email
        assert call(Empty(), metadata=tuple(("cookie", each) for each in cookie.split("; ")), timeout=10).value == email
        assert call(Empty(), timeout=10).value == ""
