"""Callers that go away: their handlers stop working. Under ASGI at once, under WSGI at once if responses stream."""

from __future__ import annotations

import select

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from tests.contract.control import Control, eventually
from tests.contract.grpc_web import MODES, GrpcWebTransport, OpenCall
from tests.contract.methods import ASYNC, SYNC
from tests.contract.servicers.lifetime import (
    CALLBACK,
    CANCELLED,
    CLOSED,
    INACTIVE,
    RPC_ERROR,
    STARTED,
)
from tests.servers import Server

LEAVING = ("close", "reset")
"""A client closes its connection, or drops it."""


@pytest.fixture(params=LEAVING)
def leaving(request: pytest.FixtureRequest) -> str:
    """How the client leaves."""
    return request.param


def leave(call: OpenCall, how: str) -> None:
    """Goes away."""
    getattr(call.connection, how)()


def test_a_stream_that_sends_is_stopped(
    transport: GrpcWebTransport, flavour: str, control: Control, key: str, leaving: str
) -> None:
    with transport.open(flavour, "Tick", []) as call:
        call.send_whole([StringValue(value=key)])
        assert next(iter(call.reply())) == StringValue(value="0")
        leave(call, leaving)
        control.assert_noted(key, STARTED, CALLBACK, INACTIVE)
    assert sorted(control.events(key)) == sorted((STARTED, CALLBACK, INACTIVE))


def test_a_stream_that_waits_is_stopped(
    asgi_transport: GrpcWebTransport, flavour: str, asgi_control: Control, key: str, leaving: str
) -> None:
    with asgi_transport.open(flavour, "WaitInStream") as call:
        call.send_whole([StringValue(value=key)])
        assert next(iter(call.reply())) == StringValue(value="before")
        leave(call, leaving)
        asgi_control.assert_noted_exactly(
            key, STARTED, CALLBACK, *{SYNC: (INACTIVE, "closed"), ASYNC: (CANCELLED,)}[flavour]
        )


@pytest.mark.skipif(not hasattr(select, "EPOLLRDHUP"), reason="nothing here tells that a caller has gone")
@pytest.mark.parametrize("headers", [[], [("grpc-timeout", "60S")]], ids=["", "deadline"])
def test_a_stream_that_waits_is_stopped_under_wsgi(
    wsgi_server: Server, flavour: str, key: str, leaving: str, headers: list[tuple[str, str]]
) -> None:
    transport = GrpcWebTransport(wsgi_server, MODES[0])
    control = Control(transport)
    with transport.open(flavour, "WaitInStream", headers) as call:
        call.send_whole([StringValue(value=key)])
        assert next(iter(call.reply())) == StringValue(value="before")
        leave(call, leaving)
        control.assert_noted(key, STARTED, CALLBACK)
        # If the caller has gone before the server came back for more, the handler still stands at its `yield`.
        assert eventually(lambda: control.events(key)[-1] in (CLOSED, CANCELLED))


def test_a_unary_handler_is_stopped(
    asgi_transport: GrpcWebTransport, flavour: str, asgi_control: Control, key: str, leaving: str
) -> None:
    with asgi_transport.open(flavour, "Wait") as call:
        call.send_whole([StringValue(value=key)])
        asgi_control.assert_noted_exactly(key, STARTED)
        leave(call, leaving)
        asgi_control.assert_noted_exactly(key, STARTED, CALLBACK, {SYNC: INACTIVE, ASYNC: CANCELLED}[flavour])


def test_a_handler_that_waits_for_requests_is_stopped(
    asgi_transport: GrpcWebTransport, flavour: str, asgi_control: Control, key: str, leaving: str
) -> None:
    with asgi_transport.open(flavour, "Drain") as call:
        call.start_chunked()
        call.send_message(StringValue(value=key))
        asgi_control.assert_noted_exactly(key, STARTED)
        leave(call, leaving)
        asgi_control.assert_noted_exactly(key, STARTED, CALLBACK, {SYNC: RPC_ERROR, ASYNC: CANCELLED}[flavour])


def test_requests_that_break_off_are_not_taken_for_their_end(
    transport: GrpcWebTransport, flavour: str, control: Control, key: str, leaving: str
) -> None:
    """Under WSGI too: whoever reads the next request learns that there is none.

    gunicorn hands out a body there by the kibibyte, so it takes more than the first message for the handler to begin.
    """
    with transport.open(flavour, "Drain") as call:
        call.start_chunked()
        call.send_message(StringValue(value=key))
        call.send_message(StringValue(value="x" * 4096))
        control.assert_noted(key, STARTED)
        leave(call, leaving)
        control.assert_noted(key, CALLBACK)
    assert "end of requests" not in control.events(key)


def test_callbacks_run_at_the_end_of_a_call_that_goes_well(
    transport: GrpcWebTransport, flavour: str, control: Control, key: str
) -> None:
    """All of them, in order, also after one that fails; the call is over then."""
    with transport.open(flavour, "Callbacks") as call:
        call.send_whole([StringValue(value=key)])
        assert list(call.reply()) == [StringValue(value="[True, True, True]")]
    control.assert_noted_exactly(key, "first", "last, active: False")
