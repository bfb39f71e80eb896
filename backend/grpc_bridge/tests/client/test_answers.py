"""What callers learn from answers of all sorts: good ones, broken ones, and pages that are none."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import grpc
import pytest

from grpc_bridge.client import http
from grpc_bridge.protocol.frames import encode_frame
from grpc_bridge.protocol.trailers import encode_trailers
from grpc_bridge.tests.client.callers import Caller, Learned
from grpc_bridge.tests.client.scripted import (
    OK,
    TYPE,
    Peer,
    Script,
    ScriptedServer,
    answering,
    chunked,
    good,
    head,
    whole,
)

Code = grpc.StatusCode
Serve = Callable[[Script], ScriptedServer]

ONE = encode_frame(b"one")
TWO = encode_frame(b"two")
HTML = "content-type: text/html"
LIMIT = [("grpc.max_receive_message_length", 100)]

WHOLE, BYTE_BY_BYTE, BYTES_AFTER = "whole", "byte by byte", "with bytes after"


def feeding(answer: bytes, way: str) -> Script:
    """Gives a script that answers each request in one of the ways."""
    if way == WHOLE:
        return answering(answer)

    def script(peer: Peer) -> None:
        while peer.request() is not None:
            if way == BYTES_AFTER:
                peer.send(answer + b"HTTP/1.1 200 what nobody has asked for\r\n")
            else:
                for at in range(len(answer)):
                    peer.send(answer[at : at + 1])

    return script


LARGER = (Code.RESOURCE_EXHAUSTED, "CLIENT: Received message larger than max (101 vs. 100)")
NO_STATUS = (Code.INTERNAL, "The answer ends without a status")

ANSWERS = {
    "one message": (good(b"one"), Learned([b"one"], Code.OK, "")),
    "an empty message": (good(b""), Learned([b""], Code.OK, "")),
    "chunks": (chunked(ONE, OK), Learned([b"one"], Code.OK, "")),
    "chunks that cut": (chunked(ONE[:2], ONE[2:6], ONE[6:] + OK[:3], OK[3:]), Learned([b"one"], Code.OK, "")),
    "compressed": (
        whole(encode_frame(gzip.compress(b"one"), 1) + OK, "grpc-encoding: gzip"),
        Learned([b"one"], Code.OK, ""),
    ),
    "metadata": (
        whole(ONE + encode_trailers(0, "", [("b", "2"), ("b-bin", "/w")]), "a: 1", "A: 2", "a-bin: AA==", "date: now"),
        Learned([b"one"], Code.OK, "", (("a", "1"), ("a", "2"), ("a-bin", b"\x00")), (("b", "2"), ("b-bin", b"\xff"))),
    ),
    "an error": (
        whole(encode_trailers(5, "kein Käse", [("b", "2")]), "a: 1"),
        Learned([], Code.NOT_FOUND, "kein Käse", (("a", "1"),), (("b", "2"),)),
    ),
    "an error beside a message": (whole(ONE + encode_trailers(5)), Learned([], Code.NOT_FOUND, "")),
    "OK with a message of its own": (whole(ONE + encode_trailers(0, "fine")), Learned([b"one"], Code.OK, "")),
    "a status in the head": (
        whole(b"", "grpc-status: 7", "grpc-message: not%20you", "a: 1"),
        Learned([], Code.PERMISSION_DENIED, "not you", (), (("a", "1"),)),
    ),
    "a status in the head of an error of HTTP": (
        whole(b"<h1>No</h1>", "grpc-status: 7", status="403 Forbidden", content_type=HTML),
        Learned([], Code.PERMISSION_DENIED, ""),
    ),
    "a status in the head and one in the body": (
        whole(encode_trailers(9), "grpc-status: 7"),
        Learned([], Code.FAILED_PRECONDITION, ""),
    ),
    "no message": (whole(OK), Learned([], Code.UNIMPLEMENTED, "The answer has no message instead of one")),
    "no message, and a status in the head": (
        whole(b"", "grpc-status: 0"),
        Learned([], Code.UNIMPLEMENTED, "The answer has no message instead of one"),
    ),
    "two messages": (
        good(b"one", b"two"),
        Learned([], Code.UNIMPLEMENTED, "The answer has more than one message instead of one"),
    ),
    "nothing": (whole(b""), Learned([], *NO_STATUS)),
    "no status": (whole(ONE), Learned([], *NO_STATUS)),
    "half of a status": (whole(ONE + OK[:-1]), Learned([], *NO_STATUS)),
    "a message that is too large": (whole(encode_frame(b"x" * 101) + OK), Learned([], *LARGER)),
    "a message that is announced too large": (whole(encode_frame(b"x" * 101)[:5]), Learned([], *LARGER)),
    "a message that becomes too large": (
        whole(encode_frame(gzip.compress(b"x" * 101), 1) + OK, "grpc-encoding: gzip"),
        Learned([], Code.RESOURCE_EXHAUSTED, "Decompressed message larger than max"),
    ),
    "the largest message": (good(b"x" * 100), Learned([b"x" * 100], Code.OK, "")),
    "another encoding": (
        whole(ONE + OK, "grpc-encoding: br"),
        Learned([], Code.INTERNAL, "Message encoding 'br' is not supported"),
    ),
    "flags that mean nothing": (
        whole(encode_frame(b"x", 2) + OK),
        Learned([], Code.INTERNAL, "Frame with flags 0x02 is not a message"),
    ),
    "another type": (
        whole(ONE + OK, content_type="content-type: application/grpc-web+json"),
        Learned([], Code.UNKNOWN, f"HTTP status 200: {(ONE + OK).decode(errors='replace').strip()}"),
    ),
    "a page": (
        whole(b"<h1>Hello</h1>\n", content_type=HTML),
        Learned([], Code.UNKNOWN, "HTTP status 200: <h1>Hello</h1>"),
    ),
    "not found": (
        whole(b"Not Found", status="404 Not Found", content_type=HTML),
        Learned([], Code.UNIMPLEMENTED, "HTTP status 404: Not Found"),
    ),
    "a redirect": (
        whole(b"", "location: /elsewhere", status="302 Found", content_type=HTML),
        Learned([], Code.UNKNOWN, "HTTP status 302", (("location", "/elsewhere"),)),
    ),
    "a proxy without a server": (
        whole(b"", status="503 Service Unavailable", content_type="retry-after: 1"),
        Learned([], Code.UNAVAILABLE, "HTTP status 503", (("retry-after", "1"),)),
    ),
    "no type": (
        whole(OK, content_type="x: y"),
        Learned([], Code.UNKNOWN, f"HTTP status 200: {OK.decode(errors='replace').strip()}", (("x", "y"),)),
    ),
}


@pytest.mark.parametrize("way", [WHOLE, BYTE_BY_BYTE, BYTES_AFTER])
@pytest.mark.parametrize("name", ANSWERS)
def test_unary(call: Caller, serve: Serve, name: str, way: str) -> None:
    answer, learned = ANSWERS[name]
    assert call(serve(feeding(answer, way)).target, channel_options=LIMIT) == learned


@pytest.mark.parametrize("way", [WHOLE, BYTE_BY_BYTE, BYTES_AFTER])
@pytest.mark.parametrize(
    ("answer", "learned"),
    [
        (good(), Learned([], Code.OK, "")),
        (good(b"one", b"", b"two"), Learned([b"one", b"", b"two"], Code.OK, "")),
        (chunked(ONE, TWO, OK), Learned([b"one", b"two"], Code.OK, "")),
        (chunked(ONE + TWO + OK), Learned([b"one", b"two"], Code.OK, "")),
        (whole(ONE + encode_trailers(8, "tired")), Learned([b"one"], Code.RESOURCE_EXHAUSTED, "tired")),
        (whole(b"", "grpc-status: 7"), Learned([], Code.PERMISSION_DENIED, "")),
        (whole(ONE + TWO), Learned([b"one", b"two"], *NO_STATUS)),
        (whole(ONE + encode_frame(b"x" * 101) + OK), Learned([b"one"], *LARGER)),
        (whole(ONE + b"\x07" + OK), Learned([b"one"], Code.INTERNAL, "Frame with flags 0x07 is not a message")),
    ],
)
def test_stream(call: Caller, serve: Serve, answer: bytes, learned: Learned, way: str) -> None:
    target = serve(feeding(answer, way)).target
    assert call(target, "unary_stream", channel_options=LIMIT) == learned


@pytest.mark.parametrize("kind", ["unary_unary", "unary_stream"])
def test_body_that_ends_with_the_connection(call: Caller, serve: Serve, kind: str) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(head(TYPE) + ONE + OK)

    assert call(serve(script).target, kind) == Learned([b"one"], Code.OK, "")


class TestLostConnection:
    @pytest.mark.parametrize(
        "sent",
        [
            head(TYPE, "content-length: 1000") + ONE + TWO[:3],
            head(TYPE, "transfer-encoding: chunked") + b"8\r\n" + ONE + b"\r\n",
            head(TYPE, "transfer-encoding: chunked") + b"9\r\n" + ONE,
        ],
    )
    def test_in_the_answer(self, call: Caller, serve: Serve, sent: bytes) -> None:
        def script(peer: Peer) -> None:
            peer.request()
            peer.send(sent)

        learned = call(serve(script).target, "unary_stream")
        assert (learned.messages, learned.code) == ([b"one"], Code.UNAVAILABLE)
        assert learned.details.startswith("Connection lost: ")

    @pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200", head(TYPE)[:-4]])
    @pytest.mark.parametrize("end", [Peer.close, Peer.reset])
    def test_before_the_answer(self, call: Caller, serve: Serve, sent: bytes, end: Callable[[Peer], None]) -> None:
        def script(peer: Peer) -> None:
            peer.request()
            peer.send(sent)
            end(peer)

        learned = call(serve(script).target)
        assert learned.code is Code.UNAVAILABLE
        assert learned.details.startswith("Connection lost: ")

    def test_there_never_was_one(self, call: Caller, serve: Serve) -> None:
        server = serve(answering(good(b"")))
        server.stop()
        learned = call(server.target)
        assert learned.code is Code.UNAVAILABLE
        assert learned.details.startswith("Failed to connect: ")
        assert server.target in learned.details


@pytest.mark.parametrize(
    "sent", [b"SSH-2.0-OpenSSH\r\n", b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", b"HTTP/1.1 abc\r\n\r\n"]
)
def test_what_is_not_http(call: Caller, serve: Serve, sent: bytes) -> None:
    learned = call(serve(answering(sent)).target)
    assert learned.code is Code.UNKNOWN
    assert learned.details.startswith("The answer is not HTTP: ")


class TestAnswersWithoutAnEnd:
    """The caller has the status, and does not wait longer than it takes to see that the connection is of no use."""

    @pytest.fixture(autouse=True)
    def short_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(http, "END_SECONDS", 0.1)

    @pytest.mark.parametrize("kind", ["unary_unary", "unary_stream"])
    @pytest.mark.parametrize("more", [b"", b"5\r\n12345\r\n"])
    def test_after_the_status(self, call: Caller, serve: Serve, kind: str, more: bytes) -> None:
        ended: list[bool] = []

        def script(peer: Peer) -> None:
            peer.request()
            peer.send(chunked(ONE + OK).removesuffix(b"0\r\n\r\n") + more)
            ended.append(peer.sees_end())

        server = serve(script)
        assert call(server.target, kind) == Learned([b"one"], Code.OK, "")
        server.stop()
        assert ended == [True]

    def test_of_a_page(self, call: Caller, serve: Serve) -> None:
        def script(peer: Peer) -> None:
            peer.request()
            peer.send(head(HTML, "content-length: 1000", status="502 Bad Gateway") + b"Wait")
            assert peer.sees_end()

        assert call(serve(script).target) == Learned([], Code.UNAVAILABLE, "HTTP status 502: Wait")

    def test_of_a_long_page(self, call: Caller, serve: Serve) -> None:
        """No more is read than is told."""

        def script(peer: Peer) -> None:
            peer.request()
            peer.send(head(HTML, status="500 Oops"))
            while True:
                peer.send(b"x" * 1000)

        learned = call(serve(script).target)
        assert (learned.code, learned.details) == (Code.UNKNOWN, "HTTP status 500: " + "x" * 1024)

    def test_after_what_is_refused(self, call: Caller, serve: Serve) -> None:
        def script(peer: Peer) -> None:
            peer.request()
            peer.send(head(TYPE, "transfer-encoding: chunked"))
            peer.send_chunk(encode_frame(b"x" * 101)[:5])
            assert peer.sees_end()

        assert call(serve(script).target, channel_options=LIMIT) == Learned([], *LARGER)
