"""Limits on what a server takes on, through real servers whose limits are small: see `small_limits.py`."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from tests.contract.case import Answer, Call, Metadata, Transport, check
from tests.contract.cases.messages import texts
from tests.contract.control import eventually, new_key
from tests.contract.grpc_web import MODES, GrpcWebTransport, OpenCall
from tests.contract.http_client import chunk
from tests.contract.methods import ASYNC, FLAVOURS, SYNC
from tests.contract.native import NativeTransport, connect
from tests.contract.servicers.lifetime import STARTED
from tests.contract.small_limits import CALLS, METADATA_BYTES, METADATA_ENTRIES, QUEUE, STREAMS, THREADS
from tests.databases import NO_DATABASE
from tests.servers import KINDS, Server, running_server

EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
TOO_LARGE = f"Received metadata larger than max \\([0-9]+ vs. {METADATA_BYTES}\\)"
TOO_MANY = f"Received more metadata entries than max \\([0-9]+ vs. {METADATA_ENTRIES}\\)"
TOO_MANY_CALLS = Answer((), EXHAUSTED, "Concurrent RPC limit exceeded!")
TOO_MANY_STREAMS = Answer((), EXHAUSTED, "Concurrent stream limit exceeded!")
TOO_MANY_WAIT = Answer((), EXHAUSTED, "Too many calls wait for a thread")

ECHO = Call("Echo", texts("hello"))
ECHOED = Answer(texts("hello"))

OpenOne = Callable[[str, str, Message], OpenCall]


@pytest.fixture(scope="module", params=KINDS)
def small_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Each server in turn."""
    directory = tmp_path_factory.mktemp(f"small-{request.param}")
    settings = "tests.contract.small_limits"
    with running_server(request.param, directory, settings=settings, database=NO_DATABASE) as server:
        yield server


@pytest.fixture
def web(small_server: Server) -> GrpcWebTransport:
    """gRPC-Web."""
    return GrpcWebTransport(small_server, MODES[0])


@pytest.fixture(params=["web", "native"])
def wire(request: pytest.FixtureRequest, small_server: Server, web: GrpcWebTransport) -> Iterator[Transport]:
    """gRPC-Web and native gRPC."""
    if request.param == "web":
        yield web
    else:
        with connect(small_server.authority) as channel:
            yield NativeTransport(channel)


@pytest.fixture
def open_call(web: GrpcWebTransport) -> Iterator[OpenOne]:
    """Sends a request on a connection of its own, that is closed when the test is over."""
    with contextlib.ExitStack() as stack:

        def send(flavour: str, method: str, request: Message) -> OpenCall:
            call = stack.enter_context(web.open(flavour, method, [("grpc-timeout", "20S")]))
            call.send_whole([request])
            return call

        yield send


def fill(open_call: Callable[[], OpenCall], is_full: Callable[[], bool]) -> list[OpenCall]:
    """Opens calls until there is no room for more. Gives those and perhaps some that came too late."""
    calls: list[OpenCall] = []

    def add_one() -> bool:
        calls.append(open_call())
        return is_full()

    assert eventually(add_one)
    return calls


def count_answered(calls: list[OpenCall]) -> int:
    """Gives how many calls have got their message."""
    return [tuple(call.reply()) for call in calls].count((StringValue(value="waited"),))


def open_gate(wire: Transport, key: StringValue) -> None:
    """Lets go whoever waits for this key, by the deadline of a stream: another call might not be admitted."""
    opener = Call("WaitInStream", [key], timeout=0.1)
    # Without a message no thread was free, or none in time. Then one before may have opened it, and more follows.
    assert eventually(lambda: list(wire.call(SYNC, opener).messages)[:1] == texts("before"))


@pytest.mark.parametrize(
    ("metadata", "details"),
    [
        ([("x-large", "y" * METADATA_BYTES)], TOO_LARGE),
        ([("x-large-bin", b"y" * METADATA_BYTES)], TOO_LARGE),
        ([(f"x-{number}", "y" * 100) for number in range(METADATA_ENTRIES // 2)], TOO_LARGE),
        ([(f"x-{number}", "y") for number in range(METADATA_ENTRIES)], TOO_MANY),
    ],
    ids=["one value", "one binary value", "sum", "number"],
)
def test_too_much_metadata_is_refused(wire: Transport, flavour: str, metadata: Metadata, details: str) -> None:
    refused = Answer((), EXHAUSTED, re.compile(details))
    check(refused, wire.call(flavour, Call("Echo", texts("hello"), tuple(metadata))))
    half = tuple((key, value[: METADATA_BYTES // 4]) for key, value in metadata[: METADATA_ENTRIES // 4])
    check(ECHOED, wire.call(flavour, Call("Echo", texts("hello"), half)))


def test_so_many_unary_calls_at_a_time(wire: Transport, open_call: OpenOne) -> None:
    """Streams go on."""
    key = StringValue(value=new_key())
    calls = fill(lambda: open_call(ASYNC, "Wait", key), lambda: wire.call(ASYNC, ECHO).code is EXHAUSTED)
    for flavour in FLAVOURS:
        check(TOO_MANY_CALLS, wire.call(flavour, ECHO))
        check(ECHOED, wire.call(flavour, Call("Chat", texts("hello"))))
    open_gate(wire, key)
    assert count_answered(calls) == CALLS
    assert eventually(lambda: wire.call(ASYNC, ECHO).code is grpc.StatusCode.OK)


def test_so_many_streams_at_a_time(wire: Transport, flavour: str, open_call: OpenOne) -> None:
    """Unary calls go on."""
    key = StringValue(value=new_key())
    replies = [iter(open_call(flavour, "WaitInStream", key).reply()) for _ in range(STREAMS)]
    assert [next(reply) for reply in replies] == texts("before") * STREAMS
    for method in ("Repeat", "Collect", "Chat"):
        check(TOO_MANY_STREAMS, wire.call(flavour, Call(method, [])))
    check(ECHOED, wire.call(flavour, ECHO))
    wire.call(SYNC, Call("OpenGate", [key]))
    assert [list(reply) for reply in replies] == [texts("after")] * STREAMS
    assert eventually(lambda: wire.call(flavour, Call("Collect", texts("a"))).code is grpc.StatusCode.OK)


def test_so_many_handlers_in_threads_and_so_many_in_the_queue(wire: Transport, open_call: OpenOne) -> None:
    """Under WSGI threads of the pool are for handlers with a deadline, as all of these have. `async def` goes on."""
    key = StringValue(value=new_key())
    timed, probe = (Call("Echo", texts("hello"), timeout=seconds) for seconds in (20, 0.1))  # a probe may have to wait
    calls = fill(lambda: open_call(SYNC, "Wait", key), lambda: wire.call(SYNC, probe).code is EXHAUSTED)
    check(TOO_MANY_WAIT, wire.call(SYNC, timed))
    check(TOO_MANY_WAIT, wire.call(SYNC, Call("Collect", texts("a"), timeout=20)))
    check(ECHOED, wire.call(ASYNC, timed))
    wire.call(ASYNC, Call("OpenGate", [key]))
    assert count_answered(calls) == THREADS + QUEUE
    assert eventually(lambda: wire.call(SYNC, timed).code is grpc.StatusCode.OK)


def test_a_call_leaves_the_queue_when_its_time_is_over(web: GrpcWebTransport, open_call: OpenOne) -> None:
    key = StringValue(value=new_key())
    for _ in range(THREADS):
        open_call(SYNC, "Wait", key)
    assert eventually(lambda: len(noted(web, key)) == THREADS)
    for _ in range(2 * QUEUE):
        answer = web.call(SYNC, Call("Wait", [key], timeout=0.1))
        check(Answer((), grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"), answer)
    assert noted(web, key) == [STARTED] * THREADS
    web.call(ASYNC, Call("OpenGate", [key]))


def noted(web: GrpcWebTransport, key: StringValue) -> list[str]:
    """Gives what handlers have noted, by a call that needs no thread."""
    (events,) = web.call(ASYNC, Call("Events", [key])).messages
    return list(events)  # type: ignore[call-overload]


def test_more_calls_than_fit_are_answered_or_turned_away(wire: Transport, flavour: str, open_call: OpenOne) -> None:
    """And all places are free again afterwards."""
    calls = [ECHO, Call("Repeat", [Int32Value(value=3)]), Call("Collect", texts("a", "b"), timeout=20)] * 40
    with ThreadPoolExecutor(4 * CALLS) as clients:
        codes = Counter(answer.code for answer in clients.map(lambda call: wire.call(flavour, call), calls))
    assert codes.keys() <= {grpc.StatusCode.OK, EXHAUSTED}
    assert codes[grpc.StatusCode.OK] > 0
    all_places_are_free(wire, open_call)


def all_places_are_free(wire: Transport, open_call: OpenOne) -> None:
    """Holds as many calls and as many streams at a time as there may be."""

    def calls_fit() -> bool:
        key = StringValue(value=new_key())
        calls = fill(lambda: open_call(ASYNC, "Wait", key), lambda: wire.call(ASYNC, ECHO).code is EXHAUSTED)
        open_gate(wire, key)
        return count_answered(calls) == CALLS

    def streams_fit() -> bool:
        key = StringValue(value=new_key())
        replies = [open_call(ASYNC, "WaitInStream", key).reply() for _ in range(STREAMS)]
        firsts = [next(iter(reply), None) for reply in replies]
        wire.call(ASYNC, Call("OpenGate", [key]))
        rest = [tuple(reply) for reply in replies]
        return firsts == texts("before") * STREAMS and rest == [tuple(texts("after"))] * STREAMS

    assert eventually(calls_fit)  # a server may take a moment to notice that callers have gone
    assert eventually(streams_fit)


ENDS: dict[str, Callable[[OpenCall], object]] = {
    "closes before the request": lambda call: None,
    "closes within the request": lambda call: (call.start_chunked(), call.send_message(StringValue(value="a"))),
    "closes while the handler runs": lambda call: call.send_whole([StringValue(value=new_key())]),
    "drops the connection": lambda call: (call.send_whole([StringValue(value=new_key())]), call.connection.reset()),
    "sends garbage": lambda call: (call.start_chunked(), call.connection.send(chunk(b"garbage" * 10) + chunk(b""))),
    "reads all": lambda call: (call.send_whole([StringValue(value="a")]), list(call.reply())),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("method", ["Chat", "Wait"])
def test_no_place_is_lost_however_callers_leave(
    web: GrpcWebTransport, flavour: str, method: str, end: str, open_call: OpenOne
) -> None:
    for _ in range(2 * CALLS):
        with web.open(flavour, method, [("grpc-timeout", "50m")]) as call:
            ENDS[end](call)
    all_places_are_free(web, open_call)
