"""The accounts that most tests of users need. A module may have ones of its own by the same names."""

from __future__ import annotations

import pytest

from services.users.models import User


@pytest.fixture
def staff() -> User:
    """Somebody who works here."""
    return User.objects.create_user("staff@example.com", name="Staff", is_staff=True)


@pytest.fixture
def ada() -> User:
    """A customer."""
    return User.objects.create_user("ada@example.com", name="Ada Lovelace", age=36, is_customer=True)
