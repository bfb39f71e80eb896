"""Servers with interceptors of both kinds, which wrap every handler in both."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from tests.contract.case import Answer, Call, Case, check
from tests.contract.cases import CASES
from tests.contract.control import Control
from tests.contract.differences import expected
from tests.contract.grpc_web import MODES, GrpcWebTransport
from tests.contract.interceptors import HAND_ON, REFUSE
from tests.contract.methods import ASYNC, SYNC
from tests.contract.servicers.lifetime import CALLBACK, CANCELLED, RPC_ERROR, STARTED
from tests.contract.transports import WEB_BINARY
from tests.servers import Server


@pytest.fixture
def intercepted(intercepted_server: Server) -> GrpcWebTransport:
    """Each server with interceptors."""
    return GrpcWebTransport(intercepted_server, MODES[0])


BY_THE_WRAPPER = (
    "abort swallowed",
    "abort swallowed in a stream",
    "set_code with a message",
    "set_code with a message, requests stream",
    "set_code with a number",
)
"""Cases in which a message is sent with a status other than OK by a `def`, and none by an `async def`, as in grpcio.
The outermost wrapper counts, which is a `def` here."""


@pytest.mark.parametrize(
    ("case", "flavour"),
    [
        pytest.param(case, flavour, id=f"{case.name}-{flavour}")
        for case in CASES
        for flavour in case.flavours
        if flavour == SYNC or case.name not in BY_THE_WRAPPER
    ],
)
def test_wrappers_that_change_nothing_change_nothing(intercepted: GrpcWebTransport, case: Case, flavour: str) -> None:
    check(expected(case, f"{intercepted.server.kind}, {WEB_BINARY}"), intercepted.call(flavour, case.call))


@pytest.mark.parametrize(
    ("method", "request_"),
    [("Echo", StringValue()), ("Repeat", Int32Value()), ("Collect", StringValue()), ("Chat", StringValue())],
)
def test_a_call_is_refused_before_its_handler(
    intercepted: GrpcWebTransport, flavour: str, method: str, request_: StringValue
) -> None:
    answer = intercepted.call(flavour, Call(method, [request_], metadata=((REFUSE, "no token"),)))
    check(Answer((), grpc.StatusCode.UNAUTHENTICATED, "no token, ipv4:127.0.0.1:"[:25]), answer)


@pytest.mark.parametrize("method", ["ContextVariable", "ContextVariableInStream"])
def test_what_an_interceptor_hands_on_reaches_this_handler_only(
    intercepted: GrpcWebTransport, flavour: str, method: str
) -> None:
    def first(*metadata: tuple[str, str]) -> str:
        return intercepted.call(flavour, Call(method, [StringValue(value="new")], metadata=metadata)).messages[0].value  # type: ignore[attr-defined, no-any-return]

    assert first() == "unset"
    assert first((HAND_ON, "a user")) == "a user"
    assert first() == "unset"


def test_a_stream_is_not_collected_on_its_way(intercepted: GrpcWebTransport, flavour: str) -> None:
    with intercepted.open(flavour, "WaitInStream") as call:
        call.send_whole([StringValue(value="never opened")])
        assert next(iter(call.reply())) == StringValue(value="before")


def test_a_handler_behind_wrappers_learns_that_its_caller_has_gone(
    intercepted_asgi_server: Server, flavour: str, key: str
) -> None:
    transport = GrpcWebTransport(intercepted_asgi_server, MODES[0])
    control = Control(transport)
    with transport.open(flavour, "Drain") as call:
        call.start_chunked()
        call.send_message(StringValue(value=key))
        control.assert_noted_exactly(key, STARTED)
        call.connection.close()
        control.assert_noted_exactly(key, STARTED, CALLBACK, {SYNC: RPC_ERROR, ASYNC: CANCELLED}[flavour])


def test_an_unknown_method_is_unknown(intercepted: GrpcWebTransport) -> None:
    with intercepted.open("Sync", "Echo") as call:
        call._path = "/contract.Sync/Missing"
        call.send_whole([Empty()])
        answer = call.reply().answer()
    assert (answer.code, answer.details) == (grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
