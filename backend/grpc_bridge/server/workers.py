"""Several processes on one address: who starts them, and starts another where one has died.

The system shares connections out among all sockets that listen on an address with SO_REUSEPORT (socket(7)). Processes
are forked before anything of grpcio exists, which does not survive a fork. Each ends itself when this one is gone.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from grpc_bridge.server.serving import STOP_SIGNALS, StartError

logger = logging.getLogger("grpc_bridge")

CANNOT_START = 3
"""The exit code of a worker that could not begin. If none ever could, another would fare no better."""

QUICK_DEATH_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.5
MAX_PAUSE_SECONDS = 10.0
"""A worker that dies so soon after its start is replaced after a pause, each time twice as long as the last."""

KILL_SECONDS = 5.0
"""How much longer than its time of grace a worker may take to end."""

Work = Callable[[int, Callable[[], None]], int]
"""What a worker does: serves until the file that it is given is closed, and calls when it has begun. Gives a code."""


class Reserved:
    """Addresses that this process keeps for its workers: it binds them and never listens.

    Raises `StartError` for one that is taken, also by processes that would share it.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        self._sockets: list[socket.socket] = []
        try:
            self.addresses = [self._reserve(address) for address in addresses]
        except BaseException:
            self.close()
            raise

    def _reserve(self, address: str) -> str:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal():
            raise StartError(f"{address} is no HOST:PORT, which several workers need")
        try:
            family, _, _, _, target = socket.getaddrinfo(
                host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            _bound(family, target, shared=False).close()  # so nobody else is there
            reserved = _bound(family, target, shared=True)
        except OSError as error:
            raise StartError(f"cannot listen on {address}: {error}") from error
        self._sockets.append(reserved)
        return f"{host}:{reserved.getsockname()[1]}"

    def close(self) -> None:
        """Gives the addresses up."""
        for reserved in self._sockets:
            reserved.close()


def _bound(family: int, target: object, *, shared: bool) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(target)  # type: ignore[arg-type]
    except BaseException:
        bound.close()
        raise
    return bound


class Workers:
    """So many processes that do `work`. To be used in the main thread, and before there is any other."""

    def __init__(self, count: int, work: Work, stop_seconds: float, announce: Callable[[], None]) -> None:
        self._count = count
        self._work = work
        self._stop_seconds = stop_seconds
        self._announce = announce
        self._started: dict[int, float] = {}
        self._starts = [0.0] * count
        self._pause = FIRST_PAUSE_SECONDS
        self._ready = 0
        self._signals: list[int] = []
        self._kill_at: float | None = None
        self._exit_code = 0

    def run(self) -> int:
        """Keeps the workers running until a signal says to stop. Gives the exit code."""
        with _pipe() as lifeline, _pipe() as news, self._handlers(news[1]):
            while self._started or self._kill_at is None:
                self._start_due(lifeline, news)
                select.select([news[0]], [], [], self._seconds_to_wait())
                self._read_news(news[0])
                self._reap()
                self._stop_if_asked()
        return self._exit_code

    @contextlib.contextmanager
    def _handlers(self, wakeup: int) -> Iterator[None]:
        """A signal is written to the pipe on which this process waits; workers write there, too."""
        signals = (*STOP_SIGNALS, signal.SIGCHLD)
        before = [signal.signal(number, self._note) for number in signals]
        former_wakeup = signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(former_wakeup)
            for number, handler in zip(signals, before, strict=True):
                signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        self._signals.append(number)

    def _start_due(self, lifeline: tuple[int, int], news: tuple[int, int]) -> None:
        now = time.monotonic()
        due = [start for start in self._starts if start <= now]
        self._starts = [start for start in self._starts if start > now]
        for _ in due if self._kill_at is None else ():
            pid = os.fork()
            if not pid:
                self._be_worker(lifeline, news)
            self._started[pid] = now

    def _be_worker(self, lifeline: tuple[int, int], news: tuple[int, int]) -> None:
        """In the child, which never returns from here."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the first one passes it on
            os.close(lifeline[1])  # held by the first process alone, so it is closed with that
            code = self._work(lifeline[0], lambda: _write(news[1], READY))
        except BaseException:
            logger.exception("A worker failed")
        finally:
            with contextlib.suppress(Exception):
                logging.shutdown()
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)  # threads that are stuck must not keep it

    def _seconds_to_wait(self) -> float | None:
        moments = [*self._starts] if self._kill_at is None else [self._kill_at]
        return max(min(moments) - time.monotonic(), 0.0) if moments else None

    def _read_news(self, news: int) -> None:
        with contextlib.suppress(BlockingIOError):
            ready = os.read(news, 4096).count(READY)
            if self._ready < self._count <= self._ready + ready:
                self._announce()
            self._ready += ready

    def _reap(self) -> None:
        while self._started:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            started = self._started.pop(pid, None)
            if started is None or self._kill_at is not None:
                continue
            code = os.waitstatus_to_exitcode(status)
            if code == CANNOT_START and not self._ready:
                self._exit_code = 1
                self._stop()
                continue
            now = time.monotonic()
            died_quickly = now - started < QUICK_DEATH_SECONDS
            pause = self._pause if died_quickly else 0.0
            self._pause = min(self._pause * 2, MAX_PAUSE_SECONDS) if died_quickly else FIRST_PAUSE_SECONDS
            logger.error("Worker %d ended with %d; another starts in %g s", pid, code, pause)
            self._starts.append(now + pause)

    def _stop_if_asked(self) -> None:
        signals, self._signals = self._signals, []
        for _ in set(signals) & set(STOP_SIGNALS):
            self._stop()
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            logger.error("Workers that did not end in time are killed: %s", sorted(self._started))
            self._signal_all(signal.SIGKILL)
            self._kill_at = time.monotonic() + KILL_SECONDS

    def _stop(self) -> None:
        """The first time workers end in their time; any other time they hurry."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._stop_seconds + KILL_SECONDS
        self._signal_all(signal.SIGTERM)

    def _signal_all(self, number: int) -> None:
        for pid in self._started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


READY = 255
"""What a worker writes that has begun. No signal has this number."""


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


def _write(pipe: int, byte: int) -> None:
    os.write(pipe, bytes((byte,)))
