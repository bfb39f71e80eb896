"""The rules of API tokens, without protobuf and HTTP."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils import timezone

from services.users import logic
from services.users.models import Token, User

pytestmark = pytest.mark.django_db


def test_a_token_stands_for_its_user(ada: User):
    token, secret = logic.create_token(ada, "script")
    assert logic.user_of_token(secret) == ada
    assert secret.startswith(token.prefix)
    assert len(token.prefix) == 8


def test_the_secret_is_kept_nowhere(ada: User):
    token, secret = logic.create_token(ada, "script")
    stored = Token.objects.values().get(pk=token.pk)
    assert not [value for value in stored.values() if secret in str(value) or secret[8:] in str(value)]
    assert logic.create_token(ada, "script")[1] != secret


def test_a_secret_of_256_bits_is_not_taken_for_an_option(ada: User):
    _, secret = logic.create_token(ada, "script")
    assert re.fullmatch("[0-9a-f]{64}", secret)


@pytest.mark.parametrize(("lifetime_days", "days"), [(0, 30), (1, 1), (365, 365)])
def test_how_long_a_token_is_good_for(ada: User, lifetime_days: int, days: int):
    token, _ = logic.create_token(ada, "script", lifetime_days)
    assert abs(token.expires_at - token.created_at - timedelta(days=days)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("name", "lifetime_days", "fields"),
    [
        ("", 0, ["name"]),
        ("x" * 101, 0, ["name"]),
        ("a\0", 0, ["name"]),
        ("x", -1, ["lifetime_days"]),
        ("x", 366, ["lifetime_days"]),
        ("x", 2**31 - 1, ["lifetime_days"]),
    ],
)
def test_tokens_that_cannot_be(ada: User, name: str, lifetime_days: int, fields: list[str]):
    with pytest.raises(ValidationError) as caught:
        logic.create_token(ada, name, lifetime_days)
    assert list(caught.value.message_dict) == fields


def test_an_expired_token_is_no_good_and_is_cleared_away(ada: User):
    token, secret = logic.create_token(ada, "script")
    Token.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert logic.user_of_token(secret) is None
    assert logic.list_tokens(ada) == []
    logic.create_token(ada, "another")
    assert not Token.objects.filter(pk=token.pk).exists()


def test_a_revoked_token_is_no_good(ada: User):
    token, secret = logic.create_token(ada, "script")
    logic.revoke_token(ada, token.pk)
    assert logic.user_of_token(secret) is None
    with pytest.raises(Token.DoesNotExist):
        logic.revoke_token(ada, token.pk)


def test_nobody_revokes_the_token_of_another(staff: User, ada: User):
    token, secret = logic.create_token(ada, "script")
    with pytest.raises(Token.DoesNotExist):
        logic.revoke_token(staff, token.pk)
    assert logic.user_of_token(secret) == ada


def test_the_token_of_a_suspended_user_rests(ada: User):
    _, secret = logic.create_token(ada, "script")
    User.objects.update(is_active=False)
    assert logic.user_of_token(secret) is None
    User.objects.update(is_active=True)
    assert logic.user_of_token(secret) == ada


@pytest.mark.parametrize("secret", ["", "x", "ä", "\udcff", "x" * 10_000])
def test_secrets_that_are_none(ada: User, secret: str):
    logic.create_token(ada, "script")
    assert logic.user_of_token(secret) is None


def test_the_newest_token_is_listed_first(staff: User, ada: User):
    logic.create_token(staff, "not mine")
    names = ["one", "two", "three"]
    for name in names:
        logic.create_token(ada, name)
    assert [token.name for token in logic.list_tokens(ada)] == names[::-1]


def test_there_are_only_so_many_tokens(ada: User):
    with mock.patch.object(logic, "MAX_TOKENS", 2):
        tokens = [logic.create_token(ada, "script")[0] for _ in range(2)]
        with pytest.raises(logic.TooManyTokensError):
            logic.create_token(ada, "script")
        logic.revoke_token(ada, tokens[0].pk)
        logic.create_token(ada, "script")


def test_the_last_use_is_kept_to_the_minute_and_written_once_in_it(ada: User, django_assert_num_queries: Any):
    token, secret = logic.create_token(ada, "script")
    assert token.last_used_at is None
    now = timezone.now().replace(minute=7, second=30)
    with mock.patch.object(logic.timezone, "now", return_value=now), django_assert_num_queries(2):
        logic.user_of_token(secret)
    with (
        mock.patch.object(logic.timezone, "now", return_value=now + timedelta(seconds=20)),
        django_assert_num_queries(1),
    ):
        logic.user_of_token(secret)
    token.refresh_from_db()
    assert token.last_used_at == now.replace(second=0, microsecond=0)


def test_the_database_knows_each_secret_once(ada: User):
    token, _ = logic.create_token(ada, "script")
    token.pk = None
    with pytest.raises(IntegrityError):
        token.save(force_insert=True)
