"""What streams cost that are open and have nothing to say: memory each, and CPU time while nothing happens."""

from __future__ import annotations

import time

from bench import machine
from bench.cells import Idle
from bench.client import call, open_streams
from bench.handlers import ASYNC_SERVICE
from bench.servers import Launcher, ServerError
from bench.tables import start, stream_request
from bench.wire import WrongAnswerError

SETTLE_SECONDS = 0.5
IDLE_SECONDS = 2.0
WARM_UP_STREAMS = 20
SPARE_FILES = 200

ROWS = (("uvicorn", "floor"), ("uvicorn", "ours"), ("uvicorn", "sonora"), ("uvicorn", "connect"),
        ("gunicorn-asgi", "floor"), ("gunicorn-asgi", "ours"), ("envoy+aio", "native"))  # fmt: skip


def measure(launcher: Launcher, streams: int) -> list[Idle]:
    """Gives the cost of so many streams of every server."""
    found = []
    for kind, name in ROWS:
        try:
            found.append(one(launcher, kind, name, streams))
        except (ServerError, WrongAnswerError, OSError) as error:
            print(f"left out: {name} on {kind}: {error}")
    return found


def one(launcher: Launcher, kind: str, name: str, streams: int) -> Idle:
    """Starts a server, opens streams, and looks at what it has become. Fewer where not as many files may be open."""
    streams = min(streams, machine.allow_open_files() - SPARE_FILES)
    with launcher.group() as group:
        running = start(group, kind, name)
        # The first streams of all make what the others share.
        call(running.port, stream_request(running, ASYNC_SERVICE, 1, numbered=name != "floor"))
        hold = stream_request(running, ASYNC_SERVICE, 1, "Hold")
        for stream in open_streams(running.port, hold, WARM_UP_STREAMS):
            stream.close()
        time.sleep(SETTLE_SECONDS)
        before = running.resident_bytes()
        start_time = time.monotonic()
        held = open_streams(running.port, hold, streams)
        opened_per_second = streams / (time.monotonic() - start_time)
        time.sleep(SETTLE_SECONDS)
        grown = running.resident_bytes() - before
        spent = running.cpu_seconds()
        time.sleep(IDLE_SECONDS)
        spent = running.cpu_seconds() - spent
        for stream in held:
            stream.close()
    return Idle(kind, name, streams, grown / streams, spent / IDLE_SECONDS, opened_per_second)
