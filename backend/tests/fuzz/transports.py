"""Runs a request through the application of either transport, as a server would, and notes all that comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.registry import Registry
from grpc_bridge.transports.asgi import asgi_bridge
from grpc_bridge.transports.wsgi import wsgi_bridge
from tests.fuzz.case import Case, Headers
from tests.fuzz.reference import MAX_MESSAGE_BYTES
from tests.fuzz.servicers import Record, record, register

NOT_FOUND = b"This is the site, not an RPC"
SETTLE_SECONDS = 5.0
"""How long what a request leaves running may take to end by itself."""


@dataclass
class Observation:
    """What a server has seen of the application."""

    transport: str
    status: int | None = None
    headers: Headers = ()
    pieces: list[bytes] = field(default_factory=list)
    trailers: Headers | None = None
    is_ended: bool = False
    passed_on: bool = False
    """Whether the request reached the application behind the bridge."""
    record: Record = field(default_factory=Record)
    problems: list[str] = field(default_factory=list)
    """Offences against the interface of servers and applications."""

    @property
    def body(self) -> bytes:
        """The body of the answer."""
        return b"".join(self.pieces)

    def start(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """The application has sent the head of its answer."""
        if self.status is not None:
            self.problems.append("a second start of the answer")
        self.status, self.headers = status, tuple(headers)

    def write(self, data: bytes) -> None:
        """The application has sent a piece of the body."""
        if self.status is None:
            self.problems.append("a body before the start")
        if self.is_ended:
            self.problems.append("a body after its end")
        self.pieces.append(data)


def _registry() -> Registry:
    registry = Registry()
    register(registry)
    return registry


SETTINGS = BridgeSettings(
    max_receive_message_bytes=MAX_MESSAGE_BYTES, max_send_message_bytes=MAX_MESSAGE_BYTES, sync_threads=4
)


class Asgi:
    """The ASGI application under an ideal server."""

    def __init__(self) -> None:
        self._bridge = asgi_bridge(self._site, _registry(), SETTINGS)
        self._runner = asyncio.Runner()

    def run(self, case: Case) -> Observation:
        """Runs one request to its end. Raises nothing that the application raises."""
        return self._runner.run(self._run(case))

    def close(self) -> None:
        """Ends the event loop."""
        self._runner.close()

    @staticmethod
    async def _site(scope: Any, receive: Any, send: Callable[[Any], Any]) -> None:
        scope["fuzz.seen"].passed_on = True
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": NOT_FOUND})

    async def _run(self, case: Case) -> Observation:
        server = _AsgiServer(case)
        record.set(server.seen.record)
        try:
            await self._bridge(server.scope(), server.receive, server.send)
        except Exception as error:
            if not server.is_lost:
                server.seen.problems.append(f"the application raised {error!r}")
        server.end()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            _, left = await asyncio.wait(left, timeout=SETTLE_SECONDS)
        server.seen.problems.extend(f"left running: {task!r}" for task in left)
        return server.seen


class _AsgiServer:
    """One exchange of the ideal server."""

    def __init__(self, case: Case) -> None:
        self.seen = Observation("asgi")
        self.is_lost = case.lost_after_writes == 0
        self._case = case
        self._chunks = list(case.delivered)
        self._received = 0
        self._writes = 0
        self._has_trailers = False
        self._over = asyncio.Event()

    def scope(self) -> dict[str, Any]:
        case = self._case
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in case.headers]
        if case.announced_length is not None:
            headers.append((b"content-length", str(case.announced_length).encode()))
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "2" if case.has_trailers else "1.1",
            "method": case.http_method,
            "scheme": "http",
            "path": case.path,
            "raw_path": case.path.encode("utf-8", errors="replace"),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 50000),
            "server": ("testserver", 80),
            "extensions": {"http.response.trailers": {}} if case.has_trailers else {},
            "fuzz.seen": self.seen,
        }

    async def receive(self) -> dict[str, Any]:
        if self._received % 2:
            await asyncio.sleep(0)  # sometimes a body is there at once, sometimes it is waited for
        if not self.is_lost and self._received < len(self._chunks):
            self._received += 1
            is_last = self._received == len(self._chunks) and not self._case.breaks_off
            return {"type": "http.request", "body": self._chunks[self._received - 1], "more_body": not is_last}
        if not self.is_lost and not self._case.breaks_off and self._case.lost_after_chunks is None:
            await self._over.wait()
        self.is_lost = True
        return {"type": "http.disconnect"}

    async def send(self, event: dict[str, Any]) -> None:
        if self.is_lost:
            raise OSError("the client has gone")
        if event["type"] == "http.response.start":
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event["headers"]]
            self.seen.start(event["status"], headers)
            self._has_trailers = event.get("trailers", False)
        elif event["type"] == "http.response.trailers":
            self.seen.trailers = tuple((name.decode(), value.decode()) for name, value in event["headers"])
            self.seen.is_ended = True
        else:
            self.seen.write(event.get("body", b""))
            self.seen.is_ended = not event.get("more_body", False) and not self._has_trailers
        self._writes += 1
        if self._writes == self._case.lost_after_writes:
            self.is_lost = True
            self._over.set()
        if self._writes % 3 == 0:
            await asyncio.sleep(0)
        if self.seen.is_ended:
            self._over.set()

    def end(self) -> None:
        self._over.set()


class Wsgi:
    """The WSGI application under an ideal server."""

    def __init__(self) -> None:
        self._bridge = wsgi_bridge(self._site, _registry(), SETTINGS)

    def run(self, case: Case) -> Observation:
        """Runs one request to its end. Raises nothing that the application raises."""
        seen = Observation("wsgi")
        token = record.set(seen.record)
        try:
            self._exchange(case, seen)
        except Exception as error:
            seen.problems.append(f"the application raised {error!r}")
        finally:
            record.reset(token)
        return seen

    def close(self) -> None:
        """Does nothing: the bridge's own loop is a daemon."""

    @staticmethod
    def _site(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["fuzz.seen"].passed_on = True
        start_response("404 Not Found", [])
        return [NOT_FOUND]

    def _exchange(self, case: Case, seen: Observation) -> None:
        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], None]:
            seen.start(int(status[:3]), headers)
            return seen.write

        result = self._bridge(_environ(case, seen), start_response)
        try:
            for piece in result:
                if case.lost_after_writes is not None and len(seen.pieces) >= case.lost_after_writes:
                    return
                seen.write(piece)
            seen.is_ended = True
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()


def _environ(case: Case, seen: Observation) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": case.http_method,
        "PATH_INFO": case.path,
        "QUERY_STRING": "",
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000",
        "wsgi.url_scheme": "http",
        "wsgi.input": _Input(case),
        "fuzz.seen": seen,
    }
    for name, value in case.headers:
        if "_" in name:
            continue  # servers drop these: they would stand for the same with a dash
        key = "CONTENT_TYPE" if name == "content-type" else "HTTP_" + name.upper().replace("-", "_")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    if case.announced_length is None:
        environ["wsgi.input_terminated"] = True
    else:
        environ["CONTENT_LENGTH"] = str(case.announced_length)
    if case.has_trailers:
        environ["gunicorn.http2.send_trailers"] = lambda trailers: setattr(seen, "trailers", tuple(trailers))
    return environ


class _Input:
    """`wsgi.input` of a server that waits for all that it is asked for, but for the end."""

    def __init__(self, case: Case) -> None:
        self._data = b"".join(case.delivered)
        self._is_lost = case.breaks_off and case.lost_after_chunks is not None

    def read(self, size: int = -1) -> bytes:
        size = len(self._data) if size < 0 else size
        if self._is_lost and len(self._data) < size:
            raise ConnectionResetError
        data, self._data = self._data[:size], self._data[size:]
        return data
