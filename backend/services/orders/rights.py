"""The right by which somebody follows orders, and who has lost it since: a stream may last longer than a right."""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser


class Follower(NamedTuple):
    """Whose streams they are, and by which right."""

    user_id: int
    is_staff: bool

    @property
    def customer_id(self) -> int | None:
        """Whose orders they are, None for everybody's."""
        return None if self.is_staff else self.user_id


class RightsChangedError(Exception):
    """A stream may not go on as it began: its user is suspended, or staff no more, or only now. For the caller."""

    def __init__(self) -> None:
        super().__init__("The rights of this account have changed: call again.")


def follower_of(user: AbstractBaseUser) -> Follower:
    """Gives the right that a user has now."""
    return Follower(user.pk, bool(getattr(user, "is_staff", False)))


def without_right(followers: Set[Follower]) -> frozenset[Follower]:
    """Gives those who would not be given the same right now, by one query."""
    users = get_user_model()._default_manager.filter(pk__in={user_id for user_id, _ in followers}, is_active=True)
    return frozenset(followers) - {Follower(*row) for row in users.values_list("pk", "is_staff")}
