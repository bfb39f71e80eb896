"""What holds for all tests of the bridge.

Property tests run with the same examples every time under CI, and with new ones on a developer's machine.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from grpc_bridge import lifecycle

settings.register_profile("search", max_examples=100, deadline=None)
settings.register_profile("repeat", max_examples=100, deadline=None, derandomize=True, database=None)
settings.load_profile("repeat" if os.environ.get("CI") else "search")


@pytest.fixture(autouse=True)
def no_connection_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test with a database leaves its connection open in this thread. Calls of the next must not look at it."""
    monkeypatch.setattr(lifecycle.this_thread.state, "has_connections", False, raising=False)
