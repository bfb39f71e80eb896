"""Answers as their callers read them: whole, byte by byte, and with bytes after."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from typing import NamedTuple

import pytest

from grpc_bridge.protocol.answer import MAX_TEXT_BYTES, MAX_TRAILERS_BYTES, AnswerReader, AnswerStatus
from grpc_bridge.protocol.compression import DEFLATE, GZIP
from grpc_bridge.protocol.frames import encode_frame
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.protocol.trailers import encode_trailers
from grpc_bridge.tests.protocol.bodies import header, single_bytes

LIMIT = 1000
Code = StatusCode
Headers = list[tuple[str, str]]

TYPE = ("content-type", "application/grpc-web+proto")
OK = b"grpc-status: 0\r\n"
NO_STATUS = (Code.INTERNAL, "The answer ends without a status")


class Read(NamedTuple):
    """What came of an answer: its messages, and its status or the error in place of one."""

    messages: list[bytes]
    status: AnswerStatus | tuple[StatusCode, str]


def read(chunks: Iterable[bytes], headers: Headers, http_status: int = 200) -> Read:
    messages: list[bytes] = []
    reader = AnswerReader(LIMIT)
    try:
        reader.start(http_status, headers)
        for chunk in chunks:
            messages += reader.receive_data(chunk)
        reader.end()
    except StatusError as error:
        return Read(messages, (error.code, error.message))
    assert reader.status is not None
    return Read(messages, reader.status)


def assert_read(body: bytes, expected: Read, headers: Headers | None = None) -> None:
    """However the body is cut. What follows a status or an error changes nothing."""
    headers = [TYPE] if headers is None else headers
    assert read([body], headers) == expected
    assert read(single_bytes(body), headers) == expected
    if expected.status != NO_STATUS:
        assert read([body + b"\x00\x00\x00\x00\x01x"], headers) == expected
        assert read([body, b"rubbish"], headers) == expected


def trailers(lines: bytes, flags: int = 0x80) -> bytes:
    return header(flags, len(lines)) + lines


def ok(code: StatusCode = Code.OK, message: str = "", *metadata: tuple[str, str | bytes]) -> AnswerStatus:
    return AnswerStatus(code, message, metadata)


@pytest.mark.parametrize(
    ("body", "messages", "status"),
    [
        (trailers(OK), [], ok()),
        (encode_frame(b"") + trailers(OK), [b""], ok()),
        (encode_frame(b"a") + encode_frame(b"b" * LIMIT) + trailers(OK), [b"a", b"b" * LIMIT], ok()),
        (trailers(b"grpc-status:5\r\ngrpc-message:no%20cat"), [], ok(Code.NOT_FOUND, "no cat")),
        (
            encode_trailers(9, "why", [("a", "1"), ("a", "2"), ("b-bin", "AP8")]),
            [],
            ok(Code.FAILED_PRECONDITION, "why", ("a", "1"), ("a", "2"), ("b-bin", b"\x00\xff")),
        ),
    ],
)
def test_messages_and_status(body: bytes, messages: list[bytes], status: AnswerStatus) -> None:
    assert_read(body, Read(messages, status))


@pytest.mark.parametrize("encoding", [GZIP, DEFLATE])
def test_compressed_messages_and_trailers(encoding: object) -> None:
    headers = [TYPE, ("grpc-encoding", encoding.name)]
    body = encode_frame(b"a") + encode_frame(encoding.compress(b"b" * LIMIT), 0x01)
    assert_read(body + trailers(OK), Read([b"a", b"b" * LIMIT], ok()), headers)
    packed = trailers(encoding.compress(b"grpc-status: 8\r\nx: y\r\n"), 0x81)
    assert_read(body + packed, Read([b"a", b"b" * LIMIT], ok(Code.RESOURCE_EXHAUSTED, "", ("x", "y"))), headers)


@pytest.mark.parametrize(
    "body", [b"", b"\x00", header(0, 1), encode_frame(b"a")[:-1], b"\x80", trailers(OK)[:4], trailers(OK)[:-1]]
)
def test_bodies_that_end_too_early(body: bytes) -> None:
    assert_read(body, Read([], NO_STATUS))
    assert_read(encode_frame(b"a") + body, Read([b"a"], NO_STATUS))


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (trailers(b""), Code.INTERNAL, "Trailers without a valid grpc-status: None"),
        (trailers(b"grpc-status: 17\r\n"), Code.INTERNAL, "Trailers without a valid grpc-status: '17'"),
        (trailers(b"grpc-status: 0\r\na-bin: !\r\n"), Code.INTERNAL, "Metadata entry 'a-bin' is not base64"),
        (header(0x01, 1) + b"x", Code.INTERNAL, "Compressed flag set in a frame, but there is no grpc-encoding"),
        (header(0x02, 1) + b"x", Code.INTERNAL, "Frame with flags 0x02 is not a message"),
        (header(0x82, 1) + b"x", Code.INTERNAL, "Frame with flags 0x82 is not trailers"),
        (header(0x81, 1) + b"x", Code.INTERNAL, "Frame with flags 0x81 is not trailers"),
        (
            header(0, LIMIT + 1),
            Code.RESOURCE_EXHAUSTED,
            f"CLIENT: Received message larger than max ({LIMIT + 1} vs. {LIMIT})",
        ),
        (
            header(0x80, MAX_TRAILERS_BYTES + 1),
            Code.RESOURCE_EXHAUSTED,
            f"Received trailers larger than max ({MAX_TRAILERS_BYTES + 1} vs. {MAX_TRAILERS_BYTES})",
        ),
    ],
)
def test_broken_bodies(body: bytes, code: StatusCode, message: str) -> None:
    assert_read(body, Read([], (code, message)))
    assert_read(encode_frame(b"a") + body, Read([b"a"], (code, message)))


@pytest.mark.parametrize(("payload", "message"), [(b"", "Message is not gzip"), (b"x", "Message is not gzip")])
def test_what_is_not_compressed_as_it_says(payload: bytes, message: str) -> None:
    headers = [TYPE, ("grpc-encoding", "gzip")]
    assert_read(encode_frame(payload, 0x01), Read([], (Code.INTERNAL, message)), headers)
    assert_read(encode_frame(payload, 0x81), Read([], (Code.INTERNAL, message)), headers)


def test_a_small_payload_cannot_become_a_large_message() -> None:
    headers = [TYPE, ("grpc-encoding", "gzip")]
    bomb = encode_frame(GZIP.compress(bytes(LIMIT + 1)), 0x01)
    assert_read(bomb, Read([], (Code.RESOURCE_EXHAUSTED, "Decompressed message larger than max")), headers)


class TestHead:
    @pytest.mark.parametrize(
        "content_type",
        [
            "application/grpc-web",
            "application/grpc-web+proto",
            "Application/gRPC-Web+Proto; charset=utf-8",
        ],
    )
    def test_types_of_answers(self, content_type: str) -> None:
        assert read([trailers(OK)], [("Content-Type", content_type)]) == Read([], ok())

    @pytest.mark.parametrize(
        "content_type",
        ["text/html", "image/jpeg", "application/grpc", "application/grpc-web+json", "application/grpc-web-text", None],
    )
    def test_other_types_are_pages(self, content_type: str | None) -> None:
        headers = [] if content_type is None else [("content-type", content_type)]
        assert read([b"<h1>", b"Hello</h1>\n"], headers) == Read([], (Code.UNKNOWN, "HTTP status 200: <h1>Hello</h1>"))
        assert read([], headers) == Read([], (Code.UNKNOWN, "HTTP status 200"))

    @pytest.mark.parametrize(
        ("http_status", "code"),
        [
            *((400, Code.INTERNAL), (401, Code.UNAUTHENTICATED), (403, Code.PERMISSION_DENIED)),
            *((404, Code.UNIMPLEMENTED), (429, Code.UNAVAILABLE), (502, Code.UNAVAILABLE)),
            *((503, Code.UNAVAILABLE), (504, Code.UNAVAILABLE), (500, Code.UNKNOWN), (302, Code.UNKNOWN)),
            *((405, Code.UNKNOWN), (418, Code.UNKNOWN), (800, Code.UNKNOWN)),
        ],
    )
    def test_http_statuses(self, http_status: int, code: StatusCode) -> None:
        """Those of the table, and a few that are not in it. What the body seems to be does not matter."""
        assert read([b"no"], [TYPE], http_status) == Read([], (code, f"HTTP status {http_status}: no"))

    def test_of_a_page_no_more_is_kept_than_is_told(self) -> None:
        reader = AnswerReader(LIMIT)
        reader.start(500, [])
        assert list(reader.receive_data(b"x" * (MAX_TEXT_BYTES - 1))) == []
        with pytest.raises(StatusError, match="UNKNOWN") as caught:
            list(reader.receive_data(b"y" * MAX_TEXT_BYTES))
        assert caught.value.message == "HTTP status 500: " + "x" * (MAX_TEXT_BYTES - 1) + "y"

    @pytest.mark.parametrize("name", ["br", "foo"])
    def test_unknown_encoding(self, name: str) -> None:
        expected = (Code.INTERNAL, f"Message encoding {name!r} is not supported")
        assert read([trailers(OK)], [TYPE, ("grpc-encoding", name)]) == Read([], expected)

    def test_metadata_that_is_not_base64(self) -> None:
        expected = (Code.INTERNAL, "Metadata entry 'a-bin' is not base64")
        assert read([trailers(OK)], [TYPE, ("a-bin", "!")]) == Read([], expected)

    def test_what_is_metadata(self) -> None:
        reader = AnswerReader(LIMIT)
        own = [("Date", "now"), ("server", "x"), ("Set-Cookie", "a=b"), ("access-control-allow-origin", "*")]
        http = [("content-length", "1"), ("transfer-encoding", "chunked"), ("connection", "close"), ("via", "1.1 x")]
        reader.start(200, [TYPE, *own, *http, ("a", "1"), ("B-Bin", "AA, AQ=="), ("a", "2")])
        assert reader.initial_metadata == (("a", "1"), ("b-bin", b"\x00"), ("b-bin", b"\x01"), ("a", "2"))


class TestStatusInTheHead:
    HEADERS = [TYPE, ("grpc-status", "5"), ("grpc-message", "no%20cat"), ("x", "y"), ("date", "now")]

    def test_it_counts_where_nothing_follows(self) -> None:
        """All headers are trailers then."""
        reader = AnswerReader(LIMIT)
        reader.start(200, self.HEADERS)
        assert (reader.initial_metadata, reader.status) == (None, None)
        reader.end()
        assert (reader.initial_metadata, reader.status) == ((), ok(Code.NOT_FOUND, "no cat", ("x", "y")))

    @pytest.mark.parametrize("http_status", [200, 403, 503])
    @pytest.mark.parametrize("content_type", ["application/grpc-web", "text/html"])
    def test_it_is_better_than_that_of_http(self, http_status: int, content_type: str) -> None:
        headers = [("content-type", content_type), *self.HEADERS[1:]]
        body = [] if http_status == 200 and "grpc" in content_type else [b"<h1>Page</h1>"]
        assert read(body, headers, http_status).status == ok(Code.NOT_FOUND, "no cat", ("x", "y"))

    def test_it_does_not_count_where_there_are_frames(self) -> None:
        reader = AnswerReader(LIMIT)
        reader.start(200, self.HEADERS)
        assert list(reader.receive_data(encode_frame(b"a")[:5])) == []
        assert reader.receive_data(encode_frame(b"a")[5:]) == [b"a"]
        assert reader.initial_metadata == (("x", "y"),)
        reader.receive_data(trailers(b"grpc-status: 9\r\n"))
        reader.end()
        assert reader.status == ok(Code.FAILED_PRECONDITION)

    def test_it_has_to_be_one(self) -> None:
        expected = (Code.INTERNAL, "Trailers without a valid grpc-status: 'x'")
        assert read([], [TYPE, ("grpc-status", "x")]) == Read([], expected)


def test_2_gib_announced_are_refused_before_anything_is_held() -> None:
    reader = AnswerReader(LIMIT)
    reader.start(200, [TYPE])
    tracemalloc.start()
    try:
        for flags in (0, 0x80):
            with pytest.raises(StatusError, match="RESOURCE_EXHAUSTED"):
                list(reader.receive_data(header(flags, 2**31)))
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
