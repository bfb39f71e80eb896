"""Callers and handlers that take too long, on real servers that wait for nobody: see `short_times.py`.

The handlers here would take 20 seconds (`bookkeeping.WAIT_SECONDS`).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import StringValue

from grpc_bridge.protocol.frames import HEADER
from tests.contract.case import Answer, Call, check
from tests.contract.cases.messages import texts
from tests.contract.control import Control, eventually
from tests.contract.grpc_web import MODES, GrpcWebTransport
from tests.contract.http_client import chunk
from tests.contract.literals import HELLO, LENGTH
from tests.contract.methods import ASYNC, SYNC
from tests.contract.native import NativeTransport, connect
from tests.contract.servicers.lifetime import CALLBACK, CANCELLED, INACTIVE, RPC_ERROR, STARTED
from tests.contract.short_times import BODY_SECONDS, IDLE_SECONDS, STREAM_SECONDS
from tests.databases import NO_DATABASE
from tests.servers import KINDS, Server, running_server

IN_TIME_SECONDS = 5.0

IDLE = Answer((), grpc.StatusCode.UNAVAILABLE, f"The stream has been idle for {IDLE_SECONDS} s")
OLD = Answer((), grpc.StatusCode.UNAVAILABLE, f"The stream has been open for {STREAM_SECONDS} s")
LONG = HEADER.pack(0, 1_000_000)
"""The beginning of a long message."""

LATE = Answer((), grpc.StatusCode.DEADLINE_EXCEEDED, f"The request did not arrive within {BODY_SECONDS} s")


@pytest.fixture(scope="module", params=KINDS)
def hasty_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Each server in turn."""
    directory = tmp_path_factory.mktemp(f"hasty-{request.param}")
    settings = "tests.contract.short_times"
    with running_server(request.param, directory, settings=settings, database=NO_DATABASE) as server:
        yield server


@pytest.fixture
def web(hasty_server: Server) -> GrpcWebTransport:
    """gRPC-Web."""
    return GrpcWebTransport(hasty_server, MODES[0])


@pytest.fixture
def control(hasty_server: Server) -> Control:
    """The bookkeeping of the server."""
    return Control(GrpcWebTransport(hasty_server, MODES[0]))


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    """Nothing here takes long."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < IN_TIME_SECONDS


def test_an_idle_stream_is_ended(web: GrpcWebTransport, flavour: str, control: Control, key: str) -> None:
    answer = web.call(flavour, Call("WaitInStream", [StringValue(value=key)]))
    check(Answer(texts("before"), IDLE.code, IDLE.details), answer)
    control.assert_noted(key, STARTED, CALLBACK, {SYNC: INACTIVE, ASYNC: CANCELLED}[flavour])


def test_a_stream_that_sends_lives_until_its_time_is_over(
    web: GrpcWebTransport, flavour: str, control: Control, key: str
) -> None:
    begun = time.monotonic()
    answer = web.call(flavour, Call("Tick", [StringValue(value=key)]))
    assert time.monotonic() - begun >= STREAM_SECONDS
    assert len(answer.messages) > 1
    check(Answer(answer.messages, OLD.code, OLD.details), answer)
    control.assert_noted(key, STARTED, CALLBACK, INACTIVE)


def test_a_stream_of_requests_that_pauses_is_ended(
    web: GrpcWebTransport, flavour: str, control: Control, key: str
) -> None:
    """gunicorn's WSGI workers hand out a body by the kibibyte, so it takes more than the first message to begin."""
    with web.open(flavour, "Drain") as call:
        call.start_chunked()
        call.send_message(StringValue(value=key))
        call.send_message(StringValue(value="x" * 4096))
        check(IDLE, call.reply().answer())
    control.assert_noted(key, STARTED, CALLBACK, {SYNC: RPC_ERROR, ASYNC: CANCELLED}[flavour])


def test_requests_keep_a_stream_alive(web: GrpcWebTransport, flavour: str, key: str) -> None:
    begun = time.monotonic()
    with web.open(flavour, "Drain") as call:
        call.start_chunked()
        call.send_message(StringValue(value=key))
        while time.monotonic() - begun < 2 * IDLE_SECONDS:
            call.send_message(StringValue(value="x" * 4096))
            time.sleep(IDLE_SECONDS / 10)
        call.end_messages()
        check(Answer(texts("drained")), call.reply().answer())


@pytest.mark.parametrize("sent", [b"", HELLO[:-1]])
@pytest.mark.parametrize("length", ["content-length", "chunked"])
def test_a_request_that_does_not_arrive_is_not_waited_for(
    web: GrpcWebTransport, flavour: str, control: Control, sent: bytes, length: str
) -> None:
    before = control.invocations(flavour, "Echo")
    with web.open(flavour, "Echo") as call:
        if length == "chunked":
            call.start_chunked()
            call.connection.send(chunk(sent) if sent else b"")
        else:
            headers = [*MODES[0].headers(), LENGTH]
            call.connection.send_head("POST", f"/contract.{flavour}/Echo", headers)
            call.connection.send(sent)
        check(LATE, call.reply().answer())
    assert control.invocations(flavour, "Echo") == before


@pytest.mark.parametrize("length", ["content-length", "chunked"])
def test_a_request_that_arrives_byte_after_byte_is_not_waited_for(
    web: GrpcWebTransport, flavour: str, control: Control, length: str
) -> None:
    before = control.invocations(flavour, "Echo")
    with web.open(flavour, "Echo") as call:
        if length == "chunked":
            call.start_chunked()
            call.connection.send(chunk(LONG))
        else:
            headers = [*MODES[0].headers(), ("content-length", "1000000")]
            call.connection.send_head("POST", f"/contract.{flavour}/Echo", headers)
            call.connection.send(LONG)
        piece = chunk(b"x") if length == "chunked" else b"x"
        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(lambda: call.reply().answer())
            while not answer.done():
                with contextlib.suppress(ConnectionError):  # the server has closed its end
                    call.connection.send(piece)
                time.sleep(BODY_SECONDS / 10)
        check(LATE, answer.result())
    assert control.invocations(flavour, "Echo") == before


def test_a_handler_may_take_longer_than_a_request(
    web: GrpcWebTransport, flavour: str, control: Control, key: str
) -> None:
    with web.open(flavour, "Wait") as call:
        call.send_whole([StringValue(value=key)])
        control.assert_noted(key, STARTED)
        time.sleep(2 * BODY_SECONDS)
        control.open_gate(key)
        check(Answer(texts("waited")), call.reply().answer())


def test_native_grpc(hasty_server: Server, flavour: str, key: str) -> None:
    with connect(hasty_server.authority) as channel:
        answer = NativeTransport(channel).call(flavour, Call("SleepInStream", [Empty()]))
    check(Answer(texts("before"), IDLE.code, IDLE.details), answer)


def test_a_caller_that_does_not_read_is_not_kept(hasty_server: Server, web: GrpcWebTransport, flavour: str) -> None:
    """Under WSGI it is the server's thread that waits for it, and the bridge's part of the call is over."""
    with web.open(flavour, "Rush") as call:
        call.send_whole([Empty()])
        line = f"method=/contract.{flavour}/Rush peer=ipv4:127.0.0.1:{call.connection.own_address()[1]}"
        assert eventually(lambda: f"{line} status=UNAVAILABLE" in hasty_server.log())
