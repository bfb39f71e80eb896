"""The client takes answers as they come, and looks at all of them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from bench.client import Answer, Load, Request, call, open_streams, without_chunks
from bench.wire import HOST, WrongAnswerError

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
OPEN = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
FAILURE = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\nhello"

ASKED = b"?"


def check(body: bytes) -> None:
    if body != b"hello":
        raise WrongAnswerError(repr(body))


class Server:
    """Gives its answers in turn, one for each byte that it is sent; the last one again and again."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            while connection.recv(1):
                connection.sendall(self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])
        except OSError:
            return

    def close(self) -> None:
        for one in (self._listener, *self._connections):
            one.close()


@pytest.fixture
def serve() -> Iterator[type[Server]]:
    servers: list[Server] = []

    class Kept(Server):
        def __init__(self, *answers: bytes) -> None:
            super().__init__(*answers)
            servers.append(self)

    yield Kept
    for server in servers:
        server.close()


@pytest.mark.parametrize("data", [LENGTH, CHUNKED])
def test_an_answer_may_come_in_any_pieces(data: bytes):
    for cut in range(1, len(data)):
        answer = Answer()
        assert not answer.receive(data[:cut])
        assert answer.receive(data[cut:])
        assert answer.body() == b"hello"
    answer = Answer()
    assert [answer.receive(data[at : at + 1]) for at in range(len(data))] == [False] * (len(data) - 1) + [True]
    assert answer.body() == b"hello"


def test_trailers_are_not_taken_for_the_end_of_the_chunks():
    content = b"\r\ngrpc-status: 0\r\n"
    begun = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(content), content)
    answer = Answer()
    assert not answer.receive(begun)
    assert answer.receive(b"0\r\n\r\n")
    assert answer.body() == content == without_chunks(answer.raw_body())


def test_a_failure_is_no_answer():
    with pytest.raises(WrongAnswerError, match="not the answer 200"):
        Answer().receive(FAILURE)


def test_a_call_is_checked(serve: type[Server]):
    assert call(serve(CHUNKED).port, Request(ASKED, check)) == b"hello"
    with pytest.raises(WrongAnswerError, match="jello"):
        call(serve(LENGTH.replace(b"hello", b"jello")).port, Request(ASKED, check))


def test_load_counts_the_answers_that_came(serve: type[Server]):
    load = Load(serve(LENGTH).port, Request(ASKED, check), 3)
    load.start()
    assert load.run(0.02) > 0
    assert load.finish() == 3
    load.close()


def test_load_notices_one_wrong_answer_among_many(serve: type[Server]):
    load = Load(serve(LENGTH, LENGTH, LENGTH.replace(b"hello", b"jello"), LENGTH).port, Request(ASKED, check), 1)
    load.start()
    with pytest.raises(WrongAnswerError, match="jello"):
        load.run(10.0)
    load.close()


def test_streams_stay_open(serve: type[Server]):
    streams = open_streams(serve(OPEN).port, Request(ASKED, check), 3)
    assert len(streams) == 3
    for stream in streams:
        stream.close()
    with pytest.raises(WrongAnswerError, match="the stream has ended"):
        open_streams(serve(LENGTH).port, Request(ASKED, check), 1)
