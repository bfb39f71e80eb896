"""An HTTP/1.1 client that does what it is told, also what no decent client does, and reads what comes at once."""

from __future__ import annotations

import http.client
import io
import socket
import struct
from collections.abc import Iterable, Iterator
from types import TracebackType

from tests.servers import Server

Headers = Iterable[tuple[str, str]]

READ_SECONDS = 10.0
"""How long a read may wait. Only a test that fails waits so long: less than a handler waits for its gate."""

PIECE_BYTES = 64 * 1024


class _Reader(io.BufferedReader):
    """What is read from a connection. It outlives the response, because the next one begins in its buffer."""

    def close(self) -> None:
        """Nothing: the connection closes its socket itself."""

    def makefile(self, mode: str) -> _Reader:
        """Gives itself, as `http.client.HTTPResponse` asks a socket for it."""
        return self


def head(method: str, path: str, headers: Headers) -> bytes:
    """Gives the bytes of a request's head."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """Gives one chunk of a body of unknown length. No data is the last one."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class Connection:
    """One connection. Requests are bytes; responses are read by the standard library."""

    def __init__(self, server: Server, read_seconds: float = READ_SECONDS) -> None:
        self._socket = socket.create_connection(server.address, timeout=read_seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if server.tls is not None:
            self._socket = server.tls.wrap_socket(self._socket, server_hostname=server.host)
        self._reader = _Reader(socket.SocketIO(self._socket, "r"))
        self._host = f"{server.host}:{server.port}"

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self._socket.sendall(data)

    def send_until_blocked(self, data: bytes, at_most: int, patience_seconds: float = 1.0) -> int:
        """Sends the data again and again until nobody takes it any more. Gives how many bytes were taken."""
        sent = 0
        before = self._socket.gettimeout()
        self._socket.settimeout(patience_seconds)
        try:
            while sent < at_most:
                sent += self._socket.send(data[sent % len(data) :])
        except TimeoutError:
            pass
        finally:
            self._socket.settimeout(before)
        return sent

    def send_head(self, method: str, path: str, headers: Headers) -> None:
        """Sends a request's head; the host is added."""
        self.send(head(method, path, [("host", self._host), *headers]))

    def request(self, method: str, path: str, headers: Headers, body: bytes) -> http.client.HTTPResponse:
        """Sends a whole request with its length, and gives the response as soon as its head is there."""
        length = ("content-length", str(len(body)))
        self.send(head(method, path, [("host", self._host), *headers, length]) + body)
        return self.response()

    def response(self, method: str = "POST") -> http.client.HTTPResponse:
        """Waits for the head of the next response. Raises what `http.client` raises for none or a broken one."""
        response = http.client.HTTPResponse(self._reader, method=method)  # type: ignore[arg-type]
        response.begin()
        return response

    def own_address(self) -> tuple[str, int]:
        """Gives the address of this end."""
        host, port = self._socket.getsockname()
        return host, port

    def read_line(self) -> bytes:
        """Reads up to the end of a line."""
        return self._reader.readline()

    def is_closed_by_server(self) -> bool:
        """Waits until the server closes the connection. Gives False if it sends something instead."""
        try:
            return self._reader.peek(1) == b""
        except ConnectionResetError:
            return True

    def half_close(self) -> None:
        """Tells the server that nothing more is sent. Answers can still be read."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Drops the connection at once, without a farewell."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close()


def pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Gives a response's body in the pieces that it arrives in."""
    while piece := response.read1(PIECE_BYTES):
        yield piece
