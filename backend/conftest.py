"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from asgiref.sync import SyncToAsync
from django.db import connections


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """Ends with the connection of the thread in which async tests use the database: PostgreSQL drops none in use."""
    yield
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()
