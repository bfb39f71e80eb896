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
        (GOOD | {"DJANGO_ALLOWED_HOSTS": "*"}, "DJANGO_ALLOWED_HOSTS must name the hosts"),
        (GOOD | {"DJANGO_ALLOWED_HOSTS": "example.com, *.example.com"}, "DJANGO_ALLOWED_HOSTS must name the hosts"),
        (GOOD | {"DJANGO_DEBUG": "1"}, "DJANGO_DEBUG is for development"),
        (GOOD | {"DJANGO_DEBUG": "true"}, "DJANGO_DEBUG is for development"),
        (GOOD | {"DJANGO_SECRET_KEY": SECRET[:49]}, "DJANGO_SECRET_KEY can be guessed"),
        (GOOD | {"DJANGO_SECRET_KEY": "abcd" * 20}, "DJANGO_SECRET_KEY can be guessed"),
        (GOOD | {"DJANGO_SECRET_KEY": f"django-insecure-{SECRET}"}, "DJANGO_SECRET_KEY can be guessed"),
        (GOOD | {"DJANGO_PROXY_COUNT": "one"}, "DJANGO_PROXY_COUNT must be a number, not 'one'"),
        (GOOD | {"DJANGO_HSTS_SECONDS": "-1"}, "DJANGO_HSTS_SECONDS must be a number, not '-1'"),
        (GOOD | {"DJANGO_LOG_FORMAT": "xml"}, "DJANGO_LOG_FORMAT must be line or json, not 'xml'"),
    ],
)
def test_refuses_to_start(environment: dict[str, str], reason: str):
    done = manage(environment, "check")
    assert done.returncode != 0
    assert reason in done.stderr


def test_starts_with_what_it_asks_for():
    done = manage(GOOD | {"DJANGO_ALLOWED_HOSTS": ".example.com", "DJANGO_DEBUG": "0"}, "check")
    assert done.returncode == 0, done.stderr


def test_passes_all_checks_of_a_deployment():
    """Also those that are informations only: what is silenced stands in the settings with its reason."""
    for folder in local.STATICFILES_DIRS:  # the frontend's, which is not there before it is built
        folder.mkdir(exist_ok=True)
    done = manage(GOOD, "check", "--deploy", "--fail-level", "INFO")
    assert done.returncode == 0, done.stderr
    assert "no issues (2 silenced)" in done.stdout


SHOW = "from django.conf import settings as s; print({names}, sep='\\n')"


def shown(environment: dict[str, str], *names: str) -> list[str]:
    """The values of settings."""
    done = manage(environment, "shell", "-v0", "-c", SHOW.format(names=", ".join(f"s.{name}" for name in names)))
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


def test_https_is_what_browsers_are_told_to_insist_on():
    names = ("SECURE_HSTS_SECONDS", "SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_NAME")
    assert shown(GOOD, *names) == ["31536000", "True", "True", "__Host-csrftoken"]
    assert shown(GOOD | {"DJANGO_HSTS_SECONDS": "3600"}, *names[:1]) == ["3600"]
    assert shown(GOOD | {"DJANGO_HTTPS": "0"}, *names) == ["0", "False", "False", "csrftoken"]


def test_refuses_demo_users():
    done = manage(GOOD, "seed")
    assert done.returncode != 0
    assert "well-known passwords" in done.stderr
