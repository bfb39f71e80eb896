"""Requests that are no HTTP, or HTTP at its edges. The server answers or closes the connection, no handler runs that
should not, and the next caller is served."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import pytest

from tests.contract.grpc_web import BINARY
from tests.contract.http_client import Connection, chunk
from tests.contract.literals import GOOD_ANSWER, HEADERS, HELLO, LENGTH, good_request
from tests.contract.methods import path
from tests.servers import Server


@pytest.fixture
def connection(server: Server) -> Iterator[Connection]:
    """A connection to the server under test."""
    with Connection(server) as connection:
        yield connection


def assert_refused(connection: Connection) -> None:
    """The answer is a 4xx, or there is none and the connection is closed."""
    try:
        response = connection.response()
    except (http.client.RemoteDisconnected, ConnectionResetError):
        return
    assert 400 <= response.status < 500, (response.status, response.read())


@pytest.mark.usefixtures("runs_no_handler")
class TestRefusedByTheServer:
    """What gunicorn has to refuse. The bridge would never see that something is wrong."""

    @pytest.mark.parametrize(
        "line",
        [
            b"x-bare-cr: a\rb",
            b"x-bare-lf: a\nb",
            b"x-nul: a\0b",
            b"x-forged: a\r\rcontent-type: text/plain",
            b"x space: a",
            b"x-space : a",
            b": no name",
            b"no colon",
            b" folded: a",
            b"x\xe9: a",
        ],
    )
    def test_broken_headers(self, connection: Connection, target: str, line: bytes) -> None:
        head, _, rest = good_request(target).partition(b"\r\n\r\n")
        connection.send(head + b"\r\n" + line + b"\r\n\r\n" + rest)
        assert_refused(connection)

    @pytest.mark.parametrize(
        "headers",
        [
            [("x-huge", "x" * 20_000)],
            [("x-huge", "x" * 2_000_000)],
            [("cookie", "x=" + "y" * 9000)],
            [(f"x-{number}", "x") for number in range(200)],
        ],
        ids=["one", "one of 2 MB", "cookie", "many"],
    )
    def test_huge_headers(self, connection: Connection, target: str, headers: list[tuple[str, str]]) -> None:
        try:
            connection.send_head("POST", target, [*HEADERS, LENGTH, *headers])
            connection.send(HELLO)
        except ConnectionError:
            return  # it was closed under us, which is an answer, too
        assert_refused(connection)

    def test_huge_path(self, connection: Connection, target: str) -> None:
        connection.send_head("POST", target + "?" + "x" * 20_000, [*HEADERS, LENGTH])
        connection.send(HELLO)
        assert_refused(connection)

    @pytest.mark.parametrize("length", ["-1", "+12", "1_2", "12, 12", "0x0c", "12 12", "twelve", "", "\xb2"])
    def test_broken_length(self, connection: Connection, target: str, length: str) -> None:
        connection.send_head("POST", target, [*HEADERS, ("content-length", length)])
        connection.send(HELLO)
        assert_refused(connection)

    def test_two_lengths(self, connection: Connection, target: str) -> None:
        connection.send_head("POST", target, [*HEADERS, LENGTH, ("content-length", "3")])
        connection.send(HELLO)
        assert_refused(connection)

    def test_length_and_chunks(self, connection: Connection, target: str) -> None:
        """The classic of request smuggling."""
        connection.send_head("POST", target, [*HEADERS, LENGTH, ("transfer-encoding", "chunked")])
        connection.send(chunk(HELLO) + chunk(b""))
        assert_refused(connection)

    def test_unknown_transfer_encoding(self, connection: Connection, target: str) -> None:
        connection.send_head("POST", target, [*HEADERS, ("transfer-encoding", "xchunked")])
        connection.send(chunk(HELLO) + chunk(b""))
        response = connection.response()
        assert 400 <= response.status <= 501

    @pytest.mark.parametrize(
        "line", [b"nonsense", b"POST", b"\0\0\0", b"POST /x HTTP/9.9", b"\x16\x03\x01\x02\x00\x01"]
    )
    def test_no_http_at_all(self, connection: Connection, line: bytes) -> None:
        connection.send(line + b"\r\n\r\n")
        assert_refused(connection)


class TestChunks:
    """Bodies of unknown length."""

    @pytest.mark.usefixtures("runs_no_handler")
    @pytest.mark.parametrize("body", [b"zz\r\n", b"-1\r\n", b"c\r\n" + HELLO + b"no line end"])
    def test_broken_chunks(self, connection: Connection, target: str, body: bytes) -> None:
        """A server may find out after the application has begun to read, so a status may come instead of a 400."""
        connection.send_head("POST", target, [*HEADERS, ("transfer-encoding", "chunked")])
        connection.send(body)
        try:
            response = connection.response()
        except (http.client.RemoteDisconnected, ConnectionResetError):
            return
        assert response.status in {200, 400}
        assert response.status == 400 or b"grpc-status: 0" not in response.read()

    def test_extensions_and_trailers_mean_nothing(self, connection: Connection, target: str) -> None:
        connection.send_head("POST", target, [*HEADERS, ("transfer-encoding", "chunked")])
        connection.send(b"c;name=value\r\n" + HELLO + b"\r\n0\r\ncontent-type: text/plain\r\n\r\n")
        assert connection.response().read() == GOOD_ANSWER


class TestExpectContinue:
    """A client that waits for leave to send its body."""

    def test_gets_it(self, connection: Connection, target: str) -> None:
        connection.send_head("POST", target, [*HEADERS, LENGTH, ("expect", "100-continue")])
        assert connection.read_line() == b"HTTP/1.1 100 Continue\r\n"
        assert connection.read_line() == b"\r\n"
        connection.send(HELLO)
        assert connection.response().read() == GOOD_ANSWER

    def test_gets_it_in_pieces(self, connection: Connection, target: str) -> None:
        connection.send_head("POST", target, [*HEADERS, ("transfer-encoding", "chunked"), ("expect", "100-continue")])
        assert connection.read_line() == b"HTTP/1.1 100 Continue\r\n"
        assert connection.read_line() == b"\r\n"
        connection.send(chunk(HELLO[:3]))
        connection.send(chunk(HELLO[3:]) + chunk(b""))
        assert connection.response().read() == GOOD_ANSWER

    @pytest.mark.usefixtures("runs_no_handler")
    @pytest.mark.parametrize("content_type", ["text/plain", BINARY])
    def test_may_get_a_refusal_instead(self, connection: Connection, flavour: str, content_type: str) -> None:
        """415 for a wrong type, a status for an unknown method: neither needs the body, nor waits for it."""
        method = "Echo" if content_type == "text/plain" else "Missing"
        headers = [("content-type", content_type), ("content-length", "1000000"), ("expect", "100-continue")]
        connection.send_head("POST", path(flavour, method), headers)
        response = connection.response()
        assert response.status == (415 if method == "Echo" else 200)
        assert response.read()


class TestHalfClosed:
    """A client that closes its sending side."""

    @pytest.mark.usefixtures("runs_no_handler")
    @pytest.mark.parametrize("sent", [0, 1, 5, len(HELLO) - 1])
    def test_before_the_end_of_the_body(self, connection: Connection, target: str, sent: int) -> None:
        connection.send_head("POST", target, [*HEADERS, LENGTH])
        connection.send(HELLO[:sent])
        connection.half_close()
        try:
            response = connection.response()
        except (http.client.RemoteDisconnected, ConnectionResetError):
            return
        assert response.status in {200, 400}
        assert b"grpc-status: 0" not in response.read()

    @pytest.mark.usefixtures("runs_no_handler")
    def test_in_the_middle_of_the_head(self, connection: Connection, target: str) -> None:
        connection.send(good_request(target)[:40])
        connection.half_close()
        assert_refused(connection)

    @pytest.mark.usefixtures("runs_no_handler")
    def test_before_the_last_chunk(self, connection: Connection, target: str) -> None:
        connection.send_head("POST", target, [*HEADERS, ("transfer-encoding", "chunked")])
        connection.send(chunk(HELLO))
        connection.half_close()
        try:
            response = connection.response()
        except (http.client.RemoteDisconnected, ConnectionResetError):
            return
        assert response.status in {200, 400}
        assert b"grpc-status: 0" not in response.read()

    def test_after_the_request(self, server: Server, connection: Connection, target: str) -> None:
        """It is answered, unless gunicorn's asgi worker sees the close first and takes the client for gone."""
        connection.send(good_request(target))
        connection.half_close()
        if server.is_asgi and connection.is_closed_by_server():
            return
        assert connection.response().read() == GOOD_ANSWER


class TestLengths:
    """A content-length that is not the body's."""

    @pytest.mark.usefixtures("runs_no_handler")
    def test_too_long(self, connection: Connection, target: str) -> None:
        """The server waits for the rest until the client gives up."""
        connection.send_head("POST", target, [*HEADERS, ("content-length", "1000")])
        connection.send(HELLO)
        connection.half_close()
        try:
            assert b"grpc-status: 0" not in connection.response().read()
        except (http.client.RemoteDisconnected, ConnectionResetError):
            return

    @pytest.mark.usefixtures("runs_no_handler")
    def test_too_short(self, connection: Connection, target: str) -> None:
        """The message is cut, and what is left of it is no request."""
        connection.send_head("POST", target, [*HEADERS, ("content-length", "8")])
        connection.send(HELLO + b"\r\n\r\n")
        assert b"grpc-message: Request body ends inside a frame\r\n" in connection.response().read()
        assert_refused(connection)

    def test_none_at_all(self, connection: Connection, target: str) -> None:
        """Without length and chunks there is no body."""
        connection.send_head("POST", target, HEADERS)
        assert b"requires exactly one request message." in connection.response().read()
