"""Envoy before several servers of the site: nobody is sent to one that is not ready, or sees one go."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.envoy_process import running_envoy
from tests.native_server.process import Rungrpc
from tests.servers import HOST

REQUESTS = 100
PAGE = "/page"
UNREADY_ANSWERS = 2


class Replica(ThreadingHTTPServer):
    """A server that says the first times that it is not ready."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Handler)
        self.paths: list[str] = []

    @property
    def address(self) -> str:
        """Where it listens, as HOST:PORT."""
        return f"{HOST}:{self.server_port}"

    @property
    def pages(self) -> int:
        """How many pages were asked for."""
        return self.paths.count(PAGE)


class _Handler(BaseHTTPRequestHandler):
    server: Replica

    def do_GET(self) -> None:
        """Answers."""
        self.server.paths.append(self.path)
        is_ready = self.path != "/readyz" or self.server.paths.count(self.path) > UNREADY_ANSWERS
        self.send_response(200 if is_ready else 503)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextlib.contextmanager
def running_replica() -> Iterator[Replica]:
    """Runs one until the end of the block, where nobody listens any more."""
    with Replica() as replica:
        thread = threading.Thread(target=replica.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield replica
        finally:
            replica.shutdown()
            thread.join()


def test_a_replica_is_called_from_when_it_is_ready_until_it_has_gone(tmp_path: Path, rungrpc: Rungrpc) -> None:
    with running_replica() as stays, contextlib.ExitStack() as going:
        goes = going.enter_context(running_replica())
        with running_envoy(tmp_path, web=stays.address, replica=goes.address, grpc=rungrpc.address) as envoy:
            for replica in (stays, goes):
                assert replica.paths == ["/readyz"] * (UNREADY_ANSWERS + 1)
            envoy.wait_for(lambda: status_of(envoy.in_process) == 200 and all(one.pages for one in (stays, goes)))
            going.close()
            before = stays.pages
            statuses = [status_of(envoy.in_process) for _ in range(REQUESTS)]
            assert statuses == [200] * REQUESTS
            assert stays.pages - before == REQUESTS


def status_of(address: str) -> int:
    """Asks for a page by a connection of its own."""
    with contextlib.closing(http.client.HTTPConnection(address)) as connection:
        connection.request("GET", PAGE)
        return connection.getresponse().status
