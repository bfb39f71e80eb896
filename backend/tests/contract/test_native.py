"""Native gRPC while it happens: a grpcio client against the bridge, and against grpcio's servers as the measure.

Each test has a connection of its own, because gunicorn's WSGI workers serve the calls of one connection one by one.
"""

from __future__ import annotations

import queue
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import Int32Value, StringValue
from grpc_status import rpc_status

from tests.contract.case import Call
from tests.contract.cases.messages import texts
from tests.contract.control import Control, new_key
from tests.contract.grpc_web import MODES, GrpcWebTransport
from tests.contract.methods import METHODS, SYNC, path
from tests.contract.native import NativeTransport, connect, metadata_of, start
from tests.contract.servicers.aborts import BAD_REQUEST
from tests.contract.servicers.lifetime import CALLBACK, CANCELLED, INACTIVE, RPC_ERROR, STARTED
from tests.contract.servicers.metadata import INITIAL
from tests.contract.transports import BRIDGE, ENVOY_NATIVE, GRPCIO, GRPCIO_AIO, NATIVE, RUNGRPC, SERVED
from tests.servers import ASGI, Server

TIMEOUT_SECONDS = 1.0
"""Long enough for a handler to begin on a machine that is busy."""

ON_TIME_SECONDS = 5.0
CALLS = 50
LATE_ROUNDING_SECONDS = 1.0
"""By how much grpcio's client lengthens a timeout of some minutes, so that it can write it shortly."""

NATIVE_SERVERS = [name for name in SERVED if name.endswith(NATIVE) or name in (GRPCIO, GRPCIO_AIO)]
ALL = [(name, flavour) for name in NATIVE_SERVERS for flavour in SERVED[name]]
# gunicorn's WSGI workers serve the calls of a connection one by one; what they see of a client that gives one up is
# tested in `test_http2.py`.
THAT_SEE_CANCELLATION = [(name, flavour) for name, flavour in ALL if BRIDGE.get(name, (ASGI,))[0] == ASGI]


ADDRESSES = {
    GRPCIO: "grpcio_address",
    GRPCIO_AIO: "grpcio_aio_address",
    RUNGRPC: "rungrpc_address",
    ENVOY_NATIVE: "envoy_address",
}
"""The fixtures of servers that are not gunicorn's."""


class Requests(Iterator[Message]):
    """Requests that a test sends one by one."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Message | None] = queue.SimpleQueue()

    def __next__(self) -> Message:
        if (message := self._queue.get()) is None:
            raise StopIteration
        return message

    def send(self, text: str) -> None:
        """Sends a message."""
        self._queue.put(StringValue(value=text))

    def end(self) -> None:
        """Says that no more follow."""
        self._queue.put(None)


class Lab:
    """A server, a connection to it, and the kind of handlers that is asked for."""

    def __init__(self, name: str, flavour: str, channel: grpc.Channel, control: Control) -> None:
        self.name = name
        self.flavour = flavour
        self.channel = channel
        self.control = control

    def start(self, method: str, *requests: str, timeout: float | None = None) -> Any:
        """Starts a call."""
        return start(self.channel, self.flavour, Call(method, texts(*requests), timeout=timeout))

    def start_open(self, method: str) -> tuple[Any, Requests]:
        """Starts a call whose requests are sent by the test."""
        requests = Requests()
        return start(self.channel, self.flavour, Call(method, ()), requests), requests

    def learned(self, method: str) -> tuple[str, ...]:
        """What a handler notes whose caller has left, beside its callback.

        Of grpcio's servers only the callback is sure. To them a caller that leaves may look like one whose requests
        have ended, a generator may not be resumed, and an async context knows of the end only after its handler's own.
        """
        if self.name not in BRIDGE:
            return ()
        if self.flavour == SYNC:
            return (RPC_ERROR if method == "Drain" else INACTIVE,)
        return (INACTIVE if method == "Tick" else CANCELLED,)


@pytest.fixture
def lab(request: pytest.FixtureRequest, server_of_kind: Callable[[str], Server]) -> Iterator[Lab]:
    """The pair of server and flavour that the test is run with."""
    name, flavour = request.param
    if name in BRIDGE:
        server = server_of_kind(BRIDGE[name][0])
        with connect(server.authority) as channel:
            yield Lab(name, flavour, channel, Control(GrpcWebTransport(server, MODES[0])))
    else:
        address = request.getfixturevalue(ADDRESSES[name])
        with connect(address) as channel, connect(address) as another:
            yield Lab(name, flavour, channel, Control(NativeTransport(another), flavour))


everywhere = pytest.mark.parametrize("lab", ALL, indirect=True, ids=", ".join)
where_cancellation_is_seen = pytest.mark.parametrize("lab", THAT_SEE_CANCELLATION, indirect=True, ids=", ".join)


@everywhere
@pytest.mark.parametrize("method", ["Chat", "ChatByReading", "ChatAfterInitial"])
def test_ping_pong(lab: Lab, method: str) -> None:
    running, requests = lab.start_open(method)
    for number in range(20):
        requests.send(str(number))
        assert next(running).value == str(number)
    requests.end()
    assert list(running) == []
    assert running.code() is grpc.StatusCode.OK


@everywhere
def test_each_kind_of_method_by_the_call_that_a_stub_makes(lab: Lab) -> None:
    def stub(kind: str, method: str) -> Any:
        return getattr(lab.channel, kind)(
            path(lab.flavour, method),
            request_serializer=METHODS[method].request.SerializeToString,
            response_deserializer=METHODS[method].response.FromString,
        )

    one, two = texts("one", "two")
    assert stub("unary_unary", "Echo")(one) == one
    assert list(stub("unary_stream", "Repeat")(Int32Value(value=3))) == texts("0", "1", "2")
    assert stub("stream_unary", "Collect")(iter([one, two])) == StringValue(value="one,two")
    assert list(stub("stream_stream", "Chat")(iter([one, two]))) == [one, two]
    with pytest.raises(grpc.RpcError) as caught:
        stub("unary_unary", "AbortWithBadRequest")(Empty())
    (details,) = rpc_status.from_call(caught.value).details
    assert details.Is(BAD_REQUEST.DESCRIPTOR)
    assert type(BAD_REQUEST).FromString(details.value) == BAD_REQUEST


@everywhere
def test_a_handler_sees_the_metadata_of_grpc_only(lab: Lab) -> None:
    call = Call("ShowMetadata", texts(""), (("contract-a", "one"), ("contract-bin", b"\0\xff")))
    (shown,) = start(lab.channel, lab.flavour, call)
    entries = dict(entry.split("=", 1) for entry in shown)
    expected = {"contract-a", "contract-bin", "user-agent"}
    if lab.name == ENVOY_NATIVE:  # which says what it knows of the caller
        expected |= {f"x-{name}" for name in ("envoy-external-address", "request-id")}
        expected |= {f"x-forwarded-{name}" for name in ("for", "host", "proto")}
    assert entries.keys() == expected
    assert entries["contract-bin"] == "00ff"
    assert entries["user-agent"].startswith("grpc-python/")


@everywhere
def test_the_peer_is_the_other_end_of_the_connection(lab: Lab) -> None:
    (message,) = start(lab.channel, lab.flavour, Call("Peer", [Empty()]))
    assert re.fullmatch(r"ipv4:127\.0\.0\.1:\d+", message.value)


@everywhere
def test_callbacks_run_at_the_end_of_a_call_that_goes_well(lab: Lab) -> None:
    key = new_key()
    assert list(lab.start("Callbacks", key)) == texts("[True, True, True]")
    # grpcio's async server gives up after a callback that fails.
    lab.control.assert_noted_exactly(key, "first", *(["last, active: False"] if lab.name != GRPCIO_AIO else []))


@everywhere
def test_requests_reach_the_handler_one_by_one(lab: Lab) -> None:
    key = new_key()
    running, requests = lab.start_open("Drain")
    requests.send(key)
    for text in ("one", "two"):
        requests.send(text)
        lab.control.assert_noted(key, STARTED, text)
    requests.end()
    assert list(running) == texts("drained")
    lab.control.assert_noted_exactly(key, STARTED, "one", "two", "end of requests", CALLBACK)


@everywhere
def test_an_answer_may_end_before_its_requests(lab: Lab) -> None:
    running, requests = lab.start_open("TakeFirst")
    requests.send("first")
    assert list(running) == texts("first")
    requests.end()
    assert list(lab.start("Echo", "the connection is as good as before")) == texts(
        "the connection is as good as before"
    )


@everywhere
def test_messages_arrive_while_the_stream_is_open(lab: Lab) -> None:
    key = new_key()
    running = lab.start("WaitInStream", key)
    assert next(running).value == "before"
    lab.control.open_gate(key)
    assert list(running) == texts("after")


@everywhere
def test_initial_metadata_arrives_before_the_first_message(lab: Lab) -> None:
    key = new_key()
    running = lab.start("SendInitialAndWait", key, timeout=ON_TIME_SECONDS)
    assert sorted(metadata_of(running.initial_metadata()), key=repr) == sorted(INITIAL, key=repr)
    assert running.is_active()
    lab.control.open_gate(key)
    assert list(running) == texts("after")


@where_cancellation_is_seen
@pytest.mark.parametrize("method", ["Wait", "WaitInStream", "Drain", "Tick"])
def test_a_cancelled_call_ends_its_handler(lab: Lab, method: str) -> None:
    key = new_key()
    running, requests = lab.start_open(method)
    requests.send(key)
    if method != "Drain":
        requests.end()
    lab.control.assert_noted(key, STARTED)
    running.cancel()
    lab.control.assert_noted(key, STARTED, CALLBACK, *lab.learned(method))
    assert lab.control.events(key).count(CALLBACK) == 1
    requests.end()
    assert list(lab.start("Echo", "and the next is answered")) == texts("and the next is answered")


@everywhere
def test_a_stream_without_a_connection_is_stopped(lab: Lab) -> None:
    key = new_key()
    running = lab.start("Tick", key)
    assert next(running).value == "0"
    lab.channel.close()
    lab.control.assert_noted(key, STARTED, CALLBACK, *lab.learned("Tick"))


@where_cancellation_is_seen
def test_all_handlers_of_a_lost_connection_are_stopped(lab: Lab) -> None:
    keys = [new_key() for _ in range(3)]
    streams = [lab.start("WaitInStream", key) for key in keys]
    assert [next(stream).value for stream in streams] == ["before"] * 3
    lab.channel.close()
    for key in keys:
        lab.control.assert_noted(key, STARTED, CALLBACK, *lab.learned("WaitInStream"))


@everywhere
@pytest.mark.parametrize("method", ["Wait", "WaitInStream"])
def test_a_deadline_ends_the_handler(lab: Lab, method: str) -> None:
    key = new_key()
    begun = time.monotonic()
    running = lab.start(method, key, timeout=TIMEOUT_SECONDS)
    with pytest.raises(grpc.RpcError):
        list(running)
    assert running.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - begun < ON_TIME_SECONDS
    lab.control.assert_noted(key, STARTED, CALLBACK, *lab.learned(method))
    assert list(lab.start("Echo", "and the next is answered")) == texts("and the next is answered")


@everywhere
def test_time_remaining(lab: Lab) -> None:
    (message,) = start(lab.channel, lab.flavour, Call("TimeRemaining", [Empty()], timeout=100))
    assert 90 < message.value <= 100 + LATE_ROUNDING_SECONDS


@everywhere
def test_many_calls_at_the_same_time(lab: Lab) -> None:
    calls = [lab.start("Echo", str(number)) for number in range(CALLS)]
    assert [list(call) for call in calls] == [texts(str(number)) for number in range(CALLS)]
    calls = [lab.start("ChatByReading", *map(str, range(number))) for number in range(CALLS)]
    assert [[message.value for message in call] for call in calls] == [
        list(map(str, range(number))) for number in range(CALLS)
    ]


@where_cancellation_is_seen
def test_streams_of_one_connection_are_open_at_the_same_time(lab: Lab) -> None:
    keys = [new_key() for _ in range(10)]
    streams = [lab.start("WaitInStream", key) for key in keys]
    assert [next(stream).value for stream in streams] == ["before"] * len(keys)
    assert list(lab.start("Echo", "beside all the others")) == texts("beside all the others")
    for key in reversed(keys):
        lab.control.open_gate(key)
    assert [list(stream) for stream in streams] == [texts("after")] * len(keys)
