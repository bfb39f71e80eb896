"""Programs that run together end together."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import project
from machine import Problem

SLEEP = [sys.executable, "-c", "import time; time.sleep(3600)"]


def is_running(pid: int) -> bool:
    """Whether there is such a process, other than one whose end nobody has asked for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_ends_ends_all(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    pid, gate = tmp_path / "pid", tmp_path / "gate"
    work = f"import os, pathlib, time\npathlib.Path({str(pid)!r}).write_text(str(os.getpid()))\ntime.sleep(3600)"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(.01)\nexit(3)"

    def is_ready() -> bool:
        if not (pid.exists() and pid.read_text()):
            return False
        gate.touch()
        return True

    commands = {"one": [sys.executable, "-c", work], "two": [sys.executable, "-c", wait]}
    with pytest.raises(Problem, match=r"^two ended with exit code 3, see above$"):
        project.run_together(commands, dict(os.environ), is_ready, "all is there")
    assert capfd.readouterr().out.count("all is there") == 1
    assert not is_running(int(pid.read_text()))


def test_a_program_that_cannot_be_started_ends_the_others(monkeypatch: pytest.MonkeyPatch):
    stopped = []
    monkeypatch.setattr(project, "stop", lambda process, number: stopped.append(process) or process.kill())
    with pytest.raises(FileNotFoundError):
        project.run_together({"one": SLEEP, "two": ["/no/such/program"]}, dict(os.environ), lambda: True, "")
    assert len(stopped) == 1
    assert stopped[0].wait() < 0
