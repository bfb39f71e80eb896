"""The id of a request: where it comes from, and which log records have it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import AsyncClient, Client

from pages import views
from pages.request_id import RequestIdFilter

KINDS = [Client, AsyncClient]


class Records(logging.Handler):
    """Keeps the message and the id of what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(RequestIdFilter())
        self.kept: list[tuple[str, str | None]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps it."""
        self.kept.append((record.getMessage(), getattr(record, "request_id", None)))


@pytest.fixture
def records() -> Iterator[Records]:
    """What all loggers write."""
    records = Records()
    logging.getLogger().addHandler(records)
    yield records
    logging.getLogger().removeHandler(records)


async def ask(kind: type, path: str = "/", **headers: str) -> Any:
    """The answer to one request by Django's sync or async client, which does not raise what a view does."""
    response = kind(raise_request_exception=False).get(path, headers=headers)
    return await response if kind is AsyncClient else response


@pytest.mark.parametrize("kind", KINDS)
async def test_each_request_has_one_of_its_own(kind):
    ids = {(await ask(kind))["X-Request-ID"] for _ in range(10)}
    assert len(ids) == 10
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


@pytest.mark.parametrize("kind", KINDS)
async def test_it_is_taken_from_a_proxy_and_from_nobody_else(kind, settings):
    given = "b3f1c2de-0000-4000-8000-1234567890ab"
    assert (await ask(kind, **{"x-request-id": given}))["X-Request-ID"] != given
    settings.TRUSTED_PROXY_COUNT = 1
    assert (await ask(kind, **{"x-request-id": given}))["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "a b", 'a"b', "x" * 101, "ä", "a{b}", "a\tb"])
async def test_one_that_is_not_well_formed_is_replaced(settings, given: str):
    settings.TRUSTED_PROXY_COUNT = 1
    assert re.fullmatch("[0-9a-f]{32}", (await ask(Client, **{"x-request-id": given}))["X-Request-ID"])


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_logged_for_a_request_has_it(kind, records: Records, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> None:
        logging.getLogger("shop").warning("on the way")
        raise ValueError("swordfish")

    monkeypatch.setattr(views, "render", fail)
    response = await ask(kind)
    assert response.status_code == 500
    assert records.kept == [
        ("on the way", response["X-Request-ID"]),
        ("Internal Server Error: /", response["X-Request-ID"]),
    ]
    logging.getLogger("shop").warning("afterwards")
    assert records.kept[-1] == ("afterwards", None)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_django_logs_after_all_middleware_has_it_too(kind, records: Records):
    response = await ask(kind, "/nothing-here")
    assert response.status_code == 404
    assert records.kept == [("Not Found: /nothing-here", response["X-Request-ID"])]
