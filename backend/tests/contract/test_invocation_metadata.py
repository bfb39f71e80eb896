"""Request headers as metadata, where the bytes matter: what no gRPC library would send, or only some do."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import StringValue

from tests.contract.grpc_web import GrpcWebTransport

Headers = list[tuple[str, str]]


def shown(transport: GrpcWebTransport, flavour: str, headers: Headers, prefix: str = "contract-") -> list[str]:
    """Gives what the handler sees of the headers, bytes in hexadecimal."""
    with transport.open(flavour, "ShowMetadata", headers) as call:
        call.send_whole([StringValue(value=prefix)])
        answer = call.reply().answer()
    assert answer.code is grpc.StatusCode.OK, answer
    return list(answer.messages[0])  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("AP8=", ["contract-bin=00ff"]),
        ("AP8", ["contract-bin=00ff"]),
        ("AP+/", ["contract-bin=00ffbf"]),
        ("", ["contract-bin="]),
        ("AA==,AQ,Ag==", ["contract-bin=00", "contract-bin=01", "contract-bin=02"]),
        ("AA, AQ", ["contract-bin=00", "contract-bin=01"]),
    ],
)
def test_binary_values(binary_transport: GrpcWebTransport, flavour: str, value: str, expected: list[str]) -> None:
    """Padded and unpadded, and several in one header: a server must take all of it."""
    assert shown(binary_transport, flavour, [("contract-bin", value)]) == expected


@pytest.mark.parametrize("value", ["!!!", "A", "AP8=x", "A===", "AP_-", "AA==AA==", "AP 8="])
def test_what_is_not_base64_is_an_error(binary_transport: GrpcWebTransport, flavour: str, value: str) -> None:
    with binary_transport.open(flavour, "ShowMetadata", [("contract-bin", value)]) as call:
        call.send_whole([StringValue(value="contract-")])
        answer = call.reply().answer()
    assert answer.code is grpc.StatusCode.INTERNAL
    assert answer.details == "Metadata entry 'contract-bin' is not base64"


def test_what_no_handler_reads_is_not_decoded(binary_transport: GrpcWebTransport, flavour: str) -> None:
    with binary_transport.open(flavour, "Echo", [("contract-bin", "!!!")]) as call:
        call.send_whole([StringValue(value="hello")])
        assert call.reply().answer().code is grpc.StatusCode.OK


def test_keys_are_lower_case(binary_transport: GrpcWebTransport, flavour: str) -> None:
    assert shown(binary_transport, flavour, [("Contract-KEY", "Value")]) == ["contract-key=Value"]


def test_a_key_that_comes_twice(binary_transport: GrpcWebTransport, flavour: str) -> None:
    """WSGI has one value for each header: its servers join what comes twice."""
    seen = shown(binary_transport, flavour, [("contract-a", "one"), ("contract-a", "two")])
    if binary_transport.server.is_asgi:
        assert seen == ["contract-a=one", "contract-a=two"]
    else:
        assert seen == ["contract-a=one,two"]


def test_values_beyond_ascii_do_no_harm(binary_transport: GrpcWebTransport, flavour: str) -> None:
    """They are no valid metadata, but a proxy may add such a header. Read as Latin-1, as HTTP does."""
    assert shown(binary_transport, flavour, [("contract-a", "é\xff")]) == ["contract-a=é\xff"]


def test_headers_of_http_are_no_metadata(binary_transport: GrpcWebTransport, flavour: str) -> None:
    headers = [("grpc-timeout", "10S"), ("te", "trailers"), ("connection", "keep-alive"), ("grpc-encoding", "identity")]
    seen = shown(binary_transport, flavour, [*headers, ("authorization", "Bearer x"), ("cookie", "a=b")], prefix="")
    keys = {entry.partition("=")[0] for entry in seen}
    assert keys == {"authorization", "cookie", "x-grpc-web"}


def test_the_peer_is_the_other_end_of_the_connection(transport: GrpcWebTransport, flavour: str) -> None:
    with transport.open(flavour, "Peer") as call:
        call.send_whole([Empty()])
        (message,) = call.reply().answer().messages
        host, port = call.connection.own_address()
    assert message.value == f"ipv4:{host}:{port}"  # type: ignore[attr-defined]
