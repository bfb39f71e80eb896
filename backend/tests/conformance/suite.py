"""The suite itself: where it comes from, and how it is built. Alone it only fills Go's caches: `python -m
tests.conformance.suite`, with Python's own library and nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

MODULE = "connectrpc.com/conformance"
VERSION = "v1.0.5"


def fetch() -> Path:
    """Gives the folder of the suite's module in Go's cache.

    Raises `SystemExit` where there is no Go, and where the suite cannot be had.
    """
    if shutil.which("go") is None:
        raise SystemExit("The conformance suite is written in Go, and there is no `go` here: see https://go.dev/dl/")
    described = _go("mod", "download", "-json", f"{MODULE}@{VERSION}")
    return Path(json.loads(described)["Dir"])


def build(module: Path, program: Path) -> None:
    """Makes the suite's program of its module. Raises `SystemExit` where that fails."""
    _go("build", "-C", str(module), "-o", str(program), "./cmd/connectconformance")


def _go(*arguments: str) -> str:
    environment = os.environ | {"GOWORK": "off"}
    ran = subprocess.run(["go", *arguments], check=False, stdout=subprocess.PIPE, text=True, env=environment)
    if ran.returncode:
        raise SystemExit(f"Go could not download or build {MODULE}@{VERSION}.\n{ran.stdout}")
    return ran.stdout


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        build(fetch(), Path(directory, "connectconformance"))
