"""The user account and its manager."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from services.users.models import User

pytestmark = pytest.mark.django_db


def test_a_new_user_is_active_and_has_no_rights():
    user = User.objects.create_user("ada@example.com", "long-enough-password", name="Ada Lovelace")
    assert user.is_active
    assert not user.is_staff
    assert not user.is_superuser
    assert user.created_at is not None
    assert user.check_password("long-enough-password")


def test_without_a_password_nobody_can_sign_in():
    user = User.objects.create_user("ada@example.com")
    assert not user.has_usable_password()
    assert authenticate(username="ada@example.com", password="") is None


def test_a_superuser_may_do_everything():
    user = User.objects.create_superuser("root@example.com", "long-enough-password", name="Root")
    assert user.is_staff
    assert user.has_perm("users.delete_user")


def test_an_empty_address_is_refused():
    with pytest.raises(ValueError, match="needs an e-mail address"):
        User.objects.create_user("")


@pytest.mark.parametrize("typed", ["ada@example.com", "Ada@Example.COM"])
def test_the_case_of_the_address_does_not_matter(typed: str):
    user = User.objects.create_user("ADA@Example.com", "long-enough-password")
    assert user.email == "ada@example.com"
    assert authenticate(username=typed, password="long-enough-password") == user


def test_async_callers_find_the_same_user():
    user = User.objects.create_user("ada@example.com")
    assert async_to_sync(User.objects.aget_by_natural_key)("ADA@example.com") == user


def test_the_database_refuses_a_second_account_in_another_case():
    User.objects.create_user("ada@example.com")
    with pytest.raises(IntegrityError):
        User.objects.bulk_create([User(email="ADA@example.com")])


def test_a_form_is_told_that_the_address_is_taken():
    User.objects.create_user("ada@example.com")
    with pytest.raises(ValidationError) as caught:
        User(email="ADA@example.com", password="x").full_clean()
    assert "This address has an account." in caught.value.messages


@pytest.mark.parametrize(
    ("name", "full", "short"), [("Ada Lovelace", "Ada Lovelace", "Ada"), ("", "ada@example.com", "ada@example.com")]
)
def test_what_a_user_is_called(name: str, full: str, short: str):
    user = User(email="ada@example.com", name=name)
    assert (user.get_full_name(), user.get_short_name(), str(user)) == (full, short, "ada@example.com")
