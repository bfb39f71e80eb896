"""The metadata entry that a token comes in."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model

from grpc_bridge import aget_user, get_user, set_user
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.tests.calls import Source, async_context, sync_context
from grpc_bridge.tokens import bearer_secret, user_of_token

ADA = get_user_model()(email="ada@example.com")


def user_of(secret: str) -> Any:
    """Knows one token."""
    return ADA if secret == "good" else None


@pytest.fixture(autouse=True)
def _settings(settings: Any) -> None:
    settings.GRPC_BRIDGE = {"TOKEN_USER": f"{__name__}.user_of"}


def source(*values: str) -> Source:
    """Gives a request with `authorization` headers."""
    return Source(tuple(("Authorization", value) for value in values))


@pytest.mark.parametrize(
    ("values", "secret"),
    [
        ([], None),
        (["Bearer good"], "good"),
        (["bearer good"], "good"),
        (["BEARER  good "], "good"),
        (["Bearer a b"], "a b"),
        (["Bearer good,Bearer good"], "good,Bearer good"),
        (["Bearer"], ""),
        (["Bearer "], ""),
        ([""], None),
        (["Basic dXNlcjpwYXNz"], None),
        (["good"], None),
        (["Basic dXNlcjpwYXNz", "Bearer good"], "good"),
    ],
)
def test_the_secret(values: list[str], secret: str | None) -> None:
    assert bearer_secret(sync_context(source=source(*values))) == secret


def test_two_tokens_are_refused() -> None:
    with pytest.raises(StatusError) as caught:
        bearer_secret(sync_context(source=source("Bearer good", "Bearer good")))
    assert caught.value.code is StatusCode.UNAUTHENTICATED


def test_without_the_setting_the_entry_means_nothing(settings: Any) -> None:
    settings.GRPC_BRIDGE = {}
    assert bearer_secret(sync_context(source=source("Bearer good", "Bearer good"))) is None


def test_the_user() -> None:
    assert user_of_token("good") is ADA
    for secret in ("", "bad", "good,Bearer good"):
        with pytest.raises(StatusError) as caught:
            user_of_token(secret)
        assert caught.value.code is StatusCode.UNAUTHENTICATED
        assert "bad" not in caught.value.message


def test_a_handler_asks_as_for_a_session() -> None:
    assert get_user(sync_context(source=source("Bearer good"))) is ADA
    assert async_to_sync(aget_user)(async_context(source=source("Bearer good"))) is ADA
    with pytest.raises(StatusError):
        get_user(sync_context(source=source("Bearer bad")))
    with pytest.raises(StatusError):
        async_to_sync(aget_user)(async_context(source=source("Bearer bad")))


def test_an_interceptor_that_knows_better_is_believed() -> None:
    context = sync_context(source=source("Bearer bad"))
    set_user(context, ADA)
    assert get_user(context) is ADA
