"""gunicorn's configuration: each variable of the environment counts, and one that makes no sense is refused."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

BACKEND = Path(__file__).resolve().parent.parent.parent
CONFIGURATION = BACKEND / "config" / "gunicorn.conf.py"
OURS = ("WEB_", "GUNICORN_", "FORWARDED_", "DJANGO_", "PORT")

Settings = dict[str, str]


def printed(directory: Path, **environment: str) -> Settings:
    """What gunicorn makes of an environment, started in any directory: its settings as it prints them."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", str(CONFIGURATION), "--print-config"],
        cwd=directory,
        env=clean | {"DJANGO_SETTINGS_MODULE": "config.settings.test"} | environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(re.findall(r"^(\w+) += (.*)$", done.stdout, re.MULTILINE))


def chosen(settings: Settings, *names: str) -> list[str]:
    return [settings[name] for name in names]


NUMBERS = (
    "workers", "timeout", "keepalive", "graceful_timeout", "max_requests", "max_requests_jitter",
)  # fmt: skip


def test_nothing_has_to_be_set(tmp_path: Path) -> None:
    settings = printed(tmp_path)
    assert chosen(settings, *NUMBERS) == ["1", "30", "75", "30", "0", "0"]
    assert chosen(settings, "bind", "chdir") == ["['127.0.0.1:8000']", str(BACKEND)]
    assert "AsgiWorker" in settings["worker_class"]
    assert chosen(settings, "wsgi_app", "threads") == ["config.asgi:application", "1"]
    assert chosen(settings, "http_protocols", "http2_cleartext") == ["['h1']", "off"]
    assert chosen(settings, "loglevel", "accesslog", "reload") == ["info", "None", "False"]
    assert settings["forwarded_allow_ips"] == "['127.0.0.1', '::1']"


def test_each_variable_takes_effect(tmp_path: Path) -> None:
    settings = printed(
        tmp_path,
        WEB_CONCURRENCY="3",
        WEB_WORKER="gthread",
        WEB_THREADS="7",
        WEB_BIND="127.0.0.1:9999",
        PORT="8888",
        WEB_H2C="1",
        WEB_TLS_CERT="cert.pem",
        WEB_TLS_KEY="key.pem",
        WEB_TIMEOUT="31",
        WEB_KEEPALIVE="32",
        WEB_GRACEFUL_TIMEOUT="33",
        WEB_MAX_REQUESTS="1000",
        WEB_LOG_LEVEL="warning",
        WEB_ACCESS_LOG="1",
        WEB_RELOAD="1",
        FORWARDED_ALLOW_IPS="10.0.0.1",
        DJANGO_LOG_FORMAT="json",
    )
    assert chosen(settings, *NUMBERS) == ["3", "31", "32", "33", "1000", "100"]
    assert chosen(settings, "bind", "threads") == ["['127.0.0.1:9999']", "7"]
    assert "ThreadWorker" in settings["worker_class"]
    assert settings["wsgi_app"] == "config.wsgi:application"
    assert chosen(settings, "http_protocols", "http2_cleartext") == ["['h2', 'h1']", "both"]
    assert chosen(settings, "certfile", "keyfile") == ["cert.pem", "key.pem"]
    assert chosen(settings, "loglevel", "accesslog", "reload") == ["warning", "-", "True"]
    assert settings["forwarded_allow_ips"] == "['10.0.0.1']"
    assert "JsonLogger" in settings["logger_class"]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any of these variables."""
    for name in os.environ:
        if name.startswith(OURS) and name != "DJANGO_SETTINGS_MODULE":
            monkeypatch.delenv(name)
    return monkeypatch


def test_what_gunicorn_does_not_print(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("WEB_STREAM_GRACE", "5")
    environment.setenv("WEB_MAX_REQUESTS", "1000")
    environment.setenv("WEB_MAX_REQUESTS_JITTER", "3")
    environment.setenv("PORT", "8888")
    found = runpy.run_path(str(CONFIGURATION))
    assert (found["stream_grace"], found["max_requests_jitter"], found["bind"]) == (5, 3, "127.0.0.1:8888")


@pytest.mark.parametrize(("settings", "written"), [("config.settings.prod", True), ("config.settings.local", False)])
def test_production_writes_json(environment: pytest.MonkeyPatch, settings: str, written: bool) -> None:
    environment.setenv("DJANGO_SETTINGS_MODULE", settings)
    assert ("logger_class" in runpy.run_path(str(CONFIGURATION))) == written


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("WEB_WORKER", ["sync", "ASGI"]),
        ("WEB_THREADS", ["0", "-1", "many", "1.5"]),
        ("WEB_CONCURRENCY", ["0", "auto"]),
        ("PORT", ["http"]),
        ("WEB_TIMEOUT", ["-1"]),
        ("WEB_KEEPALIVE", ["long"]),
        ("WEB_GRACEFUL_TIMEOUT", ["0", "1m"]),
        ("WEB_STREAM_GRACE", ["-1"]),
        ("WEB_MAX_REQUESTS", ["1e3"]),
        ("WEB_MAX_REQUESTS_JITTER", ["some"]),
        ("WEB_LOG_LEVEL", ["loud"]),
        ("WEB_H2C", ["yes"]),
        ("WEB_ACCESS_LOG", ["true"]),
        ("WEB_RELOAD", ["on"]),
    ],
)
def test_what_makes_no_sense_is_refused(environment: pytest.MonkeyPatch, name: str, values: list[str]) -> None:
    environment.setenv("WEB_WORKER", "gthread")
    for value in values:
        environment.setenv(name, value)
        with pytest.raises(SystemExit, match=f"^{name} must be .*, not '{value}'$"):
            runpy.run_path(str(CONFIGURATION))


@pytest.mark.parametrize("name", ["WEB_TLS_CERT", "WEB_TLS_KEY"])
def test_half_of_tls_is_refused(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(name, "file.pem")
    with pytest.raises(SystemExit, match="belong together"):
        runpy.run_path(str(CONFIGURATION))
