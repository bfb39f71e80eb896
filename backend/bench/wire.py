"""What is sent, and what has to come back: the same bytes for every row.

A client here is a browser's page of the same origin: its headers, gRPC-Web in binary, no deadline.
"""

from __future__ import annotations

import struct

from generated.echo.v1.echo_pb2 import (
    EchoRequest,
    EchoResponse,
    ServerStreamingEchoRequest,
    ServerStreamingEchoResponse,
)

HOST = "127.0.0.1"
"""Where all servers listen."""

HEADER = struct.Struct(">BI")
TRAILER_FLAG = 0x80

SMALL = "sixteen letters."
LARGE = "a" * (1024 * 1024)

CONTENT_TYPE = "application/grpc-web+proto"


class WrongAnswerError(Exception):
    """An answer is not what was asked for: its row measures something else, and is worth nothing."""


def browser_headers(host: str, length: int, content_type: str = CONTENT_TYPE) -> list[tuple[str, str]]:
    """Gives the headers that Firefox sends with a call of the official client, fifteen of them."""
    return [
        ("host", host),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
        ("accept", content_type),
        ("accept-language", "en-US,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("referer", f"http://{host}/"),
        ("content-type", content_type),
        ("x-grpc-web", "1"),
        ("x-user-agent", "grpc-web-javascript/0.1"),
        ("content-length", str(length)),
        ("origin", f"http://{host}"),
        ("connection", "keep-alive"),
        ("sec-fetch-dest", "empty"),
        ("sec-fetch-mode", "cors"),
        ("sec-fetch-site", "same-origin"),
    ]


def http_request(path: str, host: str, body: bytes, content_type: str = CONTENT_TYPE) -> bytes:
    """Gives a whole request as it goes over the connection."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in browser_headers(host, len(body), content_type))
    return f"POST {path} HTTP/1.1\r\n{headers}\r\n".encode("ascii") + body


def frame(payload: bytes, flags: int = 0) -> bytes:
    """Gives a message, or trailers, in their frame."""
    return HEADER.pack(flags, len(payload)) + payload


def echo_body(text: str) -> bytes:
    """Gives the body of a request to echo a text."""
    return frame(EchoRequest(message=text).SerializeToString())


def stream_body(text: str, count: int) -> bytes:
    """Gives the body of a request for so many messages."""
    return frame(ServerStreamingEchoRequest(message=text, message_count=count).SerializeToString())


def split(body: bytes) -> tuple[list[bytes], bytes]:
    """Gives the messages of an answer and its trailers. Raises `WrongAnswerError` for what is no whole answer."""
    messages: list[bytes] = []
    at = 0
    while at + HEADER.size <= len(body):
        flags, length = HEADER.unpack_from(body, at)
        payload = body[at + HEADER.size : at + HEADER.size + length]
        at += HEADER.size + length
        if flags == TRAILER_FLAG and at == len(body):
            return messages, payload
        if flags:
            break
        messages.append(payload)
    raise WrongAnswerError(f"no whole answer: {body[:200]!r}")


def check_status(trailers: bytes) -> None:
    """Raises `WrongAnswerError` unless trailers say OK."""
    entries = [line.partition(":") for line in trailers.decode("latin-1").split("\r\n")]
    if [value.strip() for name, _, value in entries if name.lower() == "grpc-status"] != ["0"]:
        raise WrongAnswerError(f"no status OK: {trailers!r}")


def check_echo(body: bytes, text: str) -> None:
    """Raises `WrongAnswerError` unless the body is the answer of one message with this text."""
    messages, trailers = split(body)
    check_status(trailers)
    if [EchoResponse.FromString(message).message for message in messages] != [text]:
        raise WrongAnswerError(f"not the echo of {text[:40]!r}: {body[:200]!r}")


def check_stream(body: bytes, text: str, count: int, *, numbered: bool = True) -> None:
    """Raises `WrongAnswerError` unless the body is a stream of so many messages, in their order where they have one."""
    messages, trailers = split(body)
    check_status(trailers)
    decoded = [ServerStreamingEchoResponse.FromString(message) for message in messages]
    if [message.sequence for message in decoded] != (list(range(1, count + 1)) if numbered else [1] * count):
        raise WrongAnswerError(f"not {count} messages but {len(decoded)}")
    if {message.message for message in decoded} != {text}:
        raise WrongAnswerError("not the text that was asked for")
