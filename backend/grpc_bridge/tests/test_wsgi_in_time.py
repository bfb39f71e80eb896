"""A unary call of a `def` handler with a deadline, under WSGI: what else than its handler can end it, and how."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from django.contrib.auth import get_user_model
from django.core.signals import request_finished
from django.db import connection

from grpc_bridge import executors
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.limits import all_calls, open_calls
from grpc_bridge.protocol.frames import encode_frame
from grpc_bridge.protocol.status import StatusCode
from grpc_bridge.protocol.trailers import encode_trailers
from grpc_bridge.tests.one_piece import somebody_listens
from grpc_bridge.tests.raw import BODY, environ, registry_of, status_of
from grpc_bridge.threads import SyncThreads
from grpc_bridge.transports import wsgi_in_time
from grpc_bridge.transports.wsgi import wsgi_bridge

PATIENCE_SECONDS = 10.0
EXPIRED = (StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
STOPPED = (StatusCode.UNAVAILABLE, "The server is shutting down")


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[SyncThreads]:
    """A pool with one thread, in which one more may wait."""
    threads = SyncThreads(1, 1)
    monkeypatch.setattr(executors, "_threads", threads)
    yield threads
    threads.close()


class Site:
    """A bridge with a method whose handler waits until it may answer."""

    def __init__(
        self, error: BaseException | None = None, first: Callable[[grpc.ServicerContext], None] | None = None
    ) -> None:
        self.ran: list[str] = []
        self.runs, self.may_answer = threading.Event(), threading.Event()

        def handle(request: bytes, context: grpc.ServicerContext) -> bytes:
            self.ran.append(threading.current_thread().name)
            self.runs.set()
            if first is not None:
                first(context)
            assert self.may_answer.wait(PATIENCE_SECONDS)
            if error is not None:
                raise error
            return request

        registry = registry_of(Do=grpc.unary_unary_rpc_method_handler(handle))
        self._application = wsgi_bridge(None, registry, BridgeSettings())  # type: ignore[arg-type]

    def ask(self, timeout: str | None, body: Any = BODY) -> bytes:
        """Gives the body of the answer."""
        request = environ("Do", [] if timeout is None else [("grpc-timeout", timeout)], body)
        return b"".join(self._application(request, lambda *start: None))


@pytest.fixture
def server() -> Iterator[ThreadPoolExecutor]:
    """The threads of a server."""
    with ThreadPoolExecutor() as server:
        yield server
    assert open_calls() == (0, 0)


def test_the_handler_runs_in_the_pool(threads: SyncThreads, server: ThreadPoolExecutor) -> None:
    site = Site()
    site.may_answer.set()
    assert server.submit(site.ask, "1M").result() == encode_frame(b"request") + encode_trailers(0)
    assert site.ran == ["grpc_bridge_0"]


def test_a_call_that_waits_for_a_thread_until_its_deadline_never_runs(
    threads: SyncThreads, server: ThreadPoolExecutor
) -> None:
    busy, site = Site(), Site()
    first: Future[bytes] = server.submit(busy.ask, "1M")
    assert busy.runs.wait(PATIENCE_SECONDS)
    assert status_of(site.ask("2m")) == EXPIRED
    assert threads.load() == (1, 0)
    busy.may_answer.set()
    first.result()
    assert site.ran == []


def test_calls_for_which_there_is_no_place_are_refused(threads: SyncThreads, server: ThreadPoolExecutor) -> None:
    busy, site = Site(), Site()
    calls = [server.submit(busy.ask, "1M")]
    assert busy.runs.wait(PATIENCE_SECONDS)
    threads.submit(busy.runs.wait)
    assert status_of(site.ask("1M")) == (StatusCode.RESOURCE_EXHAUSTED, "Too many calls wait for a thread")
    busy.may_answer.set()
    calls[0].result()
    assert site.ran == []


def test_what_else_ends_the_call_is_answered_at_once(threads: SyncThreads, server: ThreadPoolExecutor) -> None:
    site = Site()
    call: Future[bytes] = server.submit(site.ask, "1M")
    assert site.runs.wait(PATIENCE_SECONDS)
    (context,) = all_calls()
    context.terminate(*STOPPED)
    assert status_of(call.result(PATIENCE_SECONDS)) == STOPPED  # although the handler goes on
    site.may_answer.set()


def test_a_call_that_ends_while_its_request_arrives_never_runs(
    threads: SyncThreads, server: ThreadPoolExecutor
) -> None:
    class Body(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            for context in all_calls():
                context.terminate(*STOPPED)
            return super().read(size)

    site = Site()
    assert status_of(site.ask("1M", Body(BODY))) == STOPPED
    assert site.ran == []


@pytest.mark.parametrize("timeout", ["1M", None])
def test_a_handler_that_cancels_itself(threads: SyncThreads, server: ThreadPoolExecutor, timeout: str | None) -> None:
    """As one does by `async_to_sync`. To gunicorn's gthread such an exception would be the end of the worker."""
    site = Site(asyncio.CancelledError())
    site.may_answer.set()
    for _ in range(2):
        assert status_of(site.ask(timeout)) == (StatusCode.CANCELLED, "Cancelled on the server side")
        with somebody_listens():
            assert status_of(site.ask(timeout)) == (StatusCode.CANCELLED, "Cancelled on the server side")


def test_a_receiver_that_fails_fails_the_call(threads: SyncThreads, server: ThreadPoolExecutor) -> None:
    def fail(**_: Any) -> None:
        raise ValueError("swordfish")

    site = Site()
    site.may_answer.set()
    request_finished.connect(fail)
    try:
        code, message = status_of(site.ask("1M"))
    finally:
        request_finished.disconnect(fail)
    assert code is StatusCode.UNKNOWN
    assert "swordfish" not in message


@pytest.mark.django_db(transaction=True)
def test_callbacks_leave_no_connection(threads: SyncThreads, server: ThreadPoolExecutor, settings: Any) -> None:
    """They run in the server's thread."""
    settings.DATABASES["default"]["CONN_MAX_AGE"] = 0

    def ask_in_callback(context: grpc.ServicerContext) -> None:
        assert context.add_callback(get_user_model()._default_manager.exists)

    site = Site(first=ask_in_callback)
    site.may_answer.set()

    def ask() -> tuple[bytes, bool]:
        return site.ask("1M"), connection.connection is None

    assert server.submit(ask).result() == (encode_frame(b"request") + encode_trailers(0), True)


def test_a_thread_that_is_told_to_stop_gives_the_call_up(
    threads: SyncThreads, server: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a signal's handler, where the server serves in its main thread."""

    class Stopped(SimpleQueue[Any]):
        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            raise SystemExit

    busy, site = Site(), Site()
    first: Future[bytes] = server.submit(busy.ask, "1M")
    assert busy.runs.wait(PATIENCE_SECONDS)
    monkeypatch.setattr(wsgi_in_time, "SimpleQueue", Stopped)
    with pytest.raises(SystemExit):
        site.ask("1M")
    assert threads.load() == (1, 0)
    busy.may_answer.set()
    first.result()
    assert site.ran == []


def test_what_no_handler_may_catch_reaches_the_server(threads: SyncThreads, server: ThreadPoolExecutor) -> None:
    site = Site(SystemExit("stop"))
    site.may_answer.set()
    with pytest.raises(SystemExit, match="stop"):
        site.ask("1M")
