"""Threads for `def` handlers: so many run at a time, so many wait, and what comes then is turned away.

Nothing here knows what runs.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from queue import SimpleQueue

from grpc_bridge.protocol.status import StatusCode, StatusError

logger = logging.getLogger("grpc_bridge")


class Job:
    """What is to run in a thread."""

    __slots__ = ("_arguments", "_function", "_threads")

    def __init__(self, threads: SyncThreads, function: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self._threads = threads
        self._function = function
        self._arguments = arguments

    def run(self) -> None:
        """Runs it in this thread."""
        try:
            self._function(*self._arguments)
        except BaseException:  # whoever waits for a result has to carry errors as well
            logger.exception("%r failed in a thread", self._function)

    def cancel(self) -> None:
        """Gives up its place among those that wait. What runs already goes on."""
        self._threads.forget(self)


class SyncThreads:
    """A pool of at most `max_threads` threads, for which `max_waiting` jobs may wait.

    Not a `ThreadPoolExecutor`: its queue has no end and keeps what is cancelled. As there, the interpreter waits at its
    end for the jobs that run and that wait.
    """

    def __init__(self, max_threads: int, max_waiting: int) -> None:
        self._max_threads = max_threads
        self._max_waiting = max_waiting
        self._lock = threading.Lock()
        self._waiting: OrderedDict[Job, None] = OrderedDict()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._waking = 0
        self._wakes: SimpleQueue[bool] = SimpleQueue()
        atexit.register(self.close)

    def submit(self, function: Callable[..., object], *arguments: object) -> Job:
        """Has a thread call `function`, in the order of submission. It should not raise.

        Raises `StatusError` RESOURCE_EXHAUSTED when all threads are busy and all places of the queue are taken.
        """
        job = Job(self, function, arguments)
        with self._lock:
            has_idle_thread = self._idle > 0
            if has_idle_thread:
                self._idle -= 1
                self._waking += 1
            elif len(self._threads) < self._max_threads:
                self._start_thread()
            elif len(self._waiting) >= self._max_waiting + self._waking:
                raise StatusError(StatusCode.RESOURCE_EXHAUSTED, "Too many calls wait for a thread")
            self._waiting[job] = None
        if has_idle_thread:
            self._wakes.put(True)
        return job

    def _start_thread(self) -> None:
        """With the lock held, so a new thread has to wait for what it is to do."""
        thread = threading.Thread(target=self._work, name=f"grpc_bridge_{len(self._threads)}", daemon=True)
        thread.start()
        self._threads.append(thread)
        self._waking += 1

    def forget(self, job: Job) -> None:
        """Takes a job out of the queue, if it is still there."""
        with self._lock:
            self._waiting.pop(job, None)

    def load(self) -> tuple[int, int]:
        """Gives how many threads are busy and how many jobs wait."""
        with self._lock:
            return len(self._threads) - self._idle, len(self._waiting)

    def close(self) -> None:
        """Waits until all jobs have ended, and ends the threads. Nothing may be submitted any more."""
        for _ in self._threads:
            self._wakes.put(False)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        """In a thread: runs jobs as long as some wait, then waits for more."""
        goes_on = True
        while goes_on:
            job = self._next(waking=1)
            while job is not None:
                job.run()
                job = self._next(waking=0)
            goes_on = self._wakes.get()

    def _next(self, waking: int) -> Job | None:
        """Gives the job that waits longest. Without one the thread is idle. `waking` is 1 for its first."""
        with self._lock:
            self._waking -= waking
            if self._waiting:
                return self._waiting.popitem(last=False)[0]
            self._idle += 1
            return None
