"""Both directions of a call at once, over HTTP/2, with a client that leaves deadlines to the server.

The first test's calls once hung for ever on gunicorn's `gthread`. There one thread has the connection, and it waited
for the next request before it had sent the answer to the last.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import StringValue

from tests.contract.control import Control, eventually
from tests.contract.http2_client import FRAME_HEADER, Http2Connection
from tests.contract.methods import ASYNC, SYNC
from tests.contract.servicers.lifetime import CALLBACK, CANCELLED, INACTIVE, OPENED, RPC_ERROR, STARTED
from tests.servers import Server

ON_TIME_SECONDS = 5.0
DEADLINE = [("grpc-timeout", "500m")]
EXPIRED = (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
FAR_DEADLINE = [("grpc-timeout", "60S")]
OK = (grpc.StatusCode.OK, "")

with_and_without_deadline = pytest.mark.parametrize("headers", [[], FAR_DEADLINE], ids=["", "deadline"])


def text(value: str) -> StringValue:
    return StringValue(value=value)


@pytest.fixture
def connection(server: Server) -> Iterator[Http2Connection]:
    """A connection to each server in turn."""
    with Http2Connection(server) as connection:
        yield connection


@with_and_without_deadline
@pytest.mark.parametrize("method", ["Chat", "ChatByReading", "ChatAfterInitial"])
def test_an_answer_is_sent_before_the_next_request_is_awaited(
    connection: Http2Connection, flavour: str, method: str, headers: list[tuple[str, str]]
) -> None:
    for _ in range(5):
        call = connection.start(flavour, method, headers)
        messages = call.messages()
        for number in range(5):
            call.send(text(str(number)))
            assert next(messages) == text(str(number))
        call.end()
        assert list(messages) == []
        assert call.status() == OK


@with_and_without_deadline
def test_a_handler_may_answer_while_it_waits_for_a_request(
    connection: Http2Connection, control: Control, flavour: str, key: str, headers: list[tuple[str, str]]
) -> None:
    call = connection.start(flavour, "ChatAndWait", headers)
    call.send(text(key))
    control.assert_noted(key, STARTED)
    control.open_gate(key)
    messages = call.messages()
    assert next(messages) == text(OPENED)
    for word in ("one", "two"):
        call.send(text(word))
        assert next(messages) == text(word)
    call.end()
    assert list(messages) == []
    assert call.status() == OK


@pytest.mark.parametrize("method", ["Collect", "Chat", "ChatAfterInitial"])
def test_a_call_that_waits_for_its_requests_is_ended_on_time(
    connection: Http2Connection, flavour: str, method: str
) -> None:
    begun = time.monotonic()
    call = connection.start(flavour, method, DEADLINE)
    call.send(text("the only one, and the request does not end"))
    assert call.status() == EXPIRED
    assert 0.4 < time.monotonic() - begun < ON_TIME_SECONDS


@pytest.mark.parametrize("piece", [b"", FRAME_HEADER.pack(0, 7)], ids=["nothing", "half"])
def test_a_request_that_does_not_arrive_is_ended_on_time(
    connection: Http2Connection, flavour: str, piece: bytes
) -> None:
    begun = time.monotonic()
    call = connection.start(flavour, "Echo", DEADLINE)
    call.send_bytes(piece)
    assert call.status() == EXPIRED
    assert 0.4 < time.monotonic() - begun < ON_TIME_SECONDS


def test_a_message_in_many_pieces(connection: Http2Connection, flavour: str) -> None:
    payload = text("as slowly as it gets").SerializeToString()
    call = connection.start(flavour, "Chat")
    messages = call.messages()
    for byte in FRAME_HEADER.pack(0, len(payload)) + payload:
        call.send_bytes(bytes([byte]))
    assert next(messages) == text("as slowly as it gets")
    call.end()
    assert call.status() == OK


@pytest.mark.parametrize(
    ("flavour", "method", "learned"),
    [
        (SYNC, "Drain", RPC_ERROR),
        (SYNC, "Tick", INACTIVE),
        (ASYNC, "Drain", CANCELLED),
        (ASYNC, "Tick", INACTIVE),
        (ASYNC, "Wait", CANCELLED),
        (ASYNC, "WaitInStream", CANCELLED),
    ],
)
def test_a_call_that_is_cancelled_ends_its_handler(
    connection: Http2Connection, control: Control, flavour: str, key: str, method: str, learned: str
) -> None:
    """Under WSGI a `def` handler that neither reads nor answers has the thread, and nobody reads the connection."""
    call = connection.start(flavour, method)
    call.send(text(key), end=method != "Drain")
    control.assert_noted(key, STARTED)
    call.cancel()
    control.assert_noted(key, STARTED, CALLBACK, learned)
    following = connection.start(flavour, "Echo")
    following.send(text("the connection is as good as before"), end=True)
    assert list(following.messages()) == [text("the connection is as good as before")]


@pytest.mark.parametrize("method", ["Wait", "WaitInStream"])
def test_a_call_that_is_cancelled_ends_a_def_handler_with_a_deadline(
    connection: Http2Connection, control: Control, key: str, method: str
) -> None:
    call = connection.start(SYNC, method, FAR_DEADLINE)
    call.send(text(key), end=True)
    control.assert_noted(key, STARTED)
    call.cancel()
    control.assert_noted(key, STARTED, CALLBACK, INACTIVE)


def test_a_connection_that_is_lost_ends_a_call_that_waits_for_requests(
    server: Server, control: Control, flavour: str, key: str
) -> None:
    with Http2Connection(server) as connection:
        call = connection.start(flavour, "Drain")
        call.send(text(key))
        control.assert_noted(key, STARTED)
    control.assert_noted(key, CALLBACK, {SYNC: RPC_ERROR, ASYNC: CANCELLED}[flavour])
    assert "end of requests" not in control.events(key)


def test_calls_wait_their_turn_and_none_is_lost(connection: Http2Connection, flavour: str) -> None:
    """Requests that arrive while another one's body is read, or its answer given."""
    first = connection.start(flavour, "Chat")
    others = [connection.start(flavour, "Echo") for _ in range(20)]
    for number, call in enumerate(others):
        call.send(text(str(number)), end=True)
    messages = first.messages()
    for number in range(5):
        first.send(text(str(number)))
        assert next(messages) == text(str(number))
    first.end()
    assert first.status() == OK
    assert [list(call.messages()) for call in others] == [[text(str(number))] for number in range(20)]


def test_nobody_waits_for_a_caller_that_has_left_before_its_turn(
    connection: Http2Connection, control: Control, flavour: str, key: str
) -> None:
    first = connection.start(flavour, "Chat")
    second = connection.start(flavour, "Wait")
    second.send(text(key), end=True)
    second.cancel()
    first.send(text("hello"), end=True)
    assert list(first.messages()) == [text("hello")]
    third = connection.start(flavour, "IsActive")
    third.send(Empty(), end=True)
    assert third.status() == OK
    assert eventually(lambda: STARTED not in control.events(key) or CALLBACK in control.events(key))


def test_a_call_that_comes_with_the_end_of_another_is_not_lost(
    connection: Http2Connection, flavour: str, key: str
) -> None:
    """gunicorn's `gthread` lost it while it waited for a third, which hung for ever."""
    first = connection.start(flavour, "Chat")
    messages = first.messages()
    first.send(text("hello"))
    assert next(messages) == text("hello")
    second = connection.start(flavour, "Wait")
    second.send(text(key), end=True)
    first.send(text("again"))
    assert next(messages) == text("again")  # so the second one has been read, and waits for its turn or in its handler
    second.cancel(with_what_follows=True)
    third = connection.start(flavour, "Echo")
    third.send(text("which is not lost"), end=True)
    first.end()
    assert first.status() == OK
    assert list(third.messages()) == [text("which is not lost")]
