"""A server that does what a test says, also what no decent server does: raw bytes on a free port, a thread for each
connection."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from grpc_bridge.protocol.frames import encode_frame
from grpc_bridge.protocol.trailers import encode_trailers

HOST = "127.0.0.1"
PATIENCE_SECONDS = 20.0
"""How long a script waits for its client. Only a test that fails waits so long."""

TYPE = "content-type: application/grpc-web+proto"
OK = encode_trailers(0)


@dataclass(frozen=True)
class Request:
    """A request's head. Names of headers are in lower case."""

    line: str
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str | None:
        """Gives the value of a header, joined where it comes several times."""
        return ",".join(value for key, value in self.headers if key == name) or None


class Peer:
    """The server's end of a connection."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = sock
        self._reader = sock.makefile("rb")

    def head(self) -> Request | None:
        """Waits for a request. Gives None where the client has gone."""
        line = self._reader.readline()
        if not line:
            return None
        headers = []
        while (entry := self._reader.readline()) not in (b"\r\n", b""):
            name, _, value = entry.decode("latin-1").partition(":")
            headers.append((name.lower(), value.strip()))
        return Request(line.decode("latin-1").strip(), tuple(headers))

    def chunk(self) -> bytes:
        """Waits for the next chunk of the body. The last is empty."""
        size = int(self._reader.readline(), 16)
        data = self._reader.read(size)
        self._reader.readline()
        return data

    def body(self, request: Request) -> bytes:
        """Waits for the end of the body."""
        if request.header("transfer-encoding") == "chunked":
            return b"".join(iter(self.chunk, b""))
        return self._reader.read(int(request.header("content-length") or 0))

    def request(self) -> bytes | None:
        """Waits for a whole request and gives its body. Gives None where the client has gone."""
        head = self.head()
        return None if head is None else self.body(head)

    def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self.socket.sendall(data)

    def send_chunk(self, data: bytes) -> None:
        """Sends one chunk of a body. The last is empty."""
        self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def rest(self) -> bytes:
        """Waits until the client closes the connection, and gives what it has sent until then."""
        try:
            return self._reader.read()
        except ConnectionResetError:
            return b""

    def wait_until_full(self) -> None:
        """Reads nothing, until nothing more arrives: the client has to wait for room."""
        before, now = -1, 0
        while now != before:
            time.sleep(0.2)
            before, now = now, int.from_bytes(fcntl.ioctl(self.socket, termios.FIONREAD, bytes(4)), sys.byteorder)

    def sees_end(self) -> bool:
        """Waits until the client closes the connection. Gives False if it sends something."""
        try:
            return self._reader.read(1) == b""
        except ConnectionResetError:
            return True

    def reset(self) -> None:
        """Drops the connection at once, without a farewell."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._reader.close()
        self.socket.close()


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    """Asks until the condition holds. Gives False if it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


Script = Callable[[Peer], None]


class ScriptedServer:
    """Runs a script for each connection. `connections` counts them."""

    def __init__(self, script: Script, port: int = 0, wrap: Callable[[socket.socket], socket.socket] | None = None):
        self.connections = 0
        self.failures: list[BaseException] = []
        self._script = script
        self._wrap = wrap
        self._listener = socket.create_server((HOST, port), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.target = f"{HOST}:{self.port}"
        self._peers: list[Peer] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._threads.append(threading.Thread(target=self._serve, args=(sock,), daemon=True))
            self._threads[-1].start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            peer = Peer(sock if self._wrap is None else self._wrap(sock))
            self._peers.append(peer)
            self._script(peer)
        except OSError:  # the client has gone, or the test is over
            pass
        except BaseException as error:
            self.failures.append(error)
        finally:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def stop(self) -> None:
        """Ends all that runs. Raises what a script has raised."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self._peers:
            with contextlib.suppress(OSError):
                peer.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
        for peer in self._peers:
            peer.close()
        if self.failures:
            raise self.failures[0]


@contextlib.contextmanager
def scripted(script: Script, port: int = 0) -> Iterator[ScriptedServer]:
    """Runs a server while a test does."""
    server = ScriptedServer(script, port)
    try:
        yield server
    finally:
        server.stop()


def head(*lines: str, status: str = "200 OK") -> bytes:
    """Gives the bytes of an answer's head."""
    return "\r\n".join((f"HTTP/1.1 {status}", *lines, "", "")).encode("latin-1")


def whole(body: bytes, *lines: str, status: str = "200 OK", content_type: str = TYPE) -> bytes:
    """Gives the bytes of an answer with its length."""
    return head(content_type, f"content-length: {len(body)}", *lines, status=status) + body


def chunked(*pieces: bytes, lines: Iterable[str] = ()) -> bytes:
    """Gives the bytes of an answer in chunks."""
    chunks = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in (*pieces, b""))
    return head(TYPE, "transfer-encoding: chunked", *lines) + chunks


def good(*messages: bytes) -> bytes:
    """Gives the bytes of an answer with these messages and OK."""
    return whole(b"".join(map(encode_frame, messages)) + OK)


def answering(*answers: bytes) -> Script:
    """Gives a script: each connection gets these answers, one for each request, and the last for all further ones."""

    def script(peer: Peer) -> None:
        number = 0
        while peer.request() is not None:
            peer.send(answers[min(number, len(answers) - 1)])
            number += 1

    return script


class Gate:
    """A script that sends one message at once, and the rest when the test opens it. It notices when the client goes."""

    def __init__(self) -> None:
        self.is_asked = threading.Event()
        self.is_open = threading.Event()
        self.saw_end = threading.Event()

    def __call__(self, peer: Peer) -> None:
        while peer.request() is not None:
            peer.send(head(TYPE, "transfer-encoding: chunked", "first: 1"))
            peer.send_chunk(encode_frame(b"one"))
            self.is_asked.set()
            threading.Thread(target=self._watch, args=(peer,), daemon=True).start()
            self.is_open.wait(PATIENCE_SECONDS)
            if self.saw_end.is_set():
                return
            peer.send_chunk(encode_trailers(0, "", [("last", "2")]))
            peer.send_chunk(b"")

    def _watch(self, peer: Peer) -> None:
        with contextlib.suppress(OSError):
            if peer.socket.recv(1, socket.MSG_PEEK) == b"" and not self.is_open.is_set():
                self.saw_end.set()
                self.is_open.set()
