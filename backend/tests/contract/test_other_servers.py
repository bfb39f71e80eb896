"""Native gRPC where the bridge runs on a server that the project does not use itself, by grpcio's own client.

hypercorn and uvicorn with zttp have HTTP/2 and trailers, with TLS and without; uvicorn with h11 has neither.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase

import grpc
import pytest
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from tests.contract.case import Answer, Call, Case, check
from tests.contract.cases import CASES
from tests.contract.cases.messages import texts
from tests.contract.control import eventually
from tests.contract.differences import expected
from tests.contract.grpc_web import MODES, GrpcWebTransport, Mode
from tests.contract.http_client import Connection
from tests.contract.literals import HELLO
from tests.contract.methods import ASYNC, SYNC, path
from tests.contract.native import NativeTransport, connect, start
from tests.contract.servicers.lifetime import CALLBACK, CANCELLED, CLOSED, INACTIVE, STARTED
from tests.contract.transports import NATIVE
from tests.databases import NO_DATABASE
from tests.other_servers import H11, HYPERCORN, ZTTP, Certificate, new_certificate, program
from tests.servers import ASGI, Server, running_program

SETTINGS = "tests.contract.settings"
CALLS_AT_A_TIME = 50
LARGE_BYTES = 3 * 1024 * 1024
TIMEOUT_SECONDS = 0.5

ANSWERED_EARLY = (
    "*request above the limit",
    "*only the first is read",
    "*, 2 messages",
    "abort with requests left",
    "abort of a stream both ways*",
    "*too large once decompressed",
)
"""Cases whose answer may come before the end of the request, and which hypercorn 0.18 does not get: it forgets a stream
that it has answered, and breaks the connection off when something arrives for a stream that it has forgotten. See
https://github.com/pgjones/hypercorn/issues/329."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for the servers here."""
    return new_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module", params=[f"{name}, {tls}" for name in (HYPERCORN, ZTTP) for tls in ("TLS", "no TLS")])
def http2_server(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    certificate: Certificate,
) -> Iterator[Server]:
    """Each server in turn, with TLS and without."""
    name, _, tls = request.param.partition(", ")
    started = program(name, certificate if tls == "TLS" else None)
    with running_program(started, tmp_path_factory.mktemp("http2"), settings=SETTINGS, database=NO_DATABASE) as server:
        yield server


@pytest.fixture
def native(http2_server: Server, certificate: Certificate) -> Iterator[NativeTransport]:
    """A new native connection to each server: hypercorn breaks one off after its thousandth request."""
    authority = None if http2_server.tls is None else certificate.authority
    with connect(http2_server.authority, authority) as channel:
        yield NativeTransport(channel)


def test_every_case(http2_server: Server, native: NativeTransport, flavour: str) -> None:
    """What the bridge answers does not depend on the server. Statuses, details and metadata are among these."""
    wrong: list[str] = []
    for case in CASES:
        if flavour not in case.flavours or (http2_server.kind == HYPERCORN and is_answered_early(case)):
            continue
        try:
            check(expected(case, f"{ASGI}, {NATIVE}"), native.call(flavour, case.call))
        except AssertionError as error:
            wrong.append(f"{case.name}: {error}")
    assert not wrong, "\n".join(wrong)


def is_answered_early(case: Case) -> bool:
    """Whether a case is among `ANSWERED_EARLY`."""
    return any(fnmatchcase(case.name, pattern) for pattern in ANSWERED_EARLY)


def test_large_messages(native: NativeTransport, flavour: str) -> None:
    text = "x" * LARGE_BYTES
    check(Answer(texts(text)), native.call(flavour, Call("Echo", texts(text))))
    check(Answer(texts(text, text)), native.call(flavour, Call("Chat", texts(text, text))))


def test_requests_are_answered_one_by_one(native: NativeTransport, flavour: str) -> None:
    requests: queue.SimpleQueue[StringValue | None] = queue.SimpleQueue()
    running = start(native.channel, flavour, Call("Chat", []), iter(requests.get, None))
    for text in map(str, range(5)):
        requests.put(StringValue(value=text))
        assert next(running).value == text
    requests.put(None)
    assert list(running) == []
    assert running.code() is grpc.StatusCode.OK


def test_messages_arrive_while_a_stream_is_open(native: NativeTransport, flavour: str, key: str) -> None:
    running = start(native.channel, flavour, Call("WaitInStream", [StringValue(value=key)]))
    assert next(running).value == "before"
    native.call(flavour, Call("OpenGate", [StringValue(value=key)]))
    assert [message.value for message in running] == ["after"]


@pytest.mark.parametrize(
    ("method", "ends"),
    [
        ("Wait", {SYNC: [INACTIVE], ASYNC: [CANCELLED]}),
        ("WaitInStream", {SYNC: [INACTIVE, CLOSED], ASYNC: [CANCELLED]}),
    ],
)
@pytest.mark.parametrize("how", ["cancel", "deadline"])
def test_a_handler_learns_of_the_end(
    native: NativeTransport, flavour: str, key: str, method: str, ends: dict[str, list[str]], how: str
) -> None:
    call = Call(method, [StringValue(value=key)], timeout=TIMEOUT_SECONDS if how == "deadline" else None)
    running = start(native.channel, flavour, call)
    assert eventually(lambda: noted(native, key) == [STARTED])
    if how == "cancel":
        running.cancel()
    assert eventually(lambda: noted(native, key) == [STARTED, CALLBACK, *ends[flavour]])
    code = grpc.StatusCode.CANCELLED if how == "cancel" else grpc.StatusCode.DEADLINE_EXCEEDED
    assert running.code() is code


def noted(native: NativeTransport, key: str) -> list[str]:
    """Gives what handlers have noted under this key."""
    (events,) = native.call(ASYNC, Call("Events", [StringValue(value=key)])).messages
    return list(events)  # type: ignore[call-overload]


def test_many_calls_at_a_time(native: NativeTransport, flavour: str, key: str) -> None:
    """All handlers run while one more call opens the gate for which they wait, as far as there are threads for them."""
    waiting = CALLS_AT_A_TIME if flavour == ASYNC else CALLS_AT_A_TIME // 2
    request = [StringValue(value=key)]
    running = [start(native.channel, flavour, Call("Wait", request)) for _ in range(waiting)]
    assert eventually(lambda: noted(native, key) == [STARTED] * waiting)
    native.call(ASYNC, Call("OpenGate", request))
    assert [[message.value for message in call] for call in running] == [["waited"]] * waiting
    with ThreadPoolExecutor(CALLS_AT_A_TIME) as clients:
        calls = [Call("Echo", texts(str(number))) for number in range(CALLS_AT_A_TIME)]
        answers = clients.map(lambda call: native.call(flavour, call), calls)
        for call, answer in zip(calls, answers, strict=True):
            check(Answer(call.requests), answer)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_the_same_port_serves_grpc_web_by_http_1(http2_server: Server, mode: Mode, flavour: str) -> None:
    web = GrpcWebTransport(http2_server, mode)
    check(Answer(texts("hello")), web.call(flavour, Call("Echo", texts("hello"))))
    check(Answer(texts("0", "1")), web.call(flavour, Call("Repeat", [Int32Value(value=2)])))


@pytest.fixture(scope="module")
def h11_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without HTTP/2."""
    directory = tmp_path_factory.mktemp("h11")
    with running_program(program(H11), directory, settings=SETTINGS, database=NO_DATABASE) as server:
        yield server


def test_native_grpc_is_refused_where_there_are_no_trailers(h11_server: Server, flavour: str) -> None:
    with Connection(h11_server) as connection:
        response = connection.request("POST", path(flavour, "Echo"), [("content-type", "application/grpc")], HELLO)
        assert response.status == 505
        assert b"use gRPC over HTTP/2 where it offers that, or gRPC-Web" in response.read()


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_grpc_web_needs_no_trailers(h11_server: Server, mode: Mode, flavour: str) -> None:
    check(Answer(texts("hello")), GrpcWebTransport(h11_server, mode).call(flavour, Call("Echo", texts("hello"))))
