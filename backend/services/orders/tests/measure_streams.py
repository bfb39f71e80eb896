"""Measures what open streams of order updates cost: memory of the worker for each, delay of an update, work while idle.

    .venv/bin/python -m services.orders.tests.measure_streams [--streams 1000] [--text]

Run in `backend`. It starts gunicorn with one asgi worker, opens the streams over HTTP/1.1 as a browser does, all of
them of one member of the staff, and changes orders from this process. With DATABASE_URL it measures on PostgreSQL.
"""

from __future__ import annotations

import argparse
import base64
import os
import resource
import selectors
import socket
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import django

from services.orders.tests.other_process import cookie_of
from tests.servers import ASGI, Server, running_server

PATH = "/orders.v1.OrderService/StreamOrderUpdates"
EMPTY_FRAME = bytes(5)
WARM_UP = 20
UPDATES = 10
IDLE_SECONDS = 5.0
LONG_SECONDS = 60.0


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--text", action="store_true", help="gRPC-Web text, as the official client's streams")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * options.streams + 1000)), hard))
    with tempfile.TemporaryDirectory() as directory, running_server(ASGI, Path(directory)) as server:
        os.environ |= {"DJANGO_SETTINGS_MODULE": "config.settings.test"} | server.database.environment
        django.setup()
        measure(server, options.streams, options.text)


def measure(server: Server, count: int, is_text: bool) -> None:
    """Opens the streams and prints what they cost."""
    from services.orders import logic  # noqa: PLC0415 - Django has to be set up before
    from services.orders.models import OrderStatus  # noqa: PLC0415
    from services.orders.tests.shop import make_customer, make_staff, place  # noqa: PLC0415

    cookie, customer = cookie_of(make_staff()), make_customer()
    orders = [place(customer) for _ in range(UPDATES)]
    streams = Streams(server, cookie, is_text)
    streams.open(WARM_UP)
    before = memory_of(server.worker_pid)
    opened_at, used = time.monotonic(), cpu_of(server.worker_pid)
    streams.open(count)
    opening, used = time.monotonic() - opened_at, cpu_of(server.worker_pid) - used
    time.sleep(1.0)
    each = (memory_of(server.worker_pid) - before) / count
    print(f"{count} streams opened in {opening:.2f} s, of which the worker computed {used:.2f} s")
    print(f"{each / 1024:.1f} KiB each, threads of the worker: {threads_of(server)}")

    used = cpu_of(server.worker_pid)
    time.sleep(IDLE_SECONDS)
    print(f"idle: {(cpu_of(server.worker_pid) - used) / IDLE_SECONDS:.2%} of a core")

    delays = []
    for order in orders:
        began = time.monotonic()
        logic.move_order(order.pk, OrderStatus.PAID)
        arrivals = [arrival - began for arrival in streams.arrivals()]
        delays.append(arrivals[-1])
        print(f"update: first after {arrivals[0] * 1000:.0f} ms, last after {arrivals[-1] * 1000:.0f} ms")
    print(f"last of all streams: median {statistics.median(delays) * 1000:.0f} ms, most {max(delays) * 1000:.0f} ms")
    print(f"after the updates: {(memory_of(server.worker_pid) - before) / count / 1024:.1f} KiB each")
    streams.close()


class Streams:
    """Open streams, each on a connection of its own."""

    def __init__(self, server: Server, cookie: str, is_text: bool) -> None:
        self._server = server
        content_type = "application/grpc-web-text" if is_text else "application/grpc-web+proto"
        body = base64.b64encode(EMPTY_FRAME) if is_text else EMPTY_FRAME
        lines = [
            f"POST {PATH} HTTP/1.1",
            f"host: {server.host}:{server.port}",
            f"content-type: {content_type}",
            f"accept: {content_type}",
            f"cookie: {cookie}",
            f"content-length: {len(body)}",
            "",
            "",
        ]
        self._request = "\r\n".join(lines).encode() + body
        self._selector = selectors.DefaultSelector()

    def open(self, count: int) -> None:
        """Opens more, and waits until each has its first message."""
        waiting = set()
        for _ in range(count):
            connection = socket.create_connection(self._server.address)
            connection.sendall(self._request)
            self._selector.register(connection, selectors.EVENT_READ)
            waiting.add(connection)
        while waiting:
            for connection in self._ready():
                if not connection.recv(65536).startswith(b"HTTP/1.1 200"):
                    continue  # the rest of an answer that came in two pieces
                waiting.discard(connection)

    def arrivals(self) -> list[float]:
        """Waits until each stream has got something. Gives the times."""
        times: dict[socket.socket, float] = {}
        while len(times) < len(self._selector.get_map()):
            for connection in self._ready():
                if not connection.recv(65536):
                    raise ConnectionError("a stream has ended")
                times.setdefault(connection, time.monotonic())
        return sorted(times.values())

    def _ready(self) -> list[Any]:
        ready = self._selector.select(LONG_SECONDS)
        if not ready:
            raise TimeoutError("nothing comes any more")
        return [key.fileobj for key, _ in ready]

    def close(self) -> None:
        """Closes all."""
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]


def status_of(pid: int) -> dict[str, str]:
    """What Linux tells of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def memory_of(pid: int) -> int:
    """The memory that a process has for itself, in bytes."""
    return int(status_of(pid)["VmRSS"].split()[0]) * 1024


def threads_of(server: Server) -> int:
    """The number of threads of the worker."""
    return int(status_of(server.worker_pid)["Threads"])


def cpu_of(pid: int) -> float:
    """The time that a process has computed, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
