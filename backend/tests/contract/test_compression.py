"""Compression on the wire: what of an answer is compressed, for whom, and that a small request stays a small one."""

from __future__ import annotations

import functools
import sys
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue

from grpc_bridge.protocol.frames import FLAG_COMPRESSED, FLAG_TRAILERS, HEADER, HEADER_BYTES, encode_frame
from grpc_bridge.protocol.text import TextDecoder
from tests.contract.case import Answer, check
from tests.contract.cases.messages import LIMIT, MEBIBYTE, texts
from tests.contract.control import Control, resident_bytes
from tests.contract.grpc_web import GrpcWebTransport
from tests.contract.methods import path
from tests.contract.servicers.compression import TEXT

GZIP, DEFLATE = "gzip", "deflate"
WINDOW_BITS = {GZIP: 31, DEFLATE: 15}
"""What the encodings are to zlib."""

LARGE = StringValue(value=TEXT).SerializeToString()
ACCEPTS_ALL = ("grpc-accept-encoding", "identity, deflate, gzip")


class Frame(NamedTuple):
    """A frame as it travelled."""

    flags: int
    payload: bytes


class RawAnswer(NamedTuple):
    """An answer as it travelled, but for the base64 of text mode."""

    encoding: str | None
    messages: list[Frame]
    trailers: Frame


def frames(data: bytes) -> Iterator[Frame]:
    """Gives the frames of a body."""
    while data:
        flags, length = HEADER.unpack_from(data)
        end = HEADER_BYTES + length
        yield Frame(flags, data[HEADER_BYTES:end])
        data = data[end:]


def compressed(message: bytes, encoding: str) -> bytes:
    """Compresses a message without the code under test."""
    compressor = zlib.compressobj(wbits=WINDOW_BITS[encoding])
    return compressor.compress(message) + compressor.flush()


def decompressed(payload: bytes, encoding: str) -> bytes:
    """Decompresses a message without the code under test."""
    return zlib.decompress(payload, wbits=WINDOW_BITS[encoding])


def answer_to(
    transport: GrpcWebTransport, flavour: str, method: str, request: Message, *headers: tuple[str, str]
) -> RawAnswer:
    """Makes a call and gives what travels back."""
    with transport.open(flavour, method, headers) as call:
        call.send_whole([request])
        response = call.connection.response()
        body = response.read()
    if transport.mode.is_text:
        body = TextDecoder().receive_data(body)
    *messages, trailers = frames(body)
    assert response.headers["content-encoding"] is None
    return RawAnswer(response.headers["grpc-encoding"], messages, trailers)


@pytest.mark.parametrize("accepted", [GZIP, "identity,gzip", "deflate , GZIP"])
def test_an_answer_is_compressed_for_who_accepts_it(transport: GrpcWebTransport, flavour: str, accepted: str) -> None:
    header = ("grpc-accept-encoding", accepted)
    answer = answer_to(transport, flavour, "Compress", StringValue(value="Gzip"), header)
    assert answer.encoding == GZIP
    ((flags, payload),) = answer.messages
    assert flags == FLAG_COMPRESSED
    assert len(payload) < len(LARGE) / 10
    assert decompressed(payload, GZIP) == LARGE


def test_deflate_is_what_zlib_writes(transport: GrpcWebTransport, flavour: str) -> None:
    answer = answer_to(transport, flavour, "Compress", StringValue(value="Deflate"), ACCEPTS_ALL)
    assert answer.encoding == DEFLATE
    ((flags, payload),) = answer.messages
    assert flags == FLAG_COMPRESSED
    assert decompressed(payload, DEFLATE) == LARGE


@pytest.mark.parametrize(
    ("compression", "headers"),
    [
        ("Gzip", ()),
        ("Gzip", [("grpc-accept-encoding", "identity")]),
        ("Gzip", [("grpc-accept-encoding", "deflate")]),
        ("Gzip", [("grpc-accept-encoding", "")]),
        ("Gzip", [("accept-encoding", "gzip")]),
        ("Gzip", [("grpc-encoding", "gzip")]),
        ("Deflate", [("grpc-accept-encoding", "gzip")]),
        ("NoCompression", [ACCEPTS_ALL]),
    ],
)
def test_nobody_else_gets_it_compressed(
    transport: GrpcWebTransport, flavour: str, compression: str, headers: list[tuple[str, str]]
) -> None:
    """Browsers' clients accept nothing and fail on a compressed message."""
    answer = answer_to(transport, flavour, "Compress", StringValue(value=compression), *headers)
    assert answer.encoding is None
    assert answer.messages == [(0, LARGE)]


@pytest.mark.parametrize("method", ["Echo", "Repeat"])
def test_nothing_is_compressed_that_the_handler_did_not_ask_for(
    binary_transport: GrpcWebTransport, flavour: str, method: str
) -> None:
    request: Any = StringValue(value=TEXT) if method == "Echo" else StringValue()
    answer = answer_to(binary_transport, flavour, method, request, ACCEPTS_ALL)
    assert answer.encoding is None
    assert all(flags == 0 for flags, _ in answer.messages)


def test_each_message_of_a_stream_is_compressed_by_itself(transport: GrpcWebTransport, flavour: str) -> None:
    answer = answer_to(transport, flavour, "CompressStream", StringValue(value="Gzip"), ACCEPTS_ALL)
    assert answer.encoding == GZIP
    assert [flags for flags, _ in answer.messages] == [FLAG_COMPRESSED, 0, FLAG_COMPRESSED]
    first, second, third = (payload for _, payload in answer.messages)
    assert decompressed(first, GZIP) == second == decompressed(third, GZIP) == LARGE


def test_the_only_message_may_be_left_as_it_is(transport: GrpcWebTransport, flavour: str) -> None:
    answer = answer_to(transport, flavour, "CompressNot", StringValue(value="Gzip"), ACCEPTS_ALL)
    assert answer.encoding == GZIP
    assert answer.messages == [(0, LARGE)]


@pytest.mark.parametrize("method", ["Compress", "CompressStream", "CompressAndAbort"])
def test_trailers_are_never_compressed(transport: GrpcWebTransport, flavour: str, method: str) -> None:
    answer = answer_to(transport, flavour, method, StringValue(value="Gzip"), ACCEPTS_ALL)
    assert answer.trailers.flags == FLAG_TRAILERS
    assert answer.trailers.payload.startswith(b"grpc-status: ")


# What a client compresses. The calls that go well are cases.


def status_of(transport: GrpcWebTransport, flavour: str, method: str, body: bytes, encoding: str | None) -> Answer:
    """Sends the bytes of a request and gives the answer."""
    headers = [] if encoding is None else [("grpc-encoding", encoding)]
    with transport.open(flavour, method, headers) as call:
        data = transport.mode.encode(body)
        target, host = path(flavour, method), ("content-length", str(len(data)))
        call.connection.send_head("POST", target, [*transport.mode.headers(), *headers, host])
        call.connection.send(data)
        return call.reply().answer()


@pytest.mark.parametrize("encoding", [GZIP, DEFLATE])
def test_messages_may_be_compressed_one_and_the_other_not(
    transport: GrpcWebTransport, flavour: str, encoding: str
) -> None:
    a, b = (message.SerializeToString() for message in texts("a", "b"))
    body = encode_frame(compressed(a, encoding), FLAG_COMPRESSED) + encode_frame(b)
    check(Answer(texts("a,b")), status_of(transport, flavour, "Collect", body, encoding))


@pytest.mark.parametrize("method", ["Echo", "Collect"])
@pytest.mark.parametrize(
    ("encoding", "payload", "details"),
    [
        (None, compressed(b"", GZIP), "Compressed flag set in a frame, but there is no grpc-encoding"),
        ("identity", compressed(b"", GZIP), "Compressed flag set in a frame, but there is no grpc-encoding"),
        (GZIP, b"", "Message is not gzip"),
        (GZIP, b"no gzip", "Message is not gzip"),
        (GZIP, compressed(LARGE, GZIP)[:-1], "Message is not gzip"),
        (GZIP, compressed(LARGE, GZIP) + b"\0", "Message is not gzip"),
        (GZIP, compressed(LARGE, DEFLATE), "Message is not gzip"),
        (DEFLATE, compressed(LARGE, GZIP), "Message is not deflate"),
    ],
)
def test_what_is_not_compressed_as_it_says_is_an_error(
    transport: GrpcWebTransport,
    flavour: str,
    control: Control,
    method: str,
    encoding: str | None,
    payload: bytes,
    details: str,
) -> None:
    before = control.invocations(flavour, "Echo")
    answer = status_of(transport, flavour, method, encode_frame(payload, FLAG_COMPRESSED), encoding)
    check(Answer((), grpc.StatusCode.INTERNAL, details), answer)
    assert control.invocations(flavour, "Echo") == before


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("encoding", [GZIP, DEFLATE])
@pytest.mark.parametrize("method", ["Echo", "Collect"])
def test_a_bomb_takes_no_more_memory_than_a_message_may(
    binary_transport: GrpcWebTransport, flavour: str, method: str, encoding: str
) -> None:
    """It is given up when it has passed the limit, and would be a thousand times as large as it looks."""
    bomb = _bomb(encoding)
    assert len(bomb) < MEBIBYTE
    before = resident_bytes(binary_transport.server)
    answer = status_of(binary_transport, flavour, method, bomb, encoding)
    check(Answer((), grpc.StatusCode.RESOURCE_EXHAUSTED, "Decompressed message larger than max"), answer)
    assert resident_bytes(binary_transport.server) - before < 8 * LIMIT


@functools.cache
def _bomb(encoding: str) -> bytes:
    compressor = zlib.compressobj(wbits=WINDOW_BITS[encoding])
    zeros = b"\0" * MEBIBYTE
    payload = b"".join(compressor.compress(zeros) for _ in range(256)) + compressor.flush()
    return encode_frame(payload, FLAG_COMPRESSED)
