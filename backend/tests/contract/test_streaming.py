"""Streams while they are open. Gates order what happens, so no test asks a clock: a message that is held back until the
stream's end never arrives, because the stream ends only when the test has read it."""

from __future__ import annotations

import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from tests.contract.cases.messages import texts
from tests.contract.control import Control, new_key
from tests.contract.grpc_web import MODES, GrpcWebTransport, Mode
from tests.contract.servicers.metadata import INITIAL
from tests.servers import Server


def text(value: str) -> StringValue:
    """Gives a message of one text."""
    return StringValue(value=value)


def test_messages_arrive_while_the_stream_is_open(
    transport: GrpcWebTransport, flavour: str, control: Control, key: str
) -> None:
    with transport.open(flavour, "WaitInStream") as call:
        call.send_whole([text(key)])
        reply = call.reply()
        messages = iter(reply)
        assert next(messages) == text("before")
        control.open_gate(key)
        assert list(messages) == texts("after")


def test_initial_metadata_arrives_before_the_first_message(
    wsgi_server: Server, mode: Mode, flavour: str, key: str
) -> None:
    """gunicorn's asgi worker holds the headers over HTTP/1.1 until there is a body; over HTTP/2 it does not."""
    control = Control(GrpcWebTransport(wsgi_server, MODES[0]))
    with GrpcWebTransport(wsgi_server, mode).open(flavour, "SendInitialAndWait") as call:
        call.send_whole([text(key)])
        reply = call.reply()
        assert sorted(reply.initial_metadata, key=repr) == sorted(INITIAL, key=repr)
        control.open_gate(key)
        assert list(reply) == texts("after")


def test_nothing_between_may_hold_back_a_stream(transport: GrpcWebTransport, flavour: str) -> None:
    with transport.open(flavour, "Repeat") as call:
        call.send_whole([Int32Value(value=1)])
        headers = call.reply().response.headers
    assert headers["x-accel-buffering"] == "no"
    assert headers["cache-control"] == "no-cache, no-transform"
    assert "content-length" not in headers
    assert "content-encoding" not in headers


def test_a_unary_answer_has_a_length(transport: GrpcWebTransport, flavour: str) -> None:
    with transport.open(flavour, "Echo") as call:
        call.send_whole(texts("hello"))
        response = call.reply().response
        assert int(response.headers["content-length"]) == len(response.read())


def test_requests_are_answered_one_by_one(asgi_transport: GrpcWebTransport, flavour: str) -> None:
    """Half of a full-duplex call over HTTP/1.1: the answer to a message is there before the next one is sent."""
    with asgi_transport.open(flavour, "Chat") as call:
        call.start_chunked()
        call.send_message(text("0"))
        reply = call.reply()
        messages = iter(reply)
        assert next(messages) == text("0")
        for number in range(1, 5):
            call.send_message(text(str(number)))
            assert next(messages) == text(str(number))
        call.end_messages()
        assert list(messages) == []


def test_requests_reach_the_handler_one_by_one(
    asgi_transport: GrpcWebTransport, flavour: str, asgi_control: Control, key: str
) -> None:
    with asgi_transport.open(flavour, "Drain") as call:
        call.start_chunked()
        call.send_message(text(key))
        asgi_control.assert_noted_exactly(key, "started")
        call.send_message(text("one"))
        asgi_control.assert_noted_exactly(key, "started", "one")
        call.send_message(text("two"))
        call.end_messages()
        assert list(call.reply()) == texts("drained")
    asgi_control.assert_noted_exactly(key, "started", "one", "two", "end of requests", "callback")


def test_an_answer_may_end_before_its_requests(asgi_transport: GrpcWebTransport, flavour: str) -> None:
    with asgi_transport.open(flavour, "TakeFirst") as call:
        call.start_chunked()
        call.send_message(text("first"))
        assert list(call.reply()) == texts("first")


def test_a_chunked_request_is_read_to_its_end(transport: GrpcWebTransport, flavour: str) -> None:
    with transport.open(flavour, "Collect") as call:
        call.start_chunked()
        for number in range(100):
            call.send_message(text(str(number)))
        call.end_messages()
        assert list(call.reply()) == texts(",".join(map(str, range(100))))


def test_many_calls_at_the_same_time(transport: GrpcWebTransport, flavour: str, control: Control) -> None:
    """All streams are open at the same time, because each waits for a gate that is opened after the last has begun."""
    keys = [new_key() for _ in range(20)]
    calls = [transport.open(flavour, "WaitInStream") for _ in keys]
    try:
        for key, call in zip(keys, calls, strict=True):
            call.send_whole([text(key)])
        streams = [iter(call.reply()) for call in calls]
        assert [next(stream) for stream in streams] == texts("before") * len(keys)
        with transport.open(flavour, "Echo") as unary:
            unary.send_whole(texts("beside all the others"))
            assert list(unary.reply()) == texts("beside all the others")
        for key in reversed(keys):
            control.open_gate(key)
        assert [list(stream) for stream in streams] == [texts("after")] * len(keys)
    finally:
        for call in calls:
            call.connection.close()


def test_calls_follow_each_other_on_one_connection(transport: GrpcWebTransport, flavour: str) -> None:
    """What a call leaves unread would be taken for the next one."""
    with transport.open(flavour, "Echo") as call:
        for number in range(5):
            call.send_whole(texts(str(number)))
            assert list(call.reply()) == texts(str(number))


@pytest.mark.parametrize("method", ["EmptyStruct", "SendInitialInStream", "AbortWithStatus"])
def test_any_answer_leaves_the_connection_usable(transport: GrpcWebTransport, flavour: str, method: str) -> None:
    with transport.open(flavour, method) as call:
        for _ in range(3):
            call.send_whole([Empty()])
            call.reply().answer()
