"""Health, through Django's sync and async handlers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import AsyncClient, Client

from grpc_bridge import readiness
from grpc_bridge.readiness import Probe, Problem, Readiness
from pages import health

KINDS = [Client, AsyncClient]
PATHS = ["/healthz", "/readyz"]


@pytest.fixture(autouse=True)
def probe(monkeypatch: pytest.MonkeyPatch) -> Probe:
    """Nothing is known yet."""
    probe = Probe()
    monkeypatch.setattr(health, "_probe", probe)
    monkeypatch.setattr(health, "_told", None)
    return probe


async def ask(method: str, path: str, kind: type, **headers: str):
    """The answer to one request by Django's sync or async client."""
    response = getattr(kind(), method)(path, headers=headers)
    return await response if kind is AsyncClient else response


@pytest.mark.parametrize("kind", KINDS)
async def test_healthz_answers_any_host_by_plain_http_without_a_database(kind, settings):
    # A test that has not asked for the database cannot reach it.
    settings.SECURE_SSL_REDIRECT = True
    response = await ask("get", "/healthz", kind, host="10.0.0.7")
    assert response.status_code == 200
    assert response.content == b"ok\n"
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response


@pytest.mark.parametrize("kind", KINDS)
async def test_healthz_answers_head_without_a_body(kind):
    response = await ask("head", "/healthz", kind)
    assert response.status_code == 200
    assert response.content == b""
    assert response["Content-Length"] == "3"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["post", "put", "delete", "options"])
async def test_other_methods_are_refused(kind, path: str, method: str):
    response = await ask(method, path, kind)
    assert response.status_code == 405
    assert response["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("kind", KINDS)
async def test_other_paths_keep_the_checks_that_health_leaves_out(kind, settings):
    assert (await ask("get", "/", kind, host="10.0.0.7")).status_code == 400
    settings.SECURE_SSL_REDIRECT = True
    assert (await ask("get", "/", kind)).status_code == 301


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", KINDS)
async def test_readyz_answers_any_host_by_plain_http_where_the_database_is_there(kind, settings):
    settings.SECURE_SSL_REDIRECT = True
    response = await ask("get", "/readyz", kind, host="10.0.0.7")
    assert (response.status_code, response.content) == (200, b"ready\n")
    assert response["Cache-Control"] == "no-store"
    head = await ask("head", "/readyz", kind)
    assert (head.status_code, head.content, head["Content-Length"]) == (200, b"", "6")


@pytest.mark.parametrize("kind", KINDS)
async def test_readyz_says_why_not_and_the_log_says_more_once(kind, caplog: pytest.LogCaptureFixture):
    """A test that has not asked for the database cannot reach it."""
    for _ in range(3):
        response = await ask("get", "/readyz", kind)
        assert response.status_code == 503
        assert response.content == b"not ready: database 'default' cannot be reached\n"
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("pages.health", logging.WARNING)
    assert record.getMessage().startswith(
        "Not ready: database 'default' cannot be reached: Database access not allowed"
    )


@pytest.mark.parametrize("kind", KINDS)
async def test_readyz_follows_what_happens(kind, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    found = iter([Problem("one"), Problem("one"), Problem("two", "because"), None, None])
    monkeypatch.setattr(Readiness, "problem", lambda _: next(found))
    codes = [(await ask("get", "/readyz", kind)).status_code for _ in range(5)]
    assert codes == [503, 503, 503, 200, 200]
    assert caplog.messages == ["Not ready: one", "Not ready: two: because", "Ready"]


@pytest.fixture
def silent_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A database that does not answer before the end of the test. Gives the looks at it."""
    looks: list[str] = []
    end = threading.Event()

    def problem(_: Readiness) -> None:
        looks.append(threading.current_thread().name)
        end.wait(50)

    monkeypatch.setattr(Readiness, "problem", problem)
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.01)
    yield looks
    end.set()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_database_that_does_not_answer_is_asked_once_and_nobody_waits_for_it(kind, silent_database: list[str]):
    for _ in range(5):
        response = await ask("get", "/readyz", kind)
        assert (response.status_code, response.content) == (503, b"not ready: the databases do not answer\n")
    assert silent_database == ["readiness"]
    assert (await ask("get", "/healthz", kind)).status_code == 200


@pytest.mark.django_db
def test_migrations_are_looked_at_until_all_are_applied(monkeypatch: pytest.MonkeyPatch):
    looked = Readiness()
    monkeypatch.setattr(readiness.connections, "close_all", lambda: None)  # the test goes on with them
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("sessions", "0001_initial")
    assert looked.problem() == Problem("1 migrations are not applied")
    recorder.record_applied("sessions", "0001_initial")
    assert looked.problem() is None
    monkeypatch.setattr(readiness, "MigrationExecutor", None)
    assert looked.problem() is None


def test_a_connection_that_cannot_be_closed_is_a_problem(probe: Probe, monkeypatch: pytest.MonkeyPatch):
    def fail() -> None:
        raise OSError("gone")

    monkeypatch.setattr(readiness.connections, "close_all", fail)
    assert probe.look().result(50) == Problem("the databases cannot be asked", "gone")
