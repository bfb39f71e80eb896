"""The trailer frame: what is written, what is understood of other servers."""

from __future__ import annotations

import pytest

from grpc_bridge.protocol.metadata import encode_metadata
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.protocol.trailers import decode_trailers, encode_trailers
from grpc_bridge.tests.protocol.bodies import header

Pairs = list[tuple[str, str]]


def written(lines: bytes) -> bytes:
    return header(0x80, len(lines)) + lines


@pytest.mark.parametrize(
    ("code", "message", "metadata", "lines"),
    [
        (StatusCode.OK, "", (), b"grpc-status: 0\r\n"),
        (0, "", (), b"grpc-status: 0\r\n"),
        (StatusCode.UNAUTHENTICATED, "", (), b"grpc-status: 16\r\n"),
        (StatusCode.NOT_FOUND, "no cat", (), b"grpc-status: 5\r\ngrpc-message: no cat\r\n"),
        (StatusCode.OK, "", (("a", "1"), ("a", "2")), b"grpc-status: 0\r\na: 1\r\na: 2\r\n"),
        (2, "50 %", (("k-bin", "AA"),), b"grpc-status: 2\r\ngrpc-message: 50 %25\r\nk-bin: AA\r\n"),
        (2, "a\r\ngrpc-status: 0", (), b"grpc-status: 2\r\ngrpc-message: a%0D%0Agrpc-status: 0\r\n"),
        (2, " a b ", (), b"grpc-status: 2\r\ngrpc-message: %20a b%20\r\n"),
        (2, "\u00e9\u2713\0", (), b"grpc-status: 2\r\ngrpc-message: %C3%A9%E2%9C%93%00\r\n"),
    ],
)
def test_trailers_are_written(code: int, message: str, metadata: tuple[tuple[str, str], ...], lines: bytes) -> None:
    assert encode_trailers(code, message, metadata) == written(lines)


@pytest.mark.parametrize("code", StatusCode)
def test_every_code_comes_back(code: StatusCode) -> None:
    assert decode_trailers(encode_trailers(code)[5:]) == (code, "", [])


@pytest.mark.parametrize(
    ("payload", "code", "message", "metadata"),
    [
        (b"grpc-status:0\r\n", 0, "", []),
        (b"grpc-status: 0", 0, "", []),
        (b"Grpc-Status: 5\r\nGRPC-MESSAGE: no%20cat\r\nX-Id: A\r\n", 5, "no cat", [("x-id", "A")]),
        (b"grpc-message:a:b\r\ngrpc-status:\t7 \r\n\r\n", 7, "a:b", []),
        (b"a: 1\r\na: 2\r\ngrpc-status: 0\r\n", 0, "", [("a", "1"), ("a", "2")]),
        (b"grpc-status: 05\r\n", 5, "", []),
        (b"grpc-status: 0\r\nnoise\r\nlatin: \xe4\r\n", 0, "", [("latin", "\u00e4")]),
        (b"grpc-status: 0\r\na: b\nc: d\r\n", 0, "", [("a", "b\nc: d")]),
    ],
)
def test_trailers_of_other_servers_are_read(payload: bytes, code: int, message: str, metadata: Pairs) -> None:
    assert decode_trailers(payload) == (StatusCode(code), message, metadata)


@pytest.mark.parametrize(
    "value", [b"", b"x", b"-1", b"+5", b"17", b"99", b"1_0", b"1.0", b"0x1", b"\xb2", b"0\ngrpc-status: 0", b"9" * 5000]
)  # fmt: skip
def test_trailers_without_a_code_that_says_something_are_refused(value: bytes) -> None:
    with pytest.raises(StatusError) as caught:
        decode_trailers(b"grpc-status: " + value + b"\r\n")
    assert caught.value.code is StatusCode.INTERNAL


@pytest.mark.parametrize("payload", [b"", b"\r\n", b"grpc-message: a\r\n", b"grpc-status\r\n"])
def test_trailers_without_a_code_are_refused(payload: bytes) -> None:
    with pytest.raises(StatusError, match="INTERNAL: Trailers without a valid grpc-status: None"):
        decode_trailers(payload)


def test_metadata_cannot_forge_a_line() -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        encode_trailers(2, "", encode_metadata([("a", "b\r\ngrpc-status: 0")]))
