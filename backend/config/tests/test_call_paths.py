"""The two origins of a site with Envoy: named in the environment, and taken over by all settings that have to know."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BACKEND = Path(__file__).resolve().parent.parent.parent

DJANGO, ENVOY = "http://127.0.0.1:8000", "http://127.0.0.1:8080"
BOTH = {"WEB_IN_PROCESS_URL": DJANGO, "WEB_ENVOY_URL": ENVOY}
PROD = {
    "DJANGO_SETTINGS_MODULE": "config.settings.prod",
    "DJANGO_SECRET_KEY": "Zr4yE1d8Jx0sNqW3vB7mK1zR5tY9cL2hF6gP4aQeUiOwTnVbXkCjMf",
    "DJANGO_ALLOWED_HOSTS": "example.com",
    "DJANGO_CSRF_TRUSTED_ORIGINS": "https://forms.example.com",
}

SHOW = """
from django.conf import settings
bridge = settings.GRPC_BRIDGE
print(settings.CSRF_TRUSTED_ORIGINS)
print(bridge["CORS_ALLOWED_ORIGINS"], bridge["CORS_ALLOW_CREDENTIALS"])
print(settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["connect-src"])
"""


def manage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs manage.py with nothing of this project's in the environment but what is given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "WEB_"))}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=BACKEND,
        env=clean | {"DJANGO_SETTINGS_MODULE": "config.settings.local"} | environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def shown(environment: dict[str, str]) -> list[str]:
    """Gives what settings say of origins."""
    return manage(environment, "shell", "--no-imports", "-c", SHOW).stdout.splitlines()


@pytest.mark.parametrize("environment", [{}, {"WEB_ENVOY_URL": ENVOY}, BOTH | {"WEB_IN_PROCESS_URL": ""}])
def test_without_both_no_other_origin_may_do_anything(environment: dict[str, str]):
    assert shown(environment) == ["[]", "[] False", "[\"'self'\"]"]


def test_with_both_each_may_call_the_other():
    assert shown(BOTH) == [
        f"['{DJANGO}', '{ENVOY}']",
        f"['{DJANGO}', '{ENVOY}'] True",
        f"[\"'self'\", '{DJANGO}', '{ENVOY}']",
    ]


def test_in_production_they_come_beside_those_that_are_named():
    assert shown(PROD | BOTH)[0] == f"['{DJANGO}', '{ENVOY}', 'https://forms.example.com']"
    assert shown(PROD)[0] == "['https://forms.example.com']"


def test_what_is_no_origin_is_refused():
    done = manage(BOTH | {"WEB_ENVOY_URL": f"{ENVOY}/"}, "check")
    assert done.returncode != 0
    assert "is no origin" in done.stderr
