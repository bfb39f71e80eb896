"""What a request is, and on which wire it is answered."""

from __future__ import annotations

import itertools

import pytest

from grpc_bridge.protocol.negotiation import (
    METHOD_NOT_ALLOWED,
    NO_TRAILERS,
    UNSUPPORTED_MEDIA_TYPE,
    HttpAnswer,
    answer_wire,
    classify,
    wire_of,
)
from grpc_bridge.protocol.wire import BINARY, NATIVE, TEXT, BinaryWire

WIRES = {
    "application/grpc": NATIVE,
    "application/grpc+proto": NATIVE,
    "application/grpc-web": BINARY,
    "application/grpc-web+proto": BINARY,
    "application/grpc-web-text": TEXT,
    "application/grpc-web-text+proto": TEXT,
    "application/grpc-web-text-base64": TEXT,
}
CASES = (str.lower, str.upper, str.title)
PARAMETERS = ("", ";", "; charset=utf-8", ";charset=UTF-8 ; a=b", " ; q", "\t;x", " ")

SPELLINGS = [
    (spell(name) + parameters, wire)
    for (name, wire), spell, parameters in itertools.product(WIRES.items(), CASES, PARAMETERS)
]
# Among them all that a page on another site may send without a preflight.
OTHERS = [
    None, "", " ", ";", "text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x", "text/html", "application/json", "application/grpc+json", "application/grpcx",
    "application/grpc-web+json", "application/grpc-web+thrift", "application/grpc-web-text+json",
    "application/grpc-webx", "application/grpc-web-textx", "application/grpc-web/", "x-application/grpc-web",
    "text/plain; application/grpc-web", "text/plain, application/grpc-web", "application/grpc-web, text/plain",
    "application / grpc-web", "\x00application/grpc-web", "*/*", "application/*", "application/x-protobuf",
    "application/connect+proto", "application/proto",
]  # fmt: skip
NOT_POST = ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "post", "Post", "POST ", "", "BREW"]


@pytest.mark.parametrize(("content_type", "wire"), SPELLINGS)
def test_case_and_parameters_do_not_matter(content_type: str, wire: BinaryWire) -> None:
    assert wire_of(content_type) is wire


@pytest.mark.parametrize("content_type", OTHERS)
def test_nothing_else_has_a_wire(content_type: str | None) -> None:
    assert wire_of(content_type) is None


@pytest.mark.parametrize("registered", [True, False])
@pytest.mark.parametrize(("content_type", "wire"), SPELLINGS)
def test_a_posted_grpc_type_is_an_rpc(registered: bool, content_type: str, wire: BinaryWire) -> None:
    assert classify(registered, "POST", content_type, True) is wire


@pytest.mark.parametrize(("content_type", "wire"), WIRES.items())
def test_only_native_grpc_needs_trailers(content_type: str, wire: BinaryWire) -> None:
    assert classify(True, "POST", content_type, False) is (NO_TRAILERS if wire is NATIVE else wire)
    assert classify(False, "POST", content_type, False) is (None if wire is NATIVE else wire)


@pytest.mark.parametrize("content_type", OTHERS)
@pytest.mark.parametrize("http_method", ["POST", *NOT_POST])
def test_no_other_type_is_an_rpc(http_method: str, content_type: str | None) -> None:
    assert classify(False, http_method, content_type, True) is None
    answer = classify(True, http_method, content_type, True)
    assert isinstance(answer, HttpAnswer)
    assert answer.status == (415 if http_method == "POST" else 405)


@pytest.mark.parametrize("content_type", WIRES)
@pytest.mark.parametrize("http_method", NOT_POST)
def test_no_other_http_method_is_an_rpc(http_method: str, content_type: str) -> None:
    answer = classify(True, http_method, content_type, True)
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.body == b"") == (405, http_method == "HEAD")
    assert classify(False, http_method, content_type, True) is None


def test_405_says_what_is_allowed() -> None:
    assert METHOD_NOT_ALLOWED.status == 405
    assert ("allow", "POST") in METHOD_NOT_ALLOWED.headers
    assert METHOD_NOT_ALLOWED.body == b"405 Method Not Allowed\n"


def test_415_says_what_is_taken() -> None:
    assert UNSUPPORTED_MEDIA_TYPE.status == 415
    assert dict(UNSUPPORTED_MEDIA_TYPE.headers)["accept-post"].split(", ") == list(WIRES)
    assert UNSUPPORTED_MEDIA_TYPE.body == b"415 Unsupported Media Type\n"


@pytest.mark.parametrize(
    "refusal", [METHOD_NOT_ALLOWED, UNSUPPORTED_MEDIA_TYPE, NO_TRAILERS], ids=lambda refusal: refusal.status
)
def test_a_refusal_is_read_as_text(refusal: HttpAnswer) -> None:
    assert ("content-type", "text/plain; charset=utf-8") in refusal.headers
    assert all(name == name.lower() for name, _ in refusal.headers)


@pytest.mark.parametrize("request_wire", [BINARY, TEXT])
@pytest.mark.parametrize(
    "accept", [None, "", "*/*", "application/grpc-web", "application/grpc-web+proto", "text/html, */*;q=0.8", "\x00"]
)
def test_the_answer_is_in_the_mode_of_the_request(request_wire: BinaryWire, accept: str | None) -> None:
    assert answer_wire(request_wire, accept) is request_wire


@pytest.mark.parametrize("request_wire", [BINARY, TEXT])
@pytest.mark.parametrize("name", [name for name, wire in WIRES.items() if wire is TEXT])
@pytest.mark.parametrize("accept", ["{}", "*/*, {}", "{};q=0.9, */*", "application/grpc-web,{} ; charset=utf-8"])
@pytest.mark.parametrize("spell", CASES)
def test_the_answer_is_text_where_accept_lists_it(
    request_wire: BinaryWire, name: str, accept: str, spell: object
) -> None:
    assert answer_wire(request_wire, spell(accept.format(name))) is TEXT  # type: ignore[operator]


@pytest.mark.parametrize("accept", [None, "*/*", "application/grpc-web-text"])
def test_native_grpc_is_answered_as_such(accept: str | None) -> None:
    assert answer_wire(NATIVE, accept) is NATIVE
