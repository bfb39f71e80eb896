"""How often somebody may try to sign in, and where they are taken to be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.http import HttpRequest
from django.utils import timezone

from services.users import throttle
from services.users.forms import place_of
from services.users.models import SignInAttempts

DATABASE = pytest.mark.django_db


def attempts(count: int, email: str = "ada@example.com", place: str = "192.0.2.1") -> None:
    for _ in range(count):
        throttle.count_attempt(email, place)


@DATABASE
def test_the_attempt_after_the_last_is_refused_whatever_the_case_of_the_address():
    before = timezone.now()
    attempts(throttle.MAX_ATTEMPTS)
    with pytest.raises(throttle.TooManyAttemptsError) as caught:
        throttle.count_attempt("ADA@Example.com", "192.0.2.1")
    assert before + throttle.PERIOD <= caught.value.retry_at <= timezone.now() + throttle.PERIOD


@DATABASE
def test_refused_attempts_do_not_make_it_longer():
    attempts(throttle.MAX_ATTEMPTS)
    ends_at = SignInAttempts.objects.get().ends_at
    with pytest.raises(throttle.TooManyAttemptsError):
        attempts(1)
    assert SignInAttempts.objects.get().ends_at == ends_at
    with mock.patch.object(throttle.timezone, "now", return_value=ends_at):
        attempts(throttle.MAX_ATTEMPTS)


@DATABASE
def test_others_are_not_counted():
    attempts(throttle.MAX_ATTEMPTS)
    attempts(throttle.MAX_ATTEMPTS, email="grace@example.com")
    attempts(throttle.MAX_ATTEMPTS, place="192.0.2.2")


@DATABASE
def test_a_success_begins_anew():
    attempts(throttle.MAX_ATTEMPTS)
    throttle.forget_attempts("ada@example.com", "192.0.2.1")
    attempts(throttle.MAX_ATTEMPTS)


@DATABASE
def test_what_is_over_is_cleared_away():
    attempts(1, email="somebody@example.com")
    SignInAttempts.objects.update(ends_at=timezone.now() - timedelta(days=1))
    attempts(1)
    assert SignInAttempts.objects.count() == 1


@DATABASE
def test_no_address_and_no_place_is_kept():
    attempts(1)
    values = str(SignInAttempts.objects.values())
    assert "ada" not in values
    assert "192" not in values


@pytest.mark.parametrize(
    ("proxies", "forwarded", "remote", "place"),
    [
        (0, None, "192.0.2.1", "192.0.2.1"),
        (0, "203.0.113.9", "192.0.2.1", "192.0.2.1"),
        (1, "203.0.113.9", "192.0.2.1", "203.0.113.9"),
        (1, "198.51.100.7, 203.0.113.9", "192.0.2.1", "203.0.113.9"),
        (2, "198.51.100.7, 203.0.113.9", "192.0.2.1", "198.51.100.7"),
        (2, "203.0.113.9", "192.0.2.1", "203.0.113.9"),
        (1, None, "192.0.2.1", ""),
        (0, None, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (0, None, "2001:db8:1:2::1", "2001:db8:1:2::/64"),
        (0, None, "", ""),
        (0, None, None, ""),
    ],
)
def test_the_place(settings: Any, proxies: int, forwarded: str | None, remote: str | None, place: str):
    settings.TRUSTED_PROXY_COUNT = proxies
    request = HttpRequest()
    request.META = {"REMOTE_ADDR": remote}
    if forwarded is not None:
        request.META["HTTP_X_FORWARDED_FOR"] = forwarded
    assert place_of(request) == place


def test_no_request_is_no_place():
    assert place_of(None) == ""
