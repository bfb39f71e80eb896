"""What happens to open calls when their process is told to end: real servers, each kind of method and of handler.

Servers have so much time of grace that a test fails which waits for its end, unless it says otherwise.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue

from grpc_bridge.shutdown import FIRST_MS, MESSAGE, PUSHBACK, SPREAD_MS
from tests.contract.case import Call, Metadata
from tests.contract.cases.messages import texts
from tests.contract.control import eventually, new_key
from tests.contract.grpc_web import MODES, GrpcWebTransport, OpenCall, Reply
from tests.contract.http_client import Connection
from tests.contract.methods import ASYNC, FLAVOURS, SYNC
from tests.contract.native import connect, start
from tests.databases import NO_DATABASE
from tests.other_servers import ZTTP, program
from tests.servers import KINDS, Server, running_program, running_server

SETTINGS = "tests.contract.settings"
GRACE_SECONDS = 1000
SHORT_GRACE_SECONDS = 3
MAX_REQUESTS = 8

LARGE = "x" * 4096
"""gunicorn's WSGI workers hand out the body of a request by the kibibyte: a handler gets no smaller one by itself."""

STREAMS = ("WaitInStream", "Tick", "Chat")
"""A stream that waits, one that sends, and one that waits for requests."""

End = Callable[[], tuple[grpc.StatusCode, str, Metadata]]
"""Waits for the end of a call and gives its status."""

Running = Callable[..., contextlib.AbstractContextManager[Server]]


@pytest.fixture
def running(tmp_path: Path) -> Running:
    """Starts a server that would wait for very long, unless `environment` says otherwise."""

    def run(kind: str, **environment: str) -> contextlib.AbstractContextManager[Server]:
        environment = {"WEB_GRACEFUL_TIMEOUT": str(GRACE_SECONDS)} | environment
        return running_server(kind, tmp_path, settings=SETTINGS, database=NO_DATABASE, environment=environment)

    return run


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, running: Running) -> Iterator[Server]:
    """Each kind of server, started for the test."""
    with running(request.param) as server:
        yield server


@pytest.fixture
def opened() -> Iterator[contextlib.ExitStack]:
    """Closes the connections of a test before its server has to end."""
    with contextlib.ExitStack() as stack:
        yield stack


def web_end(reply: Reply, messages: Iterator[Message]) -> tuple[grpc.StatusCode, str, Metadata]:
    """Reads the rest of an answer."""
    list(messages)
    assert reply.status is not None
    return reply.status.code, reply.status.details, reply.status.trailing_metadata


def open_web(server: Server, opened: contextlib.ExitStack, flavour: str, method: str, mode: int) -> End:
    """Opens a stream on a connection of its own and reads its first message."""
    call = opened.enter_context(GrpcWebTransport(server, MODES[mode]).open(flavour, method))
    if method == "Chat":
        call.start_chunked()
        call.send_message(StringValue(value=LARGE))
        opened.callback(call.end_messages)
    else:
        call.send_whole(texts(new_key()))
    reply = call.reply()
    messages = iter(reply)
    next(messages)
    return partial(web_end, reply, messages)


def open_native(server: Server, opened: contextlib.ExitStack, flavour: str, method: str) -> End:
    """The same by native gRPC."""
    channel = opened.enter_context(connect(server.authority))
    requests: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
    requests.put(StringValue(value=LARGE if method == "Chat" else new_key()))
    if method != "Chat":
        requests.put(None)
    opened.callback(requests.put, None)
    running = start(channel, flavour, Call(method, []), iter(requests.get, None))
    next(running)

    def end() -> tuple[grpc.StatusCode, str, Metadata]:
        with pytest.raises(grpc.RpcError):
            list(running)
        return running.code(), running.details(), running.trailing_metadata()

    return end


def open_streams(server: Server, opened: contextlib.ExitStack) -> dict[str, End]:
    """Opens streams of all kinds of methods and handlers on all wires."""
    ends: dict[str, End] = {}
    for flavour in FLAVOURS:
        for method in STREAMS:
            for mode in range(len(MODES)):
                ends[f"{flavour} {method}, {MODES[mode].name}"] = open_web(server, opened, flavour, method, mode)
            ends[f"{flavour} {method}, native"] = open_native(server, opened, flavour, method)
    return ends


def assert_sent_away(name: str, end: tuple[grpc.StatusCode, str, Metadata]) -> None:
    """Checks that a caller has been told to come back, and when."""
    code, details, trailing = end
    assert (name, code, details) == (name, grpc.StatusCode.UNAVAILABLE, MESSAGE)
    (hint,) = [value for key, value in trailing if key == PUSHBACK]
    assert FIRST_MS <= int(hint) < FIRST_MS + SPREAD_MS


def withheld(server: Server, opened: contextlib.ExitStack, flavour: str, method: str, key: str) -> Callable[[], Reply]:
    """Begins a unary call and keeps its last byte back. Gives what sends that, and the answer."""
    call = opened.enter_context(GrpcWebTransport(server, MODES[0]).open(flavour, method))
    body = MODES[0].request_body(texts(key))
    call.start_chunked()
    call.connection.send(f"{len(body):x}\r\n".encode() + body[:-1])

    def send() -> Reply:
        call.connection.send(body[-1:] + b"\r\n")
        call.end_messages()
        return call.reply()

    return send


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["stop", "reload"])
def test_streams_end_soon_and_say_when_to_come_back(server: Server, opened: contextlib.ExitStack, number: int) -> None:
    """And connections that nobody uses are closed."""
    new, used = (opened.enter_context(Connection(server)) for _ in range(2))  # taken in this order
    assert used.request("GET", "/healthz", [], b"").read() == b"ok\n"
    ends = open_streams(server, opened)
    worker = server.worker_pid
    os.kill(server.pid, number)
    for name, end in ends.items():
        assert_sent_away(name, end())
    assert used.is_closed_by_server()
    assert new.is_closed_by_server()
    if number == signal.SIGHUP:
        assert eventually(lambda: server.worker_pid != worker)
        open_web(server, opened, ASYNC, "WaitInStream", 0)


@pytest.mark.parametrize("kind", KINDS)
def test_streams_that_end_in_time_end_as_ever(running: Running, opened: contextlib.ExitStack, kind: str) -> None:
    with running(kind, WEB_STREAM_GRACE=str(GRACE_SECONDS)) as server:
        transport = GrpcWebTransport(server, MODES[0])
        replies = {}
        open_gates = []
        for flavour in FLAVOURS:
            key = new_key()
            call = opened.enter_context(transport.open(flavour, "WaitInStream"))
            call.send_whole(texts(key))
            replies[flavour] = messages = iter(call.reply())
            assert next(messages) == texts("before")[0]
            open_gates.append(withheld(server, opened, ASYNC, "OpenGate", key))
        unused = opened.enter_context(Connection(server))
        assert unused.request("GET", "/healthz", [], b"").read() == b"ok\n"
        os.kill(server.pid, signal.SIGTERM)
        assert unused.is_closed_by_server()  # so it has begun to end
        for open_gate in open_gates:
            assert list(open_gate())
        assert {flavour: list(messages) for flavour, messages in replies.items()} == dict.fromkeys(
            FLAVOURS, texts("after")
        )


def test_unary_calls_and_uploads_go_on(server: Server, opened: contextlib.ExitStack) -> None:
    """The one that a handler works at, those whose request is on its way, and an upload."""
    key = new_key()
    waiting = opened.enter_context(GrpcWebTransport(server, MODES[0]).open(SYNC, "Wait"))
    waiting.send_whole(texts(key))
    echoes = [withheld(server, opened, flavour, "Echo", "hello") for flavour in FLAVOURS]
    open_gate = withheld(server, opened, ASYNC, "OpenGate", key)
    uploads = [
        opened.enter_context(GrpcWebTransport(server, MODES[0]).open(flavour, "Collect")) for flavour in FLAVOURS
    ]
    for upload in uploads:
        upload.start_chunked()
        upload.send_message(StringValue(value=LARGE))
    stream_end = open_web(server, opened, ASYNC, "WaitInStream", 0)
    os.kill(server.pid, signal.SIGTERM)
    assert_sent_away("stream", stream_end())
    assert [list(send()) for send in echoes] == [texts("hello")] * 2
    for upload in uploads:
        upload.send_message(StringValue(value="more"))
        upload.end_messages()
        assert list(upload.reply()) == texts(f"{LARGE},more")
    assert list(open_gate())
    assert list(waiting.reply()) == texts("waited")


@pytest.mark.parametrize("kind", KINDS)
def test_streams_end_with_a_worker_that_has_served_its_requests(
    running: Running, opened: contextlib.ExitStack, kind: str
) -> None:
    with running(kind, WEB_MAX_REQUESTS=str(MAX_REQUESTS), WEB_MAX_REQUESTS_JITTER="0") as server:
        worker = server.worker_pid
        ends = {flavour: open_web(server, opened, flavour, "WaitInStream", 0) for flavour in FLAVOURS}
        for _ in range(MAX_REQUESTS):
            with GrpcWebTransport(server, MODES[0]).open(ASYNC, "Echo") as call:
                call.send_whole(texts("hello"))
                assert list(call.reply()) == texts("hello")
        for name, end in ends.items():
            assert_sent_away(name, end())
        assert eventually(lambda: server.worker_pid != worker)
        opened.close()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_open_at_the_end_of_the_time_of_grace_ends_like_a_stream(
    running: Running, opened: contextlib.ExitStack, kind: str
) -> None:
    with running(kind, WEB_GRACEFUL_TIMEOUT=str(SHORT_GRACE_SECONDS)) as server:
        calls: dict[str, OpenCall] = {}
        for flavour in FLAVOURS:
            for method in ("Wait", "Drain"):
                call = opened.enter_context(GrpcWebTransport(server, MODES[0]).open(flavour, method))
                calls[f"{flavour} {method}"] = call
                call.start_chunked()
                call.send_message(StringValue(value=new_key() if method == "Wait" else LARGE))
                if method == "Wait":
                    call.end_messages()
        stream_end = open_web(server, opened, ASYNC, "WaitInStream", 0)  # so that the others have begun
        os.kill(server.pid, signal.SIGTERM)
        assert_sent_away("stream", stream_end())
        for name, call in calls.items():
            reply = call.reply()
            assert_sent_away(name, web_end(reply, iter(reply)))
        opened.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_that_still_loads_the_application_hears_that_it_has_to_end(tmp_path: Path, kind: str) -> None:
    hold = tmp_path / "hold"
    environment = {"WEB_GRACEFUL_TIMEOUT": str(GRACE_SECONDS), "SLOW_START": str(hold)}
    with running_server(
        kind, tmp_path, settings="tests.contract.slow_start", database=NO_DATABASE, environment=environment
    ) as server:
        hold.touch()
        os.kill(server.worker_pid, signal.SIGKILL)
        waiting = hold.with_suffix(".waiting")
        assert eventually(lambda: waiting.exists() and waiting.read_text() == str(server.worker_pid))
        worker = server.worker_pid
        os.kill(worker, signal.SIGTERM)
        hold.unlink()
        assert eventually(lambda: server.worker_pid != worker)


def test_another_server_by_its_signals(tmp_path: Path, opened: contextlib.ExitStack) -> None:
    with running_program(program(ZTTP), tmp_path, settings=SETTINGS, database=NO_DATABASE) as server:
        ends = open_streams(server, opened)
        os.kill(server.pid, signal.SIGTERM)
        for name, end in ends.items():
            assert_sent_away(name, end())
        opened.close()
