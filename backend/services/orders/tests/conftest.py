"""Fixtures for tests of the shop."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from services.orders import live


@pytest.fixture
def feed_has_ended(transactional_db: None) -> Iterator[None]:
    """The database is emptied after a test, and a feed's last query must not be in the way."""
    yield
    for thread in threading.enumerate():
        if thread.name.startswith(live.THREAD_NAME):
            thread.join()
