"""What a request is, and on which wire it is answered."""

from __future__ import annotations

import itertools

import pytest

from grpc_bridge.protocol.negotiation import (
    METHOD_NOT_ALLOWED,
    UNSUPPORTED_MEDIA_TYPE,
    Refusal,
    answer_wire,
    check_encoding,
    classify,
    wire_of,
)
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.protocol.wire import BINARY, TEXT, BinaryWire

WIRES = {
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
    "multipart/form-data; boundary=x", "text/html", "application/json", "application/grpc", "application/grpc+proto",
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
def test_a_posted_grpc_web_type_is_an_rpc(registered: bool, content_type: str, wire: BinaryWire) -> None:
    assert classify(registered, "POST", content_type) is wire


@pytest.mark.parametrize("content_type", OTHERS)
@pytest.mark.parametrize("http_method", ["POST", *NOT_POST])
def test_no_other_type_is_an_rpc(http_method: str, content_type: str | None) -> None:
    assert classify(False, http_method, content_type) is None
    assert classify(True, http_method, content_type) is (
        UNSUPPORTED_MEDIA_TYPE if http_method == "POST" else METHOD_NOT_ALLOWED
    )


@pytest.mark.parametrize("content_type", WIRES)
@pytest.mark.parametrize("http_method", NOT_POST)
def test_no_other_http_method_is_an_rpc(http_method: str, content_type: str) -> None:
    assert classify(True, http_method, content_type) is METHOD_NOT_ALLOWED
    assert classify(False, http_method, content_type) is None


def test_405_says_what_is_allowed() -> None:
    assert METHOD_NOT_ALLOWED.status == 405
    assert ("allow", "POST") in METHOD_NOT_ALLOWED.all_headers
    assert METHOD_NOT_ALLOWED.body == b"405 Method Not Allowed\n"


def test_415_says_what_is_taken() -> None:
    assert UNSUPPORTED_MEDIA_TYPE.status == 415
    assert dict(UNSUPPORTED_MEDIA_TYPE.all_headers)["accept-post"].split(", ") == list(WIRES)
    assert UNSUPPORTED_MEDIA_TYPE.body == b"415 Unsupported Media Type\n"


@pytest.mark.parametrize("refusal", [METHOD_NOT_ALLOWED, UNSUPPORTED_MEDIA_TYPE], ids=lambda refusal: refusal.status)
def test_a_refusal_is_read_as_text(refusal: Refusal) -> None:
    assert ("content-type", "text/plain; charset=utf-8") in refusal.all_headers
    assert all(name == name.lower() for name, _ in refusal.all_headers)


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


@pytest.mark.parametrize("encoding", [None, "", " ", "identity", "Identity", " IDENTITY "])
def test_no_encoding_and_identity_can_be_read(encoding: str | None) -> None:
    check_encoding(encoding)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip", "identity2", "\u00e4", "a\r\nb: c"])
def test_other_encodings_are_refused_with_those_that_can(encoding: str) -> None:
    with pytest.raises(StatusError) as caught:
        check_encoding(encoding)
    assert caught.value.code is StatusCode.UNIMPLEMENTED
    assert caught.value.headers == (("grpc-accept-encoding", "identity"),)
    assert repr(encoding) in caught.value.message
