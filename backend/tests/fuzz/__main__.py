"""`python -m tests.fuzz`: searches for cases that break a rule, for some seconds or some cases."""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import sys
from pathlib import Path

import django

FAILURES = Path("test-results/fuzz")


def main() -> int:
    """Gives the exit code: 1 if a rule was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="cases to run, instead of a search")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to search (30)")
    parser.add_argument("--count", type=int, help="how many cases to run, instead of a time")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="to repeat a search")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    django.setup()
    logging.disable()  # every second case is an error, and says so
    from tests.fuzz.case import Case, load_corpus
    from tests.fuzz.mutate import Mutator
    from tests.fuzz.run import Failure, Fuzzer, Report, search

    report = Report(options.seed)
    try:
        with Fuzzer() as fuzzer:
            if options.files:
                for path in options.files:
                    fuzzer.run(Case.from_json(path.read_text()))
                return 0
            print(f"Fuzzing, seed {options.seed}", flush=True)
            corpus = load_corpus()
            for case in corpus.values():
                fuzzer.run(case)
            search(
                fuzzer,
                Mutator(options.seed, list(corpus.values())),
                report,
                lambda report: (
                    report.seconds >= options.seconds if options.count is None else report.executions >= options.count
                ),
                FAILURES,
            )
    except Failure as failure:
        print(f"{report}\n\n{failure}\n\n{failure.case.to_json()}\nThe case is in {FAILURES}/{failure.case.name}.json")
        return 1
    print(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
