"""What the bridge makes of a request's head."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from grpc_bridge.admission import peer_address
from grpc_bridge.protocol.status import StatusCode
from grpc_bridge.protocol.trailers import encode_trailers
from grpc_bridge.protocol.wire import BINARY, NATIVE, TEXT
from grpc_bridge.tests.calls import decided, refused


def _unary(request: Any, context: Any) -> Any:
    return request


HANDLER = grpc.unary_unary_rpc_method_handler(_unary)


@pytest.mark.parametrize(
    ("head", "code", "message"),
    [
        ({"timeout": "soon"}, StatusCode.INTERNAL, "Error parsing 'grpc-timeout'"),
        ({"timeout": ""}, StatusCode.INTERNAL, "Error parsing 'grpc-timeout'"),
        ({"encoding": "br"}, StatusCode.UNIMPLEMENTED, "Message encoding 'br' is not supported"),
        ({"path": "/test.v1.TestService/Other"}, StatusCode.UNIMPLEMENTED, "Method not found!"),
        ({"path": "/none", "timeout": "soon", "encoding": "br"}, StatusCode.UNIMPLEMENTED, "Method not found!"),
    ],
)
def test_a_call_that_cannot_be_is_told_so_on_its_wire(head: dict[str, str], code: StatusCode, message: str) -> None:
    answer = refused(HANDLER, **head)
    assert (answer.status, answer.body, answer.trailers) == (200, encode_trailers(code, message), ())
    assert answer.headers[0] == ("content-type", "application/grpc-web+proto")
    assert (("grpc-accept-encoding", "identity,gzip,deflate") in answer.headers) == ("br" in message)
    answer = refused(HANDLER, accept="application/grpc-web-text", **head)
    assert (answer.status, answer.body, answer.trailers) == (200, TEXT.trailers(code, message), ())
    assert answer.headers[0] == ("content-type", "application/grpc-web-text+proto")
    answer = refused(HANDLER, request_wire=NATIVE, **head)
    assert (answer.status, answer.body, answer.trailers) == (200, b"", NATIVE.http_trailers(code, message))
    assert answer.headers[0] == ("content-type", "application/grpc")


def test_native_grpc_without_trailers_is_refused_in_clear_words() -> None:
    answer = refused(HANDLER, request_wire=NATIVE, has_http_trailers=False)
    assert answer.status == 505
    assert b"trailers" in answer.body


@pytest.mark.parametrize("wire", [BINARY, TEXT, NATIVE])
@pytest.mark.parametrize("http_method", ["GET", "HEAD", "PUT"])
def test_the_wrong_http_method_is_refused_where_there_is_a_method(wire: Any, http_method: str) -> None:
    answer = refused(HANDLER, request_wire=wire, http_method=http_method)
    assert (answer.status, answer.body == b"") == (405, http_method == "HEAD")
    assert decided(HANDLER, request_wire=wire, http_method=http_method, path="/articles/") is None


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("127.0.0.1", 50000, "ipv4:127.0.0.1:50000"),
        ("127.0.0.1", "50000", "ipv4:127.0.0.1:50000"),
        ("::1", 50000, "ipv6:[::1]:50000"),
        (None, None, "ipv4:unknown:0"),
        ("", "", "ipv4:unknown:0"),
    ],
)
def test_a_peer_is_written_as_grpcio_does(host: str | None, port: int | str | None, address: str) -> None:
    assert peer_address(host, port) == address
