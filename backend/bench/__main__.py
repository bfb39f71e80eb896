"""Runs the measurements and prints their tables.

    python -m bench [--only micro,unary,...] [--turns N] [--seconds S]

Writes the tables to test-results/bench.md and the numbers behind them to test-results/bench.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import idle, machine, micro, report, tables
from bench.servers import BACKEND_DIR, Launcher, server_environment

RESULTS = BACKEND_DIR / "test-results"
IDLE_STREAMS, MANY_STREAMS = 1_000, 10_000
GROUPS = 1_000

PARTS = ("micro", "unary", "large", "streams", "idle", "many", "scale", "database")


class Run:
    """The measurements in their order, and what came of them."""

    def __init__(self, launcher: Launcher, turns: int, seconds: float) -> None:
        self._launcher = launcher
        self._turns = turns
        self._seconds = seconds
        self._ratios = report.Ratios()
        self._texts: list[str] = []
        self.results: dict[str, Any] = {}

    def _tell(self, title: str, text: str) -> None:
        self._texts.append(f"## {title}\n\n{text}")
        print(f"\n{self._texts[-1]}", flush=True)

    def micro(self) -> None:
        """Calls without a server."""
        costs = self.results["micro"] = micro.measure()
        self._tell("A call without a server", report.micro_table(costs))
        self._ratios.micro(costs)

    def unary(self) -> None:
        """Small messages."""
        rows = self.results["unary"] = tables.unary(self._launcher, self._turns, self._seconds)
        self._tell(f"Unary calls, 16 bytes, {tables.CONNECTIONS} connections", report.calls_table(rows))
        self._ratios.unary(rows)

    def large(self) -> None:
        """Large messages."""
        rows = self.results["large"] = tables.large(self._launcher, self._turns, self._seconds)
        self._tell(f"Unary calls, 1 MiB, {tables.LARGE_CONNECTIONS} connections", report.calls_table(rows))
        self._ratios.large(rows)

    def streams(self) -> None:
        """Streams of ready messages."""
        rows = self.results["streams"] = tables.streams(self._launcher, self._turns)
        self._tell(f"Streams of 16-byte messages, {tables.STREAMS} at a time", report.streams_table(rows))
        self._ratios.streams(rows)

    def idle(self) -> None:
        """Streams that wait."""
        rows = self.results["idle"] = idle.measure(self._launcher, IDLE_STREAMS)
        self._tell("Streams that wait", report.idle_table(rows))
        self._ratios.idle(rows)

    def many(self) -> None:
        """Many streams that wait, in one worker."""
        row = idle.one(self._launcher, "uvicorn", "ours", MANY_STREAMS)
        self.results["many"] = [row]
        note = "" if row.streams == MANY_STREAMS else f"\n{machine.too_few_files()}\n"
        self._tell("Many streams that wait", report.idle_table([row]) + note)
        self._ratios.many(row, MANY_STREAMS)

    def scale(self) -> None:
        """Few connections and many."""
        found = self.results["scale"] = tables.scale(self._launcher, self._turns, self._seconds)
        self._tell("CPU µs per call by the number of connections", report.scale_table(found))
        self._ratios.scale(found)

    def database(self) -> None:
        """One read from SQLite."""
        rows = self.results["database"] = tables.database(self._launcher, self._turns, self._seconds)
        self._tell("One indexed read from SQLite, under ASGI", report.database_table(rows))
        self._ratios.database(rows)

    def finish(self, seconds: float) -> None:
        """Tells which targets are met, and writes everything to files."""
        targets = self.results["targets"] = self._ratios.targets
        self._tell("Targets", report.targets_table(targets))
        RESULTS.mkdir(exist_ok=True)
        head = f"# Bench\n\n{machine.description()}. {seconds:.0f} s.\n\n"
        (RESULTS / "bench.md").write_text(head + "\n".join(self._texts))
        (RESULTS / "bench.json").write_text(json.dumps(report.data(self.results), indent=1))
        print(f"\n{seconds:.0f} s. The tables are in {RESULTS.relative_to(BACKEND_DIR.parent)}/bench.md")


@contextlib.contextmanager
def database(directory: Path) -> Iterator[None]:
    """Makes a SQLite database with something to read, for all servers."""
    os.environ["DJANGO_SQLITE_PATH"] = str(directory / "bench.sqlite3")
    fill = (
        "from django.contrib.auth.models import Group;"
        f"Group.objects.bulk_create([Group(pk=n, name=f'group-{{n}}') for n in range(1, {GROUPS} + 1)])"
    )
    for command in (["migrate", "--no-input", "--verbosity", "0"], ["shell", "--verbosity", "0", "--command", fill]):
        subprocess.run(  # noqa: S603
            [sys.executable, "manage.py", *command], cwd=BACKEND_DIR, env=server_environment(), check=True
        )
    yield


def main() -> int:
    """Gives the exit code: 0 also where a target is not met, because machines and minutes differ."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help=f"which of {', '.join(PARTS)}")
    parser.add_argument("--turns", type=int, default=3, help="how often each row is measured (default: 3)")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each time (default: 1)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    machine.allow_open_files()
    start = time.monotonic()
    print(machine.description(), flush=True)
    with tempfile.TemporaryDirectory() as directory, database(Path(directory)):
        machine.bind_client()
        with Launcher(Path(directory)) as launcher:
            run = Run(launcher, arguments.turns, arguments.seconds)
            for part in arguments.only.split(","):
                getattr(run, part)()
    run.finish(time.monotonic() - start)
    return 0


if __name__ == "__main__":
    sys.exit(main())
