"""Updates from real servers with several workers, of which some are killed, while another process changes orders."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest

from generated.orders.v1 import orders_pb2 as pb
from tests.contract.grpc_web import MODES, Mode, Reply
from tests.contract.http_client import Connection
from tests.databases import Database
from tests.servers import BACKEND_DIR, KINDS, Server, running_server

WORKERS = 2
STREAMS = 6
PATH = "/orders.v1.OrderService/StreamOrderUpdates"
PROCESS_SECONDS = 50.0
ORDERS = 20
BEFORE_EACH_END = 25
"""How many updates a client has seen when the workers end under it."""


class Shop(NamedTuple):
    """A server with several workers, and the sessions of a customer and of somebody of the staff."""

    server: Server
    cookies: dict[str, str]


@contextmanager
def opened_shop(kind: str, directory: Path, database: Database) -> Iterator[Shop]:
    """A shop with a server of its own."""
    with running_server(kind, directory, database=database, workers=WORKERS) as server:
        done = subprocess.run(**other_process(server, "prepare"), check=True, timeout=PROCESS_SECONDS)
        yield Shop(server, json.loads(done.stdout))


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of server."""
    return str(request.param)


@pytest.fixture
def shop(kind: str, tmp_path: Path, migrated: Database) -> Iterator[Shop]:
    """One whose workers stay."""
    with opened_shop(kind, tmp_path, migrated) as shop:
        yield shop


@pytest.fixture(scope="module")
def shop_of_ending_workers(kind: str, tmp_path_factory: pytest.TempPathFactory, migrated: Database) -> Iterator[Shop]:
    """One whose workers the tests end. Some may still be ending when the next test begins."""
    with opened_shop(kind, tmp_path_factory.mktemp("server"), migrated) as shop:
        yield shop


def other_process(server: Server, *words: str) -> dict[str, object]:
    """What starts a process that uses the server's database."""
    return {
        "args": [sys.executable, "-m", "services.orders.tests.other_process", *words],
        "cwd": BACKEND_DIR,
        "env": os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test"} | server.database.environment,
        "stdout": subprocess.PIPE,
    }


@contextmanager
def changing(server: Server) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that changes orders."""
    process = subprocess.Popen(**other_process(server, "change", str(ORDERS)))  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def events(process: subprocess.Popen[bytes]) -> list[tuple[int, int]]:
    """Waits for the end of the changes. Gives order and version of all events there are."""
    output, _ = process.communicate(timeout=PROCESS_SECONDS)
    return [(order, version) for order, version in json.loads(output)]


@contextmanager
def opened(server: Server, mode: Mode, cookie: str, token: str) -> Iterator[Iterator[pb.StreamOrderUpdatesResponse]]:
    """The messages of a stream, as a browser gets them."""
    body = mode.request_body([pb.StreamOrderUpdatesRequest(resume_token=token)])
    with Connection(server, read_seconds=PROCESS_SECONDS) as connection:
        response = connection.request("POST", PATH, [*mode.headers(), ("cookie", cookie)], body)
        yield iter(Reply(response, pb.StreamOrderUpdatesResponse, mode))


def kill_workers(server: Server) -> None:
    """Kills all workers that have not been killed before. gunicorn starts others."""
    for pid in re.findall(r"Booting worker with pid: (\d+)", server.log()):
        if Path(f"/proc/{pid}").exists():
            os.kill(int(pid), signal.SIGKILL)


def reload_workers(server: Server) -> None:
    """Tells gunicorn to replace all workers."""
    os.kill(server.pid, signal.SIGHUP)


def test_streams_of_all_workers_get_all_changes_of_another_process(shop: Shop):
    all_open = threading.Barrier(STREAMS + 1, timeout=PROCESS_SECONDS)

    def follow(number: int) -> list[tuple[int, int]]:
        cookie = shop.cookies["staff" if number % 2 else "customer"]
        with opened(shop.server, MODES[number % 2], cookie, "") as updates:
            next(updates)
            all_open.wait()
            return [(update.order.id, update.order.version) for update in islice(updates, 5 * ORDERS)]

    with ThreadPoolExecutor(STREAMS) as threads:
        follows = [threads.submit(follow, number) for number in range(STREAMS)]
        all_open.wait()
        with changing(shop.server) as process:
            happened = events(process)[-5 * ORDERS :]
        assert [one.result() for one in follows] == [happened] * STREAMS


@pytest.mark.parametrize(
    ("who", "end_workers", "leaves_a_status"), [("customer", kill_workers, False), ("staff", reload_workers, True)]
)
def test_a_client_that_resumes_misses_nothing_when_workers_end(
    shop_of_ending_workers: Shop, who: str, end_workers: Callable[[Server], None], leaves_a_status: bool
):
    server, cookies = shop_of_ending_workers
    seen: list[tuple[int, int]] = []
    breaks = statuses = 0
    token = ""
    while not token:
        with opened(server, MODES[0], cookies[who], "") as updates:
            token = next(updates, pb.StreamOrderUpdatesResponse()).resume_token
    with changing(server) as process:
        while len(seen) < 5 * ORDERS:
            try:
                with opened(server, MODES[0], cookies[who], token) as updates:
                    for update in updates:
                        token = update.resume_token
                        if not update.HasField("order"):
                            continue
                        seen.append((update.order.id, update.order.version))
                        # On a slow machine the changes may be over first. Then the end of the workers is still to come.
                        if len(seen) == 5 * ORDERS and breaks + statuses:
                            break
                        if len(seen) % BEFORE_EACH_END == 0:
                            end_workers(server)
                    else:
                        statuses += 1
            except (OSError, http.client.HTTPException, AssertionError):
                breaks += 1
        happened = events(process)
    assert (statuses > 0, breaks > 0) == (leaves_a_status, not leaves_a_status)
    assert seen == happened[-5 * ORDERS :]
