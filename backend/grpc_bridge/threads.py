"""Threads for `def` handlers: so many run at a time, so many wait, and what comes then is turned away.

Nothing here knows what runs.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

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
    """A pool of `max_threads` threads for which `max_waiting` jobs may wait.

    A `ThreadPoolExecutor` has the threads, but not the queue: its own has no end, and keeps what is cancelled.
    """

    def __init__(self, max_threads: int, max_waiting: int) -> None:
        self._executor = ThreadPoolExecutor(max_threads, thread_name_prefix="grpc_bridge")
        self._max_threads = max_threads
        self._max_waiting = max_waiting
        self._lock = threading.Lock()
        self._waiting: OrderedDict[Job, None] = OrderedDict()
        self._busy = 0
        self._starting = 0

    def submit(self, function: Callable[..., object], *arguments: object) -> Job:
        """Has a thread call `function`, in the order of submission. It should not raise.

        Raises `StatusError` RESOURCE_EXHAUSTED when all threads are busy and all places of the queue are taken.
        """
        job = Job(self, function, arguments)
        with self._lock:
            has_free_thread = self._busy < self._max_threads
            if has_free_thread:
                self._busy += 1
                self._starting += 1
            elif len(self._waiting) >= self._max_waiting + self._starting:
                raise StatusError(StatusCode.RESOURCE_EXHAUSTED, "Too many calls wait for a thread")
            self._waiting[job] = None
        if has_free_thread:
            try:
                self._executor.submit(self._work)
            except RuntimeError:  # the interpreter ends, or the system has no more threads
                self.forget(job)
                raise
        return job

    def forget(self, job: Job) -> None:
        """Takes a job out of the queue, if it is still there."""
        with self._lock:
            self._waiting.pop(job, None)

    def load(self) -> tuple[int, int]:
        """Gives how many threads are busy and how many jobs wait."""
        with self._lock:
            return self._busy, len(self._waiting)

    def _work(self) -> None:
        """In a thread: runs jobs as long as some wait."""
        starting = 1
        while True:
            with self._lock:
                self._starting -= starting
                starting = 0
                if not self._waiting:
                    self._busy -= 1
                    return
                job, _ = self._waiting.popitem(last=False)
            job.run()
            del job  # or it would live until the next one comes
