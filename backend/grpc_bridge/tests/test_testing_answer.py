"""How the test clients read an answer that no handler gave: what stands in the way of a call, and what is no answer."""

from __future__ import annotations

import grpc
import pytest

from grpc_bridge.calling.answer import Answer
from grpc_bridge.calling.method import StubMethod
from grpc_bridge.protocol.frames import encode_frame
from grpc_bridge.protocol.trailers import encode_trailers
from grpc_bridge.protocol.wire import BINARY

Code = grpc.StatusCode

HEADERS = [("content-type", BINARY.content_type)]
UNARY = StubMethod("/test.v1.Lab/Unary", False, False)


def read(body: bytes, status: int = 200, headers: list[tuple[str, str]] = HEADERS) -> Answer:
    answer = Answer(UNARY)
    answer.start(status, headers)
    answer.receive_data(body)
    answer.end_of_body()
    return answer


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, Code.INTERNAL),
        (401, Code.UNAUTHENTICATED),
        (403, Code.PERMISSION_DENIED),
        (404, Code.UNIMPLEMENTED),
        (405, Code.UNKNOWN),
        (500, Code.UNKNOWN),
        (503, Code.UNAVAILABLE),
        (200, Code.UNKNOWN),
    ],
)
def test_answer_that_is_no_rpc(status: int, code: grpc.StatusCode):
    outcome = read(b"<h1>Forbidden</h1>\n", status, [("Content-Type", "text/html")]).outcome
    assert (outcome.code, outcome.details) == (code, f"HTTP status {status}: <h1>Forbidden</h1>")


@pytest.mark.parametrize(
    "body", [b"", encode_frame(b"message"), encode_frame(b"message")[:-1], b"\x80\x00\x00\x00\x10"]
)
def test_answer_without_status(body: bytes):
    outcome = read(body).outcome
    assert (outcome.code, outcome.details) == (Code.INTERNAL, "The answer ends without a status")


@pytest.mark.parametrize(("count", "found"), [(0, "no message"), (2, "more than one message")])
def test_success_without_its_one_message(count: int, found: str):
    outcome = read(encode_frame(b"message") * count + encode_trailers(0)).outcome
    assert (outcome.code, outcome.details) == (Code.UNIMPLEMENTED, f"The answer has {found} instead of one")


def test_in_pieces_of_any_size():
    answer = Answer(UNARY)
    answer.start(200, HEADERS)
    for byte in encode_frame(b"message") + encode_trailers(0, "", [("key", "value")]):
        answer.receive_data(bytes([byte]))
    assert answer.take_message() == b"message"
    assert answer.outcome == (Code.OK, "", (("key", "value"),), None)


def test_headers_that_are_metadata():
    site = [
        ("vary", "origin"),
        ("access-control-allow-origin", "*"),
        ("cache-control", "no-cache"),
        ("set-cookie", "a=b"),
    ]
    answer = read(encode_trailers(5), 200, [*HEADERS, *site, ("key", "value"), ("key-bin", "AA")])
    assert answer.initial_metadata == (("key", "value"), ("key-bin", b"\x00"))
    assert answer.cookies == ["a=b"]
