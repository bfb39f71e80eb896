"""Runs the suite against every kind of server and of client and prints what it says: `make conformance`.

What belongs here: which runs there are, and what makes one fail. Needs Go, and the Go module proxy for the first time;
later Go's caches serve.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.conformance import suite
from tests.servers import ASGI, BACKEND_DIR, KINDS, SIGNS_OF_FAULTS, WSGI

HERE = Path(__file__).resolve().parent
LOGS = BACKEND_DIR / "test-results" / "conformance"

HANDLERS = ("def", "async-def")
NATURAL = {ASGI: "async-def", WSGI: "def"}

QUICK = "--quick"

CLIENT = "client"
APIS = ("sync", "aio")
"""The bridge's client, and what it is called by. The suite brings the servers."""

RUNS_AT_A_TIME = 4
"""Each waits for a third of its time, for the deadlines and delays that it tests: on two cores two at a time take half
as long again."""

SERVERS_AT_A_TIME = 1
"""Of each run. More take no less time on a machine of two cores, and the suite waits ten seconds for one to start."""

SUITE_SECONDS = 600.0
"""How long one pass may take. It takes half a minute, and several on a machine that has other things to do."""

NOT_STARTED = "timed out waiting for result from server"
"""What the suite says of a server that did not start within its ten seconds. That is a busy machine, and a server that
does not start at all says why in its log, so the pass is tried again."""

ATTEMPTS = 3

FAULTS = (*SIGNS_OF_FAULTS, "/grpc_bridge/")
"""What no log may hold. The last stands for a traceback through the bridge; gunicorn writes some of its own for clients
that go at an awkward time."""

OUTPUT_CHARACTERS = 8000
"""How much is printed of a run that failed, and of a server's log. A server that does not start fails every case."""

CLOSING_LINES = "Total cases:"
"""How the last lines of the suite begin."""

REFUSED_EARLY = "Server Message Size/HTTPVersion:2/**/request-exceeds-server-limit"
"""Cases that run one after the other, when all others are through. The suite's client has announced the length of the
request, and ends it short of that when the answer comes first. RFC 9113, 8.1.1, calls that an error of the stream; h2,
with which gunicorn speaks HTTP/2, makes it one of the connection, and the calls beside it fail."""

PASSES = (("--skip", REFUSED_EARLY), ("--run", REFUSED_EARLY, "--parallel", "1"))


class Run(NamedTuple):
    """The suite against one kind of server: a worker of gunicorn, and a kind of handlers. Or against `CLIENT` with one
    of its APIs. `features` is the file that tells the suite what it can."""

    features: Path
    worker: str
    handlers: str

    def __str__(self) -> str:
        if self.worker == CLIENT:
            return f"{self.features.stem}, {self.handlers}"
        return f"{self.features.stem} on {self.worker}, handlers {self.handlers}"

    @property
    def mode(self) -> str:
        """What the suite is to test."""
        return "client" if self.worker == CLIENT else "server"

    @property
    def command(self) -> tuple[str, ...]:
        """What the suite starts."""
        if self.worker == CLIENT:
            return sys.executable, "-W", "default", "-m", "tests.conformance.client", self.handlers, str(self.logs)
        return sys.executable, "-m", "tests.conformance.server", self.worker, self.handlers, str(self.logs)

    @property
    def logs(self) -> Path:
        """The folder of the logs."""
        return LOGS / f"{self.features.stem}-{self.worker}-{self.handlers}"


class Outcome(NamedTuple):
    """How a run ended: its closing lines, and all there is to say where it failed."""

    run: Run
    seconds: float
    summary: str
    faults: str


RUNS = [
    Run(features, worker, handlers)
    for features in sorted(HERE.glob("grpc*.yaml"))
    for worker in KINDS
    for handlers in HANDLERS
] + [Run(HERE / "client_grpc_web.yaml", CLIENT, api) for api in APIS]


def main() -> None:
    """Runs all cases, or, in one pass, what options of the suite on the command line pick.

    `QUICK` before them leaves out handlers that a worker has to hand to threads or to a loop that are not its own.
    Raises `SystemExit` where something failed or is missing.
    """
    options = sys.argv[1:]
    runs = RUNS
    if options[:1] == [QUICK]:
        del options[0]
        runs = [run for run in RUNS if run.worker == CLIENT or NATURAL[run.worker] == run.handlers]
    chosen = (tuple(options),) if options else None
    shutil.rmtree(LOGS, ignore_errors=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(RUNS_AT_A_TIME) as pool:
        program, generated = Path(directory, "connectconformance"), Path(directory, "generated")
        module = suite.fetch()
        suite.build(module, program)
        _generate(module / "proto", generated)
        outcomes = list(pool.map(lambda run: _report(_execute(run, chosen, program, generated)), runs))
    failed = [str(outcome.run) for outcome in outcomes if outcome.faults]
    _print(f"conformance: {len(runs)} runs, {len(failed)} failed, {time.monotonic() - started:.0f} s")
    if failed:
        raise SystemExit("failed: " + "; ".join(failed) + f". The logs are in {LOGS}.")


def _generate(protos: Path, out: Path) -> None:
    """Makes Python code of the suite's own protos, in a process of its own: protoc can run in one only once."""
    out.mkdir()
    files = [str(path.relative_to(protos)) for path in protos.rglob("*.proto")]
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"-I{protos}"),
            *(f"--python_out={out}", f"--grpc_python_out={out}", *files),
        ],
        check=True,
    )


def _execute(run: Run, chosen: Sequence[tuple[str, ...]] | None, program: Path, generated: Path) -> Outcome:
    run.logs.mkdir(parents=True)
    passes = chosen or (((),) if run.mode == "client" else PASSES)
    started = time.monotonic()
    summaries, failures = zip(*(_pass(run, program, generated, selection) for selection in passes), strict=True)
    faults = [failure for failure in failures if failure] + _logged_faults(run, any(failures))
    return Outcome(run, time.monotonic() - started, "\n".join(summaries), "\n".join(faults))


def _pass(run: Run, program: Path, generated: Path, selection: tuple[str, ...]) -> tuple[str, str]:
    """Gives the closing lines of the suite, and what it says before them if a case has failed."""
    command = [
        *(str(program), "--mode", run.mode, "--conf", str(run.features), "--max-servers", str(SERVERS_AT_A_TIME)),
        *("--known-failing", f"@{HERE / 'known_failing.txt'}"),
        *(("--known-flaky", f"@{HERE / 'client_known_flaky.txt'}") if run.mode == "client" else ()),
        *selection,
        *("--", *run.command),
    ]
    for _ in range(ATTEMPTS):
        try:
            ran = subprocess.run(
                command,
                check=False,
                cwd=BACKEND_DIR,
                env=os.environ | {"PYTHONPATH": str(generated)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=SUITE_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return "", f"The suite took longer than {SUITE_SECONDS:.0f} s."
        if NOT_STARTED not in ran.stdout:
            break
    before, opening, closing = ran.stdout.rpartition(CLOSING_LINES)
    failure = f"The suite ended with {ran.returncode}.\n{before[:OUTPUT_CHARACTERS]}" if ran.returncode else ""
    return (opening + closing).strip(), failure


def _logged_faults(run: Run, failed: bool) -> list[str]:
    """Gives the ends of the logs in which stands what may not, of all of them if the run has failed."""
    faults = []
    for path in sorted(run.logs.iterdir()):
        log = path.read_text(errors="replace")
        signs = [sign for sign in FAULTS if sign in log]
        if signs or failed:
            faults.append(f"{path.name}, with {signs or 'no sign of a fault'}:\n{log[-OUTPUT_CHARACTERS:]}")
    return faults


def _report(outcome: Outcome) -> Outcome:
    title = f"{outcome.run} ({outcome.seconds:.0f} s)"
    _print("\n".join(filter(None, (title, outcome.faults, outcome.summary))) + "\n")
    return outcome


def _print(text: str) -> None:
    """In one piece: runs end beside each other."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
