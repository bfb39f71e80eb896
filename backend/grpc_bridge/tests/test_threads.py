"""The pool for `def` handlers: how many run, how many wait, and how one leaves the queue."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import pytest

from grpc_bridge import executors
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.limits import open_calls
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.tests.raw import BODY, Headers, not_django, registry_of, scope, status_of
from grpc_bridge.threads import Job, SyncThreads
from grpc_bridge.transports.asgi import asgi_bridge

WAIT_SECONDS = 20.0
FULL = (StatusCode.RESOURCE_EXHAUSTED, "Too many calls wait for a thread")


class Work:
    """Jobs that run until they are let go, and a record of them."""

    def __init__(self, threads: SyncThreads) -> None:
        self.threads = threads
        self.begun: list[int] = []
        self.most_at_a_time = 0
        self._running = 0
        self._changed = threading.Condition()
        self._go_on = threading.Event()

    def submit(self, number: int) -> Job:
        """Submits the job of this number."""
        return self.threads.submit(self._run, number)

    def _run(self, number: int) -> None:
        with self._changed:
            self.begun.append(number)
            self._running += 1
            self.most_at_a_time = max(self.most_at_a_time, self._running)
            self._changed.notify_all()
        self._go_on.wait(WAIT_SECONDS)
        with self._changed:
            self._running -= 1

    def wait_until_begun(self, count: int) -> None:
        """Waits until so many have begun."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.begun) >= count, WAIT_SECONDS)

    def go_on(self) -> None:
        """Lets all jobs end, also those that come later."""
        self._go_on.set()


@pytest.fixture
def pool() -> Iterator[Work]:
    """Two threads, for which three jobs may wait."""
    work = Work(SyncThreads(2, 3))
    yield work
    work.go_on()
    _wait_until(lambda: work.threads.load() == (0, 0))


def _wait_until(condition: Callable[[], bool]) -> None:
    over = threading.Event()
    for _ in range(int(WAIT_SECONDS * 1000)):
        if condition():
            return
        over.wait(0.001)
    raise AssertionError("it never came true")


def test_so_many_run_and_so_many_wait_and_the_next_is_turned_away(pool: Work) -> None:
    for number in range(5):  # without waiting until a thread has begun: a job it is about to take does not wait
        pool.submit(number)
    for _ in range(2):
        with pytest.raises(StatusError) as caught:
            pool.submit(5)
        assert (caught.value.code, caught.value.message) == FULL
    pool.wait_until_begun(2)
    assert pool.threads.load() == (2, 3)
    pool.go_on()
    pool.wait_until_begun(5)
    assert sorted(pool.begun) == [0, 1, 2, 3, 4]
    assert pool.most_at_a_time == 2
    _wait_until(lambda: pool.threads.load() == (0, 0))


def test_they_run_in_their_order() -> None:
    work = Work(SyncThreads(1, 100))
    for number in range(100):
        work.submit(number)
    work.go_on()
    work.wait_until_begun(100)
    assert work.begun == list(range(100))


def test_a_job_that_is_cancelled_gives_its_place_to_another(pool: Work) -> None:
    jobs = [pool.submit(number) for number in range(5)]
    pool.wait_until_begun(2)
    jobs[3].cancel()
    jobs[3].cancel()  # to do it twice changes nothing
    assert pool.threads.load() == (2, 2)
    pool.submit(5)
    with pytest.raises(StatusError):
        pool.submit(6)
    pool.go_on()
    pool.wait_until_begun(5)
    assert sorted(pool.begun) == [0, 1, 2, 4, 5]


def test_a_job_that_runs_is_not_disturbed_by_being_cancelled(pool: Work) -> None:
    job = pool.submit(0)
    pool.wait_until_begun(1)
    job.cancel()
    assert pool.threads.load() == (1, 0)


def test_any_number_may_come_and_be_cancelled_while_the_threads_are_busy(pool: Work) -> None:
    """Nothing is kept of them."""
    for number in range(2):
        pool.submit(number)
    pool.wait_until_begun(2)
    for number in range(10_000):
        pool.submit(number).cancel()
    assert pool.threads.load() == (2, 0)
    assert pool.threads._wakes.empty()


@pytest.mark.parametrize("error", [KeyError("of the job"), SystemExit(1)], ids=repr)
def test_a_job_that_raises_does_not_take_its_thread_with_it(error: BaseException, caplog: Any) -> None:
    def fail() -> None:
        raise error

    work = Work(SyncThreads(1, 1))
    work.threads.submit(fail)
    work.submit(1)
    work.go_on()
    work.wait_until_begun(1)
    _wait_until(lambda: work.threads.load() == (0, 0))
    (record,) = caplog.records
    assert record.exc_info[1] is error


def test_no_thread_to_be_had_is_an_error_and_no_job_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    work = Work(SyncThreads(1, 1))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError):
            work.submit(0)
    assert work.threads.load() == (0, 0)
    work.submit(1)
    work.wait_until_begun(1)
    work.go_on()
    assert work.begun == [1]


def test_the_end_waits_for_all_jobs(pool: Work) -> None:
    for number in range(5):
        pool.submit(number)
    pool.wait_until_begun(2)
    threading.Timer(0.05, pool.go_on).start()
    pool.threads.close()
    assert sorted(pool.begun) == [0, 1, 2, 3, 4]
    assert not any(thread.is_alive() for thread in pool.threads._threads)


def test_threads_are_used_again_and_no_more_are_made_than_are_needed() -> None:
    work = Work(SyncThreads(8, 1))
    work.go_on()
    for number in range(100):
        work.submit(number)
        _wait_until(lambda: work.threads.load() == (0, 0))
    assert len(work.begun) == 100
    assert len(work.threads._threads) == 1


def test_under_load_no_limit_is_passed_and_nothing_is_lost() -> None:
    threads = SyncThreads(4, 8)
    lock = threading.Lock()
    running, most, done, refused = 0, 0, 0, 0

    def job() -> None:
        nonlocal running, most, done
        with lock:
            running += 1
            most = max(most, running)
        with lock:
            running -= 1
            done += 1

    def submit() -> None:
        nonlocal refused
        for number in range(1000):
            try:
                submitted = threads.submit(job)
                if number % 7 == 0:
                    submitted.cancel()
            except StatusError:
                with lock:
                    refused += 1
            assert threads.load()[1] <= 8 + 4

    submitters = [threading.Thread(target=submit) for _ in range(8)]
    for submitter in submitters:
        submitter.start()
    for submitter in submitters:
        submitter.join()
    _wait_until(lambda: threads.load() == (0, 0))
    assert most <= 4
    assert done > 0
    assert done + refused <= 8000


# Calls over ASGI, where one thread runs handlers and one call may wait.


class Site:
    """The ASGI application with a handler that waits until its call is over or is let go."""

    def __init__(self) -> None:
        self.begun: list[bytes] = []
        self.go_on = threading.Event()
        handlers = registry_of(
            Wait=grpc.unary_unary_rpc_method_handler(self._wait),
            WaitInStream=grpc.unary_stream_rpc_method_handler(self._wait_in_stream),
        )
        self._application = asgi_bridge(not_django, handlers, BridgeSettings())

    def _wait(self, request: bytes, context: Any) -> bytes:
        self.begun.append(request)
        self.go_on.wait(WAIT_SECONDS)
        return request

    def _wait_in_stream(self, request: bytes, context: Any) -> Iterator[bytes]:
        yield self._wait(request, context)

    async def call(self, name: str, headers: Headers = (), leaves: asyncio.Event | None = None) -> tuple[Any, str]:
        """Makes a call and gives its status. Its caller leaves at the event."""
        events = [{"type": "http.request", "body": BODY, "more_body": False}]
        sent: list[bytes] = []

        async def receive() -> Any:
            if events:
                return events.pop()
            await (leaves or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(event: Any) -> None:
            sent.append(event.get("body", b""))

        await self._application(scope(name, headers), receive, send)
        return status_of(b"".join(sent))


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(executors, "_threads", SyncThreads(1, 1))
    site = Site()
    yield site
    site.go_on.set()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():  # noqa: ASYNC110 - it comes true in other threads
            await asyncio.sleep(0.001)


def load() -> tuple[int, int]:
    assert executors._threads is not None
    return executors._threads.load()


@pytest.mark.parametrize("name", ["Wait", "WaitInStream"])
async def test_a_call_beyond_the_queue_is_turned_away_at_once(site: Site, name: str) -> None:
    calls = [asyncio.ensure_future(site.call(name)) for _ in range(2)]
    await _until(lambda: load() == (1, 1) and len(site.begun) == 1)
    assert await site.call(name) == FULL
    site.go_on.set()
    assert await asyncio.gather(*calls) == [(StatusCode.OK, "")] * 2
    await _until(lambda: load() == (0, 0))
    assert len(site.begun) == 2


@pytest.mark.parametrize("name", ["Wait", "WaitInStream"])
@pytest.mark.parametrize("why", ["deadline", "caller", "server"])
async def test_a_call_that_ends_while_it_waits_leaves_the_queue(site: Site, name: str, why: str) -> None:
    running = asyncio.ensure_future(site.call(name))
    await _until(lambda: load() == (1, 0) and len(site.begun) == 1)
    leaves = asyncio.Event()
    waiting = asyncio.ensure_future(site.call(name, [("grpc-timeout", "300m")] if why == "deadline" else (), leaves))
    await _until(lambda: load() == (1, 1))
    if why == "caller":
        leaves.set()
    elif why == "server":
        waiting.cancel()
    await asyncio.wait([waiting])
    assert load() == (1, 0)
    assert sum(open_calls()) == 1
    site.go_on.set()
    assert await running == (StatusCode.OK, "")
    assert len(site.begun) == 1
