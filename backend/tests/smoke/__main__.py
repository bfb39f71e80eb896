"""`python -m tests.smoke`: the command line, and a line for each check. `--help` tells what to give it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import grpc

from tests.smoke import checks, live
from tests.smoke.site import MODES, Server, Skipped

IN_PROCESS, ENVOY, OWN_PORT = "in-process", "through Envoy", "own port"

Check = tuple[str, str, Callable[[], str]]
"""What, on which path, and the check itself."""


def all_checks(site: Server, envoy: Server | None, native: str | None) -> Iterator[Check]:
    """Gives what there is to check, in the order in which a fault is best understood."""
    paths = {IN_PROCESS: site} if envoy is None else {IN_PROCESS: site, ENVOY: envoy}
    for path, server in paths.items():
        yield "health", path, partial(checks.health, server)
        yield "page", path, partial(checks.page, server)
        for mode in MODES:
            for check in (checks.unary, checks.status, checks.stream):
                yield f"{check.__name__}, gRPC-Web {mode.name}", path, partial(check, server, mode)
        if checks.speaks_http2(server):
            yield from _native_checks(path, partial(checks.native_channel, server))
        else:
            yield "native gRPC", path, checks.no_native
    if native is not None:
        yield from _native_checks(OWN_PORT, partial(grpc.insecure_channel, native))
    yield "live updates", " and ".join(paths), partial(live.updates, paths)


def _native_checks(path: str, connect: Callable[[], grpc.Channel]) -> Iterator[Check]:
    def run(check: Callable[[grpc.Channel], str]) -> str:
        with connect() as channel:
            return check(channel)

    for name, check in (
        ("unary", checks.native_unary),
        ("stream", checks.native_stream),
        ("bidi", checks.native_bidi),
    ):
        yield f"{name}, native gRPC", path, partial(run, check)


def run(check: Check) -> bool:
    """Runs a check and prints its line. Gives whether it may pass."""
    what, path, function = check
    start = time.monotonic()
    passed = True
    try:
        word, said = "ok", function()
    except Skipped as skipped:
        word, said = "skip", str(skipped)
    except grpc.RpcError as error:
        word, said, passed = "FAIL", f"{error.code().name}: {error.details()}", False
    except AssertionError as error:
        word, said, passed = "FAIL", str(error), False
    except Exception as error:  # whatever it is, the other checks tell more about it
        word, said, passed = "FAIL", f"{type(error).__name__}: {error}", False
    milliseconds = (time.monotonic() - start) * 1000
    print(f"{word:<5} {what:<24} {path:<28} {milliseconds:5.0f} ms  {said}", flush=True)
    return passed


def main(arguments: list[str] | None = None) -> int:
    """Runs all checks. Gives the exit code: 1 if one has failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.smoke", description="Checks a running site.")
    parser.add_argument("site", type=Server.at, help="such as http://127.0.0.1:8000")
    parser.add_argument("--envoy", type=Server.at, metavar="URL", help="the same site through Envoy")
    parser.add_argument("--grpc", metavar="HOST:PORT", help="its native gRPC server")
    given = parser.parse_args(arguments)
    results = [run(check) for check in all_checks(given.site, given.envoy, given.grpc)]
    failed = results.count(False)
    print(f"{len(results)} checks, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
