"""The applications called as a server would call them, without one: what each adds to a call by itself.

Every application gets the same environ or scope of a browser's request, in one process, in turns. The quickest turn
says what a call costs, because whatever else the machine does can only make one slower.
"""

from __future__ import annotations

import asyncio
import io
import statistics
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from bench import wire
from bench.handlers import ASYNC_SERVICE, DEF_SERVICE

SITE = f"{wire.HOST}:8000"
ROUNDS = 150
CALLS = 100
LOOP_TURN = 50
"""After so many calls the loop gets a turn, because what an application puts off to it is work as well."""

DEADLINE = ("grpc-timeout", "20S")
"""For a row of its own: a handler sees how much time is left, and its call ends when there is none."""

Pairs = Sequence[tuple[str, str]]


class Cost(NamedTuple):
    """What one application costs, in microseconds per call, in each turn."""

    kind: str
    name: str
    turns: Sequence[float]

    @property
    def microseconds(self) -> float:
        """That of the quickest turn."""
        return min(self.turns)

    def times(self, other: Cost) -> float:
        """Gives how many times as much it costs as another: the median of the ratios within each turn."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.turns, other.turns, strict=True))


def _environ(body: bytes, more: Pairs) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": f"/{DEF_SERVICE}/Echo",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "bench",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    for name, value in (*wire.browser_headers(SITE, len(body)), *more):
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return environ


def _scope(body: bytes, more: Pairs) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "scheme": "http",
        "method": "POST",
        "root_path": "",
        "path": f"/{ASYNC_SERVICE}/Echo",
        "raw_path": f"/{ASYNC_SERVICE}/Echo".encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in (*wire.browser_headers(SITE, len(body)), *more)],
        "state": {},
    }


def _fresh(text: str) -> str:
    """Gives a copy: a server makes the texts of each request anew, and whoever looks one up has to compare."""
    return text.encode().decode()


def _fresh_environ(template: dict[str, Any], body: bytes) -> dict[str, Any]:
    environ = {
        _fresh(key) if key.startswith("HTTP_") else key: _fresh(value) if isinstance(value, str) else value
        for key, value in template.items()
    }
    return environ | {"wsgi.input": io.BytesIO(body)}


def _fresh_scope(template: dict[str, Any]) -> dict[str, Any]:
    headers = [(bytes(bytearray(name)), bytes(bytearray(value))) for name, value in template["headers"]]
    return template | {"path": _fresh(template["path"]), "headers": headers}


def _wsgi_caller(application: Any, text: str, more: Pairs) -> Callable[[int], float]:
    body = wire.echo_body(text)
    template = _environ(body, more)

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        assert status.startswith("200"), status

    def timed(calls: int) -> float:
        wire.check_echo(b"".join(application(_fresh_environ(template, body), start_response)), text)
        environs = [_fresh_environ(template, body) for _ in range(calls)]
        start = time.process_time()
        for environ in environs:
            for _ in application(environ, start_response):
                pass
        return time.process_time() - start

    return timed


def _asgi_caller(application: Any, text: str, more: Pairs) -> Callable[[int], Awaitable[float]]:
    body = wire.echo_body(text)
    template = _scope(body, more)
    sent: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: dict[str, Any]) -> None:
        if event["type"] == "http.response.body":
            sent.append(event["body"])

    async def timed(calls: int) -> float:
        sent.clear()
        await application(_fresh_scope(template), receive, send)
        wire.check_echo(b"".join(sent), text)
        scopes = [_fresh_scope(template) for _ in range(calls)]
        start = time.process_time()
        for number, scope in enumerate(scopes):
            await application(scope, receive, send)
            if not number % LOOP_TURN:
                await asyncio.sleep(0)
        return time.process_time() - start

    return timed


def measure(text: str = wire.SMALL, rounds: int = ROUNDS, calls: int = CALLS) -> list[Cost]:
    """Gives the cost of every application."""
    from bench.apps import connect, floor, ours, sonora, yardstick  # noqa: PLC0415 - sets Django up

    modules = {
        "floor": (floor, ()), "yardstick": (yardstick, ()), "ours": (ours, ()), "ours+deadline": (ours, [DEADLINE]),
        "sonora": (sonora, ()), "connect": (connect, ()), "connect+deadline": (connect, [DEADLINE]),
    }  # fmt: skip
    wsgi = {name: _wsgi_caller(module.wsgi, text, more) for name, (module, more) in modules.items()}
    asgi = {name: _asgi_caller(module.asgi, text, more) for name, (module, more) in modules.items()}
    turns: dict[tuple[str, str], list[float]] = defaultdict(list)

    def note(kind: str, name: str, seconds: float) -> None:
        turns[kind, name].append(seconds / calls * 1e6)

    async def one_round_async() -> None:
        for name, timed in asgi.items():
            note("ASGI", name, await timed(calls))

    with asyncio.Runner() as runner:
        for _ in range(rounds):
            for name, timed in wsgi.items():
                note("WSGI", name, timed(calls))
            runner.run(one_round_async())
    return [Cost(kind, name, found) for (kind, name), found in turns.items()]


if __name__ == "__main__":
    for cost in measure():
        print(f"{cost.kind} {cost.name:12} {cost.microseconds:7.2f}")
