"""Production settings start only when they are told what they must know. Each case is a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import local

BACKEND = Path(__file__).resolve().parent.parent.parent
SECRET = "Zr4yE1d8Jx0sNqW3vB7mK1zR5tY9cL2hF6gP4aQeUiOwTnVbXkCjMf"
COMPOSE_DATABASE_URL = re.findall(
    r"DATABASE_URL: .*(postgresql://\S+)", (BACKEND.parent / "docker-compose.yml").read_text()
)[0]
GOOD = {"DJANGO_SECRET_KEY": SECRET, "DJANGO_ALLOWED_HOSTS": "example.com"}


def manage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs manage.py with production settings and nothing of this project's in the environment but what is given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=BACKEND,
        env=clean | {"DJANGO_SETTINGS_MODULE": "config.settings.prod"} | environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({}, "DJANGO_SECRET_KEY must be set"),
        (GOOD | {"DJANGO_SECRET_KEY": " "}, "DJANGO_SECRET_KEY must be set"),
        (GOOD | {"DJANGO_SECRET_KEY": local.SECRET_KEY}, "public development key"),
        (GOOD | {"DATABASE_URL": COMPOSE_DATABASE_URL}, "public password of docker-compose.yml"),
        ({"DJANGO_SECRET_KEY": SECRET}, "DJANGO_ALLOWED_HOSTS must be set"),
        (GOOD | {"DJANGO_ALLOWED_HOSTS": " , "}, "DJANGO_ALLOWED_HOSTS must be set"),
    ],
)
def test_refuses_to_start_half_configured(environment: dict[str, str], reason: str):
    done = manage(environment, "check")
    assert done.returncode != 0
    assert reason in done.stderr


def test_passes_djangos_deployment_checks():
    done = manage(GOOD, "check", "--deploy", "--tag", "security", "--fail-level", "INFO")
    assert done.returncode == 0, done.stderr


def test_refuses_demo_users():
    done = manage(GOOD, "seed")
    assert done.returncode != 0
    assert "well-known passwords" in done.stderr
