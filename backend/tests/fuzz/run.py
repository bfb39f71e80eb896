"""Runs cases, each within its limits, and watches what stays behind."""

from __future__ import annotations

import gc
import queue
import sys
import threading
import time
import traceback
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import core, rules
from tests.fuzz.case import Case
from tests.fuzz.mutate import Mutator
from tests.fuzz.transports import Asgi, Wsgi

CASE_SECONDS = 20.0
"""How long one case may take. What takes longer hangs."""

CASE_BYTES = 8 * 1024 * 1024
"""How much memory one case may take at most, for all runs of it, above what was there before."""

GROWTH_BYTES = 1024 * 1024
WARM_UP_CASES = 300
"""How much memory may be held more at the end than after so many cases: caches have been filled by then."""


class Failure(Exception):  # noqa: N818 - it is a finding, and the search did well
    """A case that breaks a rule."""

    def __init__(self, case: Case, offences: list[str]) -> None:
        super().__init__("\n".join(offences))
        self.case = case
        self.offences = offences


class Fuzzer:
    """Runs cases in a thread of its own, so that one that hangs can be named."""

    def __init__(self) -> None:
        self._cases: queue.SimpleQueue[Case | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="fuzz", daemon=True)
        self._thread.start()

    def __enter__(self) -> Fuzzer:
        return self

    def __exit__(self, *_: object) -> None:
        self._cases.put(None)
        self._thread.join(CASE_SECONDS)

    def run(self, case: Case, seconds: float = CASE_SECONDS) -> None:
        """Runs one case. Raises `Failure`."""
        self._cases.put(case)
        try:
            offences = self._results.get(timeout=seconds)
        except queue.Empty:
            raise Failure(case, [f"no end after {seconds} seconds", *_stacks()]) from None
        if offences:
            raise Failure(case, offences)

    def _work(self) -> None:
        asgi, wsgi = Asgi(), Wsgi()
        try:
            while (case := self._cases.get()) is not None:
                self._results.put(_offences(case, asgi, wsgi))
        finally:
            asgi.close()


def _offences(case: Case, asgi: Asgi, wsgi: Wsgi) -> list[str]:
    try:
        by_asgi, by_wsgi = asgi.run(case), wsgi.run(case)
        found = [f"core: {offence}" for offence in core.offences(case)]
        for seen in (by_asgi, by_wsgi):
            found.extend(f"{seen.transport}: {offence}" for offence in rules.offences(case, seen))
        found.extend(rules.differences(case, by_asgi, by_wsgi))
    except Exception:
        return [traceback.format_exc()]
    return found


def _stacks() -> list[str]:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return [
        f"{names.get(ident)}:\n{''.join(traceback.format_stack(frame))}"
        for ident, frame in sys._current_frames().items()
        if ident != threading.get_ident()
    ]


@dataclass
class Report:
    """What a search has come to."""

    seed: int
    executions: int = 0
    seconds: float = 0.0
    peak_bytes: int = 0
    """The most memory that one case took."""
    growth_bytes: int = 0
    """How much more is held at the end than after the warm-up."""

    def __str__(self) -> str:
        rate = self.executions / (self.seconds or 1)
        return (
            f"{self.executions} executions in {self.seconds:.1f} s ({rate:.0f} per second), seed {self.seed},"
            f" peak of a case {self.peak_bytes / 1024:.0f} KiB, growth {self.growth_bytes / 1024:.0f} KiB"
        )


def search(
    fuzzer: Fuzzer, mutator: Mutator, report: Report, is_over: Callable[[Report], bool], failures: Path | None = None
) -> None:
    """Runs new cases until `is_over`. Raises `Failure`; its case is then in the folder `failures`."""
    begun, held = time.monotonic(), None
    tracemalloc.start(1)
    try:
        while not is_over(report):
            case = mutator.next()
            _run(fuzzer, case, report, failures)
            report.executions += 1
            report.seconds = time.monotonic() - begun
            if report.executions == WARM_UP_CASES:
                held = _held_bytes()
        if held is not None:
            report.growth_bytes = _held_bytes() - held
    finally:
        tracemalloc.stop()
    if report.growth_bytes > GROWTH_BYTES:
        raise Failure(case, [f"{report.growth_bytes} bytes more are held than after {WARM_UP_CASES} cases"])


def _run(fuzzer: Fuzzer, case: Case, report: Report, failures: Path | None) -> None:
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    try:
        fuzzer.run(case)
        peak = tracemalloc.get_traced_memory()[1] - before
        report.peak_bytes = max(report.peak_bytes, peak)
        if peak > CASE_BYTES:
            raise Failure(case, [f"{peak} bytes for one case"])
    except Failure:
        if failures is not None:
            failures.mkdir(parents=True, exist_ok=True)
            (failures / f"{case.name}.json").write_text(case.to_json())
        raise


def _held_bytes() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
