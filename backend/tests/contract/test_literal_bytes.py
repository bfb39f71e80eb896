"""Whole exchanges as bytes, written by hand from the rules (grpc/grpc doc/PROTOCOL-WEB.md), so that the suite's client
and the bridge cannot be wrong in the same way."""

from __future__ import annotations

import pytest

from tests.contract.grpc_web import BINARY, TEXT
from tests.contract.http_client import Connection
from tests.contract.literals import OK
from tests.contract.methods import FLAVOURS, path
from tests.servers import Server

OK_TEXT = b"gAAAABBncnBjLXN0YXR1czogMA0K"

EXCHANGES = {
    "unary": ("Echo", b"\x00\x00\x00\x00\x07\n\x05hello", b"\x00\x00\x00\x00\x07\n\x05hello" + OK),
    "unary, message of no bytes": ("Echo", b"\x00\x00\x00\x00\x00", b"\x00\x00\x00\x00\x00" + OK),
    "server streaming": ("Repeat", b"\x00\x00\x00\x00\x02\x08\x02", b"\0\0\0\0\3\n\x010\0\0\0\0\3\n\x011" + OK),
    "stream of no messages": ("Repeat", b"\x00\x00\x00\x00\x00", OK),
    "client streaming": ("Collect", b"\0\0\0\0\3\n\x01a\0\0\0\0\3\n\x01b", b"\0\0\0\0\5\n\x03a,b" + OK),
    "bidirectional streaming, no requests": ("Chat", b"", OK),
    "abort": (
        "Abort",
        b"\x00\x00\x00\x00\x1b\n\x0b\x1a\tNOT_FOUND\n\x0c\x1a\ngr\xc3\xb6\xc3\x9fer %",
        b"\x80\x00\x00\x00\x34grpc-status: 5\r\ngrpc-message: gr%C3%B6%C3%9Fer %25\r\n",
    ),
    "trailing metadata": (
        "SetTrailing",
        b"\x00\x00\x00\x00\x00",
        (
            b"\x00\x00\x00\x00\x06\n\x04done"
            b"\x80\x00\x00\x00\x90grpc-status: 0\r\ncontract-trailing: one\r\ncontract-trailing: two, with a comma\r\n"
            b"contract-trailing-bin: AP/+IHRyYWlsaW5n\r\ncontract-trailing-bin: \r\n"
        ),
    ),
}

TEXT_EXCHANGES = {
    "unary": ("Echo", b"AAAAAAcKBWhlbGxv", b"AAAAAAcKBWhlbGxv" + OK_TEXT),
    "unary, message of no bytes": ("Echo", b"AAAAAAA=", b"AAAAAAA=" + OK_TEXT),
    "unary, padding in the middle": ("Echo", b"AA==AAAABwoFaGVsbG8=", b"AAAAAAcKBWhlbGxv" + OK_TEXT),
    "unary, line breaks": ("Echo", b"AAAAA\r\nAcKBW\nhlbGxv\r\n", b"AAAAAAcKBWhlbGxv" + OK_TEXT),
    "server streaming": ("Repeat", b"AAAAAAIIAg==", b"AAAAAAMKATA=AAAAAAMKATE=" + OK_TEXT),
    "stream of no messages": ("Repeat", b"AAAAAAA=", OK_TEXT),
    "client streaming, a segment each": ("Collect", b"AAAAAAMKAWE=AAAAAAMKAWI=", b"AAAAAAUKA2EsYg==" + OK_TEXT),
    "client streaming, one segment": ("Collect", b"AAAAAAMKAWEAAAAAAwoBYg==", b"AAAAAAUKA2EsYg==" + OK_TEXT),
    "bidirectional streaming, no requests": ("Chat", b"", OK_TEXT),
    "abort": (
        "Abort",
        b"AAAAABsKCxoJTk9UX0ZPVU5ECgwaCmdyw7bDn2VyICU=",
        b"gAAAADRncnBjLXN0YXR1czogNQ0KZ3JwYy1tZXNzYWdlOiBnciVDMyVCNiVDMyU5RmVyICUyNQ0K",
    ),
}


def exchange(server: Server, content_type: str, flavour: str, method: str, body: bytes) -> bytes:
    """Sends a body and gives the one of the answer."""
    with Connection(server) as connection:
        response = connection.request("POST", path(flavour, method), [("content-type", content_type)], body)
        assert (response.status, response.reason) == (200, "OK")
        assert response.headers["content-type"] == content_type
        return response.read()


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize(("method", "request_body", "response_body"), EXCHANGES.values(), ids=EXCHANGES)
def test_binary(server: Server, flavour: str, method: str, request_body: bytes, response_body: bytes) -> None:
    assert exchange(server, BINARY, flavour, method, request_body) == response_body


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize(("method", "request_body", "response_body"), TEXT_EXCHANGES.values(), ids=TEXT_EXCHANGES)
def test_text(server: Server, flavour: str, method: str, request_body: bytes, response_body: bytes) -> None:
    assert exchange(server, TEXT, flavour, method, request_body) == response_body


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_initial_metadata_is_in_the_headers(server: Server, flavour: str) -> None:
    with Connection(server) as connection:
        headers = [("content-type", BINARY)]
        response = connection.request("POST", path(flavour, "SendInitial"), headers, b"\x00\x00\x00\x00\x00")
        assert response.headers.get_all("contract-initial") == ["one", "two, with a comma"]
        assert response.headers.get_all("contract-initial-bin") == ["AP/+IGluaXRpYWw"]
        assert response.read() == b"\x00\x00\x00\x00\x06\n\x04done" + OK


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("method", ["Echo", "Chat"])
def test_http_1_0(server: Server, flavour: str, method: str) -> None:
    """As proxies speak it that were not told better: an answer without chunks, ended by its length or by the close."""
    with Connection(server) as connection:
        head = f"POST {path(flavour, method)} HTTP/1.0\r\ncontent-type: {BINARY}\r\ncontent-length: 12\r\n\r\n"
        connection.send(head.encode() + b"\x00\x00\x00\x00\x07\n\x05hello")
        response = connection.response()
        assert "transfer-encoding" not in response.headers
        assert response.read() == b"\x00\x00\x00\x00\x07\n\x05hello" + OK
