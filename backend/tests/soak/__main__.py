"""`python -m tests.soak`: runs the parts that the command line names. See the docstring of the package."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import resource
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

PARTS = ["load", "restarts", "slow"]
FILES = 8192


def main() -> int:
    """Gives the exit code: 1 if a part has failed."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "scripts"))  # as pytest does
    from tests import soak
    from tests.soak.options import parse
    from tests.soak.report import RESULTS, Report, write

    options, parts = parse(sys.argv[1:], PARTS, soak.__doc__ or "")
    end_at_sigterm()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES if most == resource.RLIM_INFINITY else min(FILES, most), most))
    reports: list[Report] = []
    for name in parts:
        print(f"== {name}", flush=True)
        began = time.monotonic()
        report = importlib.import_module(f"tests.soak.{name}").part(options, run_loop)
        report.figures["seconds in all"] = round(time.monotonic() - began)
        reports.append(report)
        print("\n".join(report.lines()), flush=True)
    write(reports)
    print(f"Figures are in {RESULTS}")
    failed = [report.part for report in reports if not report.passed]
    print(f"FAILED: {', '.join(failed)}" if failed else "All passed")
    return 1 if failed else 0


def run_loop(part: Coroutine[Any, Any, Any]) -> Any:
    """Runs a part on the fastest event loop there is. SIGTERM ends it as Ctrl-C does: so that all servers are ended."""
    run = asyncio.run
    with contextlib.suppress(ImportError):
        import uvloop

        run = uvloop.run

    async def until_told_to_end() -> Any:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await part

    try:
        return run(until_told_to_end())
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)
    finally:
        end_at_sigterm()  # the loop has put it back


def end_at_sigterm() -> None:
    """Has SIGTERM end this program by an exception."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


if __name__ == "__main__":
    sys.exit(main())
