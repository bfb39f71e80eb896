"""DATABASE_URL decides which database is used. Each case is a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

BACKEND = Path(__file__).resolve().parent.parent.parent
SHOW = "import json; from config.settings import local; print(json.dumps(local.DATABASES['default']))"


def database(**environment: str) -> dict[str, Any]:
    """The database that a developer's settings name."""
    clean = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "DJANGO_SQLITE_PATH")}
    done = subprocess.run(
        [sys.executable, "-c", SHOW], cwd=BACKEND, env=clean | environment, capture_output=True, check=True, timeout=50
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_sqlite_without_anything():
    found = database()
    assert (found["ENGINE"], found["NAME"]) == ("django.db.backends.sqlite3", str(BACKEND / "db.sqlite3"))
    assert "journal_mode=WAL" in found["OPTIONS"]["init_command"]
    assert database(DJANGO_SQLITE_PATH="/elsewhere.sqlite3")["NAME"] == "/elsewhere.sqlite3"


def test_postgresql_by_its_address():
    found = database(DATABASE_URL="postgresql://user:p%40ss@db.example.com:5433/shop?sslmode=require")
    assert found["ENGINE"] == "django.db.backends.postgresql"
    assert [found[name] for name in ("USER", "PASSWORD", "HOST", "PORT", "NAME")] == [
        "user", "p@ss", "db.example.com", 5433, "shop",
    ]  # fmt: skip
    assert found["OPTIONS"] == {"sslmode": "require"}
    assert (found["CONN_MAX_AGE"], found["CONN_HEALTH_CHECKS"]) == (60, True)
