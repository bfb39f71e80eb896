"""What is measured, table by table. Each function starts the servers of one table, measures them and gives the rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from bench import measure, wire
from bench.client import Request, call
from bench.handlers import ASYNC_SERVICE, DEF_SERVICE
from bench.machine import HOST
from bench.measure import Row
from bench.servers import Launcher, ServerError

SERVICES = {"wsgi": DEF_SERVICE, "asgi": ASYNC_SERVICE}


def echo_request(port: int, service: str, text: str, method: str = "Echo", answer: str | None = None) -> Request:
    """Gives a unary call. `answer` is the text to come back, where it is another."""
    data = wire.http_request(f"/{service}/{method}", f"{HOST}:{port}", wire.echo_body(text))
    return Request(data, partial(wire.check_echo, text=text if answer is None else answer))


def stream_request(port: int, service: str, count: int) -> Request:
    """Gives a call for a stream of so many messages."""
    body = wire.stream_body(wire.SMALL, count)
    data = wire.http_request(f"/{service}/Stream", f"{HOST}:{port}", body)
    return Request(data, partial(wire.check_stream, text=wire.SMALL, count=count))


def json_request(port: int, path: str, text: str, answer: str) -> Request:
    """Gives a request for a view that takes JSON and gives it."""
    body = json.dumps({"message": text}).encode()
    return Request(
        wire.http_request(path, f"{HOST}:{port}", body, "application/json"), partial(_check_json, text=answer)
    )


def _check_json(body: bytes, text: str) -> None:
    if json.loads(body) != {"message": text, "messageCount": 1}:
        raise wire.WrongAnswerError(f"not the echo of {text[:40]!r}: {body[:200]!r}")


def _start_row(launcher: Launcher, name: str, kind: str, application: str, text: str, *, log: bool = False) -> Row:
    """Starts a server for a row of unary calls."""
    interface = "wsgi" if kind in ("gthread", "granian-wsgi", "envoy+sync") else "asgi"
    target = f"bench.apps.{application}:{interface}"
    server = launcher.start(kind, target, {"BENCH_CALL_LOG": "1"} if log else {})
    if application == "django_json":
        path = "/def/echo" if interface == "wsgi" else "/async/echo"
        request = json_request(server.port, path, text, text)
    else:
        request = echo_request(server.port, SERVICES[interface], text)
    call(server.port, request)
    return Row(name, server, request)


UNARY = {
    "gthread": ("floor", "yardstick", "ours", "sonora", "connect", "django_json"),
    "granian-wsgi": ("floor", "yardstick", "ours", "sonora", "connect"),
    "uvicorn": ("floor", "yardstick", "ours", "ours+log", "sonora", "connect", "django_json"),
    "granian-asgi": ("floor", "yardstick", "ours", "sonora", "connect"),
    "gunicorn-asgi": ("floor", "yardstick", "ours", "sonora", "connect"),
}


@contextmanager
def unary_rows(launcher: Launcher, text: str, servers: dict[str, tuple[str, ...]]) -> Iterator[list[Row]]:
    """Starts one server for each row: `name` is `server/application`."""
    with launcher.group() as group:
        rows = [
            _start_row(group, f"{kind}/{name}", kind, name.removesuffix("+log"), text, log=name.endswith("+log"))
            for kind, names in servers.items()
            for name in names
        ]
        for kind in ("envoy+sync", "envoy+aio"):
            try:
                rows.append(_start_row(group, f"{kind}", kind, "native", text))
            except ServerError as error:
                print(f"left out: {kind}: {error}")
        yield rows


def unary(launcher: Launcher, turns: int, seconds: float) -> list[Row]:
    """Small messages on sixteen connections."""
    with unary_rows(launcher, wire.SMALL, UNARY) as rows:
        measure.in_turns(rows, turns, lambda row: measure.calls(row, 16, seconds))
        return rows
