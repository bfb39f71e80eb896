"""What Django does around a view is done around a call: the database works, connections are recycled, signals come."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BoolValue, StringValue

from tests.contract.case import Call
from tests.contract.control import Control, eventually, new_key
from tests.contract.grpc_web import GrpcWebTransport
from tests.contract.servicers.site import SIGNALS_KEY
from tests.databases import open_connections
from tests.servers import Server

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def server(database_server: Server) -> Server:
    """A server with a database."""
    return database_server


def call(transport: GrpcWebTransport, flavour: str, method: str, request: Message | None = None) -> list[object]:
    """Makes a call and gives the values of its messages."""
    answer = transport.call(flavour, Call(method, [Empty() if request is None else request]))
    assert answer.code.value[0] == 0, answer
    return [getattr(message, "value", None) for message in answer.messages]


def threads(server: Server) -> int:
    """Counts the worker's threads."""
    return sum(1 for _ in Path(f"/proc/{server.worker_pid}/task").iterdir())


def test_handlers_write_and_read_the_database(binary_transport: GrpcWebTransport, flavour: str) -> None:
    (before,) = call(binary_transport, flavour, "CountUsers")
    assert isinstance(before, int)
    call(binary_transport, flavour, "AddUser", StringValue(value=f"{new_key()}@example.com"))
    assert call(binary_transport, flavour, "CountUsers") == [before + 1]
    assert call(binary_transport, flavour, "CountUsersInStream") == [before + 1] * 2


def test_every_call_begins_without_a_connection(binary_transport: GrpcWebTransport, flavour: str) -> None:
    """CONN_MAX_AGE is 0 here: a connection that is still open was not recycled. Threads come round after some calls."""
    for _ in range(40):
        assert call(binary_transport, flavour, "ConnectionIsOpen") == [False]


@needs_proc
@pytest.mark.parametrize("method", ["CountUsers", "CountUsersInStream"])
def test_no_connection_stays_open(binary_transport: GrpcWebTransport, flavour: str, method: str) -> None:
    worker = binary_transport.server.worker_pid
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda _: call(binary_transport, flavour, method), range(40)))
    assert all(counts)
    assert eventually(lambda: open_connections(binary_transport.server.database, worker) == 0)


@needs_proc
def test_a_connection_is_closed_when_the_caller_leaves(
    transport: GrpcWebTransport, flavour: str, control: Control, key: str
) -> None:
    server = transport.server
    with transport.open(flavour, "TickWithDatabase") as open_call:
        open_call.send_whole([StringValue(value=key)])
        next(iter(open_call.reply()))
        assert open_connections(server.database, server.worker_pid) > 0
    control.assert_noted(key, "ended")
    assert eventually(lambda: open_connections(server.database, server.worker_pid) == 0)


@needs_proc
def test_no_thread_stays_behind(binary_transport: GrpcWebTransport, flavour: str) -> None:
    """Async calls get a thread of their own for the ORM."""
    call(binary_transport, flavour, "CountUsers")
    before = threads(binary_transport.server)
    for _ in range(60):
        call(binary_transport, flavour, "CountUsers")
    # The pools for sync handlers may still grow to their size, by far fewer threads than there were calls.
    assert eventually(lambda: threads(binary_transport.server) < before + 40)


def test_signals_are_sent_around_each_call(binary_transport: GrpcWebTransport, flavour: str, control: Control) -> None:
    call(binary_transport, flavour, "ListenToSignals", BoolValue(value=True))
    try:
        before = Counter(control.events(SIGNALS_KEY))
        for _ in range(5):
            call(binary_transport, flavour, "Echo", StringValue(value="hello"))
            call(binary_transport, flavour, "CountUsers")

        def sent() -> Counter[str]:
            return Counter(control.events(SIGNALS_KEY)) - before

        # Each look at the events is a call, too: it has begun when it looks, and the one before it has ended.
        assert eventually(lambda: min(sent()["request_started"], sent()["request_finished"]) >= 11)
    finally:
        call(binary_transport, flavour, "ListenToSignals", BoolValue(value=False))


def test_calls_do_not_see_each_others_context_variables(binary_transport: GrpcWebTransport, flavour: str) -> None:
    together = threading.Barrier(8)

    def set_and_see(number: int) -> list[object]:
        together.wait()
        return call(binary_transport, flavour, "ContextVariableInStream", StringValue(value=str(number)))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(set_and_see, range(8))) == [["unset", str(number)] for number in range(8)]
