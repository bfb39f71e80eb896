"""Fixtures for all tests, and which of them use the database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from asgiref.sync import SyncToAsync
from django.db import connections

from tests.databases import Database, empty_database, migrated_database

USES_DATABASE = frozenset({"db", "django_db_setup", "live_server", "transactional_db", "empty", "migrated"})
"""Fixtures that give a test a database: pytest-django's, and those that servers under test get a copy of."""


@pytest.hookimpl(tryfirst=True)  # before `-m` looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what may notice which database there is.

    Nothing else can reach one: pytest-django refuses it in this process, and a server under test has either a copy of
    one of these, or settings without a database.
    """
    for item in items:
        if item.get_closest_marker("django_db") or USES_DATABASE.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("database")


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database without any table."""
    with empty_database(tmp_path_factory.mktemp("empty")) as database:
        yield database


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database with all migrations, to be copied."""
    with migrated_database(tmp_path_factory.mktemp("database")) as database:
        yield database


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """Ends with the connection of the thread in which async tests use the database: PostgreSQL drops none in use."""
    yield
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()
