"""A request and its answer as bytes, for tests that care about every one of them."""

from __future__ import annotations

from tests.contract.grpc_web import BINARY

HELLO = b"\x00\x00\x00\x00\x07\n\x05hello"
"""A frame with a StringValue."""

OK = b"\x80\x00\x00\x00\x10grpc-status: 0\r\n"
"""The trailers of a success."""

GOOD_ANSWER = HELLO + OK
"""What Echo answers to `HELLO`."""

HEADERS = [("content-type", BINARY)]
LENGTH = ("content-length", str(len(HELLO)))


def good_request(target: str, host: str = "localhost") -> bytes:
    """Gives the bytes of a request that is answered by `GOOD_ANSWER`."""
    head = f"POST {target} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {BINARY}\r\ncontent-length: {len(HELLO)}\r\n\r\n"
    return head.encode() + HELLO
