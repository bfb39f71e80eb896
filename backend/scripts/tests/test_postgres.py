"""`make test-postgres`: which server is used, and that nothing of one that it starts is left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

import postgres

SCRIPT = Path(postgres.__file__)
PRINT_URL = [sys.executable, "-c", "import os; print(os.environ['DATABASE_URL'])"]


def test_a_server_that_is_named_is_used():
    done = subprocess.run(
        [sys.executable, SCRIPT, *PRINT_URL],
        env=os.environ | {"DATABASE_URL": "postgresql://named/db"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "postgresql://named/db"


def test_without_a_server_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr(postgres, "programs", lambda: None)
    monkeypatch.setattr(sys, "argv", ["postgres.py", "true"])
    with pytest.raises(SystemExit, match="apt-get install postgresql"):
        postgres.main()


@pytest.mark.parametrize("is_root", [True, False])
def test_the_package_is_installed_without_a_database_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_root: bool
):
    clusters, there = tmp_path / "createcluster.conf", []
    commands: list[str] = []

    def run(*command: str) -> None:
        commands.append(f"{command[1]} {command[-1]}")
        if command[-1] == "postgresql-common":
            clusters.write_text("ssl = on")
        if command[-1] == "postgresql":
            assert "\ncreate_main_cluster = false\n" in clusters.read_text()
            there.append(tmp_path)

    monkeypatch.setattr(postgres, "CLUSTERS", clusters)
    monkeypatch.setattr(postgres, "programs", lambda: there[-1] if there else None)
    monkeypatch.setattr(postgres, "run", run)
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    monkeypatch.setattr("os.geteuid", lambda: 0 if is_root else 1000)
    monkeypatch.setattr(sys, "argv", ["postgres.py", "--install"])
    assert postgres.main() == (0 if is_root else 1)
    assert commands == (["update -q", "install postgresql-common", "install postgresql"] if is_root else [])
    before = len(commands)
    assert postgres.main() == (0 if is_root else 1)
    assert len(commands) == before


@pytest.mark.skipif(postgres.programs() is None, reason="no PostgreSQL is installed")
def test_a_server_that_is_started_is_gone_afterwards():
    bin_dir = postgres.programs()
    assert bin_dir is not None
    with postgres.running(bin_dir) as url, psycopg.connect(url) as connection:
        shown = connection.execute("SHOW data_directory").fetchone()
        assert shown is not None
    assert not Path(shown[0]).parent.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_the_exit_code_is_the_commands():
    assert postgres.run_with("postgresql://named/db", [sys.executable, "-c", "raise SystemExit(7)"]) == 7
