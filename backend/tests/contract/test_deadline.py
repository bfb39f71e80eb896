"""Deadlines: the answer is on time whatever the handler does, and the handler learns of it.

The handlers here would take 20 seconds (`bookkeeping.WAIT_SECONDS`). "On time" has generous bounds, because a machine
may be busy, and they still prove the point.
"""

from __future__ import annotations

import time

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import StringValue

from tests.contract.case import Answer, Call, check
from tests.contract.cases.messages import texts
from tests.contract.control import Control
from tests.contract.grpc_web import GrpcWebTransport
from tests.contract.methods import ASYNC, METHODS, SYNC
from tests.contract.servicers.lifetime import CALLBACK, CANCELLED, INACTIVE, RPC_ERROR, STARTED

TIMEOUT_SECONDS = 0.3
ON_TIME_SECONDS = 3.0

EXPIRED = Answer((), grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")


def test_a_unary_call_is_answered_on_time(transport: GrpcWebTransport, flavour: str) -> None:
    begun = time.monotonic()
    answer = transport.call(flavour, Call("Sleep", [Empty()], timeout=TIMEOUT_SECONDS))
    assert TIMEOUT_SECONDS * 0.9 <= time.monotonic() - begun <= ON_TIME_SECONDS
    check(EXPIRED, answer)


def test_a_stream_is_ended_on_time(transport: GrpcWebTransport, flavour: str) -> None:
    begun = time.monotonic()
    answer = transport.call(flavour, Call("SleepInStream", [Empty()], timeout=TIMEOUT_SECONDS))
    assert TIMEOUT_SECONDS * 0.9 <= time.monotonic() - begun <= ON_TIME_SECONDS
    check(Answer(texts("before"), EXPIRED.code, EXPIRED.details), answer)


def test_a_stream_that_never_pauses_is_ended_on_time(transport: GrpcWebTransport, flavour: str) -> None:
    begun = time.monotonic()
    answer = transport.call(flavour, Call("Rush", [Empty()], timeout=TIMEOUT_SECONDS))
    assert time.monotonic() - begun <= ON_TIME_SECONDS
    assert answer.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert answer.messages


@pytest.mark.parametrize("method", ["Collect", "Chat"])
def test_a_call_that_waits_for_its_requests_is_ended_on_time(
    transport: GrpcWebTransport, flavour: str, method: str
) -> None:
    begun = time.monotonic()
    with transport.open(flavour, method, [("grpc-timeout", "300m")]) as call:
        call.start_chunked()
        call.send_message(StringValue(value="the only one, and the request does not end"))
        answer = call.reply().answer()
    assert time.monotonic() - begun <= ON_TIME_SECONDS
    assert (answer.code, answer.details) == (EXPIRED.code, EXPIRED.details)


def test_the_handler_of_a_unary_call_learns_of_it(
    transport: GrpcWebTransport, flavour: str, control: Control, key: str
) -> None:
    check(EXPIRED, transport.call(flavour, Call("Wait", texts(key), timeout=TIMEOUT_SECONDS)))
    control.assert_noted(key, STARTED, CALLBACK, {SYNC: INACTIVE, ASYNC: CANCELLED}[flavour])
    assert control.events(key).count(CALLBACK) == 1


def test_the_handler_of_a_stream_learns_of_it(
    transport: GrpcWebTransport, flavour: str, control: Control, key: str
) -> None:
    answer = transport.call(flavour, Call("WaitInStream", texts(key), timeout=TIMEOUT_SECONDS))
    check(Answer(texts("before"), EXPIRED.code, EXPIRED.details), answer)
    control.assert_noted(key, STARTED, CALLBACK, {SYNC: INACTIVE, ASYNC: CANCELLED}[flavour])


def test_the_handler_learns_of_it_while_it_waits_for_a_request(
    asgi_transport: GrpcWebTransport, flavour: str, asgi_control: Control, key: str
) -> None:
    with asgi_transport.open(flavour, "Drain", [("grpc-timeout", "300m")]) as call:
        call.start_chunked()
        call.send_message(StringValue(value=key))
        assert call.reply().answer().code is grpc.StatusCode.DEADLINE_EXCEEDED
        asgi_control.assert_noted_exactly(
            key, STARTED, *{SYNC: (CALLBACK, RPC_ERROR), ASYNC: (CALLBACK, CANCELLED)}[flavour]
        )


def test_time_remaining(transport: GrpcWebTransport, flavour: str) -> None:
    answer = transport.call(flavour, Call("TimeRemaining", [Empty()], timeout=100))
    assert 90 < answer.messages[0].value < 100  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        ("1H", 3600), ("60M", 3600), ("3600S", 3600), ("3600000m", 3600), ("3600000000u", 3600),
        ("3600000000000n", 3600), ("99999999S", 99999999), ("1036800000m", 1036800), ("0003600S", 3600),
    ],
)  # fmt: skip
def test_units(transport: GrpcWebTransport, flavour: str, timeout: str, seconds: float) -> None:
    """The last but one has ten digits, as grpc-web writes a deadline in twelve days."""
    with transport.open(flavour, "TimeRemaining", [("grpc-timeout", timeout)]) as call:
        call.send_whole([Empty()])
        (message,) = call.reply().answer().messages
    assert seconds - 60 < message.value <= seconds  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", ["Echo", "Sleep"])
@pytest.mark.parametrize("timeout", ["0m", "0S", "1n", "000000000000n"])
def test_no_time_at_all(transport: GrpcWebTransport, flavour: str, method: str, timeout: str) -> None:
    with transport.open(flavour, method, [("grpc-timeout", timeout)]) as call:
        call.send_whole([METHODS[method].request()])
        check(EXPIRED, call.reply().answer())


@pytest.mark.parametrize(
    "timeout", ["", "abc", "1", "m", "1x", "-1m", "+1m", "1.5S", "1_0S", "1 S", "0x1S", "1S1S", "\xb2S", "9" * 40 + "S"]
)
def test_what_is_no_timeout_is_an_error(
    transport: GrpcWebTransport, flavour: str, control: Control, timeout: str
) -> None:
    before = control.invocations(flavour, "Echo")
    with transport.open(flavour, "Echo", [("grpc-timeout", timeout)]) as call:
        call.send_whole(texts("hello"))
        answer = call.reply().answer()
    assert (answer.code, answer.details) == (grpc.StatusCode.INTERNAL, "Error parsing 'grpc-timeout'")
    assert control.invocations(flavour, "Echo") == before
