"""What is measured, table by table. Each function starts the servers of one table, measures them and gives its rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from bench import measure, wire
from bench.cells import Row
from bench.client import Request, call
from bench.handlers import ASYNC_SERVICE, DEF_SERVICE
from bench.servers import Launcher, Running, ServerError
from bench.wire import HOST

SERVICES = {"wsgi": DEF_SERVICE, "asgi": ASYNC_SERVICE}
WSGI_SERVERS = ("gthread", "granian-wsgi", "envoy+sync")

READ_KEY, READ_NAME = "500", "group-500"
"""What the handlers and views that use the database read."""

CONNECTIONS = 16
LARGE_CONNECTIONS = 4
STREAMS = 50

# The applications are modules of `bench.apps`; "ours+log" is ours with the call log on.
UNARY = {
    "gthread": ("floor", "yardstick", "ours", "sonora", "connect", "django_json"),
    "granian-wsgi": ("floor", "yardstick", "ours", "sonora", "connect"),
    "uvicorn": ("floor", "yardstick", "ours", "ours+log", "sonora", "connect", "django_json"),
    "granian-asgi": ("floor", "yardstick", "ours", "sonora", "connect"),
    "gunicorn-asgi": ("floor", "yardstick", "ours", "sonora", "connect"),
    "envoy+sync": ("native",),
    "envoy+aio": ("native",),
}
LARGE = {
    "granian-wsgi": ("floor", "yardstick", "ours", "sonora", "connect"),
    "uvicorn": ("floor", "yardstick", "ours", "sonora", "connect"),
}
STREAM_MESSAGES = {
    "uvicorn": {"floor": 4000, "ours": 10000, "sonora": 600, "connect": 2500},
    "gthread": {"ours": 2500, "sonora": 2500, "connect": 2500},
    "envoy+sync": {"native": 400},
    "envoy+aio": {"native": 400},
}
"""How many messages each of the streams has: about as many as a server gives in a second."""
SCALE = {"uvicorn": ("floor", "ours"), "gunicorn-asgi": ("floor", "ours")}
SCALE_CONNECTIONS = (1, 10, 100, 1000)


def echo_request(running: Running, kind: str, application: str, text: str) -> Request:
    """Gives a call that echoes a text, in whichever way the application takes it."""
    service = SERVICES[_interface(kind)]
    if application == "django_json":
        return _json_request(running, f"/{_kind_of(kind)}/echo", text, text)
    data = wire.http_request(f"/{service}/Echo", f"{HOST}:{running.port}", wire.echo_body(text))
    return Request(data, partial(wire.check_echo, text=text))


def read_request(running: Running, path: str) -> Request:
    """Gives a call that reads from the database."""
    if not path.endswith("/Read"):
        return _json_request(running, path, READ_KEY, READ_NAME)
    data = wire.http_request(path, f"{HOST}:{running.port}", wire.echo_body(READ_KEY))
    return Request(data, partial(wire.check_echo, text=READ_NAME))


def stream_request(
    running: Running, service: str, count: int, method: str = "Stream", *, numbered: bool = True
) -> Request:
    """Gives a call for a stream of so many messages."""
    body = wire.stream_body(wire.SMALL, count)
    data = wire.http_request(f"/{service}/{method}", f"{HOST}:{running.port}", body)
    return Request(data, partial(wire.check_stream, text=wire.SMALL, count=count, numbered=numbered))


def _json_request(running: Running, path: str, text: str, answer: str) -> Request:
    body = json.dumps({"message": text}).encode()
    data = wire.http_request(path, f"{HOST}:{running.port}", body, "application/json")
    return Request(data, partial(_check_json, text=answer))


def _check_json(body: bytes, text: str) -> None:
    if json.loads(body) != {"message": text, "messageCount": 1}:
        raise wire.WrongAnswerError(f"not {text[:40]!r}: {body[:200]!r}")


def _interface(kind: str) -> str:
    return "wsgi" if kind in WSGI_SERVERS else "asgi"


def _kind_of(kind: str) -> str:
    return "def" if kind in WSGI_SERVERS else "async"


def start(launcher: Launcher, kind: str, application: str) -> Running:
    """Starts a server with an application."""
    module = application.removesuffix("+log")
    environment = {"BENCH_CALL_LOG": "1"} if application.endswith("+log") else {}
    return launcher.start(kind, f"bench.apps.{module}:{_interface(kind)}", environment)


@contextmanager
def _rows(
    launcher: Launcher, servers: Mapping[str, Iterable[str]], request: Callable[[Running, str, str], Request]
) -> Iterator[list[Row]]:
    """Starts a server for each row. A row that cannot be started or answers wrongly is told of and left out."""
    rows: list[Row] = []
    with launcher.group() as group:
        for kind, applications in servers.items():
            for application in applications:
                try:
                    running = start(group, kind, application)
                    asked = request(running, kind, application)
                    call(running.port, asked)
                except (ServerError, wire.WrongAnswerError, OSError) as error:
                    print(f"left out: {application} on {kind}: {error}")
                else:
                    rows.append(Row(kind, application, running, asked))
        yield rows


def unary(launcher: Launcher, turns: int, seconds: float) -> list[Row]:
    """Small messages, on sixteen connections."""
    with _rows(launcher, UNARY, partial(_swapped, wire.SMALL)) as rows:
        measure.in_turns(rows, turns, lambda row: measure.calls(row, CONNECTIONS, seconds))
    return rows


def large(launcher: Launcher, turns: int, seconds: float) -> list[Row]:
    """Messages of a mebibyte, on four connections."""
    with _rows(launcher, LARGE, partial(_swapped, wire.LARGE)) as rows:
        measure.in_turns(rows, turns, lambda row: measure.calls(row, LARGE_CONNECTIONS, seconds))
    return rows


def _swapped(text: str, running: Running, kind: str, application: str) -> Request:
    return echo_request(running, kind, application, text)


def streams(launcher: Launcher, turns: int) -> list[Row]:
    """Streams of small messages that are all ready, fifty at a time."""

    def request(running: Running, kind: str, application: str) -> Request:
        count = STREAM_MESSAGES[kind][application]
        return stream_request(running, SERVICES[_interface(kind)], count, numbered=application != "floor")

    with _rows(launcher, STREAM_MESSAGES, request) as rows:
        measure.in_turns(rows, turns, lambda row: measure.streams(row, STREAMS, STREAM_MESSAGES[row.kind][row.name]))
    return rows


def database(launcher: Launcher, turns: int, seconds: float) -> list[Row]:
    """A handler, or a view, that reads one row by its key from SQLite, on sixteen connections."""
    paths = {
        "ours, def": ("ours", f"/{DEF_SERVICE}/Read"),
        "ours, async def": ("ours", f"/{ASYNC_SERVICE}/Read"),
        "Django, def view": ("django_json", "/def/read"),
        "Django, async def view": ("django_json", "/async/read"),
    }
    with launcher.group() as group:
        rows = []
        for name, (application, path) in paths.items():
            running = start(group, "uvicorn", application)
            request = read_request(running, path)
            call(running.port, request)
            rows.append(Row("uvicorn", name, running, request))
        measure.in_turns(rows, turns, lambda row: measure.calls(row, CONNECTIONS, seconds))
    return rows


def scale(launcher: Launcher, turns: int, seconds: float) -> dict[int, list[Row]]:
    """Small messages, on one connection and on many. The servers are the same for all numbers of connections."""
    found: dict[int, list[Row]] = {}
    with _rows(launcher, SCALE, partial(_swapped, wire.SMALL)) as rows:
        for connections in SCALE_CONNECTIONS:
            found[connections] = [Row(row.kind, row.name, row.server, row.request) for row in rows]
        for _ in range(turns):
            for connections, some in found.items():
                measure.in_turns(some, 1, lambda row, number=connections: measure.calls(row, number, seconds))  # type: ignore[misc]
    return found
