"""Accounts and tokens in the admin."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse, reverse_lazy
from django.utils import timezone

from services.users import logic
from services.users.models import Token, User

NO_TOKENS = {"tokens-TOTAL_FORMS": "0", "tokens-INITIAL_FORMS": "0"}
RIGHTS = {"is_active": "on", "is_customer": "on"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin_site(client: Client) -> Client:
    """A client whose session is an administrator's."""
    client.force_login(User.objects.create_superuser("root@example.com", "long-enough-password", name="Root"))
    return client


def test_signing_in_with_the_address(client: Client):
    User.objects.create_superuser("root@example.com", "long-enough-password", name="Root")
    credentials = {"username": "ROOT@example.com", "password": "long-enough-password"}
    response = client.post(reverse("admin:login"), credentials | {"next": "/admin/"})
    assert response.status_code == 302
    assert response["Location"] == "/admin/"


def test_who_is_not_staff_does_not_get_in(client: Client):
    client.force_login(User.objects.create_user("ada@example.com", "long-enough-password"))
    assert client.get(reverse("admin:users_user_changelist")).status_code == 302


def test_the_list_can_be_searched(admin_site: Client):
    User.objects.create_user("ada@example.com", name="Ada Lovelace")
    response = admin_site.get(reverse("admin:users_user_changelist"), {"q": "lovelace"})
    assert response.status_code == 200
    assert [user.email for user in response.context["cl"].result_list] == ["ada@example.com"]


def test_adding_an_account(admin_site: Client):
    form = {
        "email": "Ada@Example.com",
        "name": "Ada Lovelace",
        "usable_password": "true",
        "password1": "a-Long-enough-passw0rd",
        "password2": "a-Long-enough-passw0rd",
    }
    assert admin_site.get(reverse("admin:users_user_add")).status_code == 200
    response = admin_site.post(reverse("admin:users_user_add"), form)
    assert response.status_code == 302, response.context["adminform"].errors
    assert User.objects.get(email="ada@example.com").check_password("a-Long-enough-passw0rd")


def test_changing_an_account(admin_site: Client):
    user = User.objects.create_user("ada@example.com", "long-enough-password", name="Ada")
    url = reverse("admin:users_user_change", args=[user.pk])
    assert admin_site.get(url).status_code == 200
    response = admin_site.post(url, {"email": "ADA2@example.com", "name": "Ada Lovelace"} | RIGHTS | NO_TOKENS)
    assert response.status_code == 302, response.context["adminform"].errors
    user.refresh_from_db()
    assert (user.email, user.name) == ("ada2@example.com", "Ada Lovelace")
    assert user.check_password("long-enough-password")


# Actions on accounts.


@pytest.fixture
def ada() -> User:
    """A customer with a token."""
    user = User.objects.create_user("ada@example.com", "long-enough-password", name="Ada Lovelace", is_customer=True)
    logic.create_token(user, "script")
    return user


@pytest.fixture
def staff_site(client: Client) -> Client:
    """A client whose session is that of staff who may manage accounts and tokens, and are no administrators."""
    staff = User.objects.create_user("staff@example.com", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(content_type__app_label="users"))
    client.force_login(staff)
    return client


USERS, TOKENS = reverse_lazy("admin:users_user_changelist"), reverse_lazy("admin:users_token_changelist")


def run(client: Client, url: Any, action: str, rows: Any) -> Any:
    """Runs an action on rows of a list."""
    return client.post(url, {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True)


def test_suspending_and_reactivating(admin_site: Client, ada: User):
    response = run(admin_site, USERS, "suspend", User.objects.all())
    assert "1 user suspended." in response.content.decode()
    assert dict(User.objects.values_list("email", "is_active")) == {"ada@example.com": False, "root@example.com": True}
    response = run(admin_site, USERS, "reactivate", User.objects.all())
    assert "1 user reactivated." in response.content.decode()
    assert not User.objects.filter(is_active=False).exists()


def test_revoking_all_tokens_of_users(admin_site: Client, ada: User):
    logic.create_token(ada, "another")
    assert "2 tokens revoked." in run(admin_site, USERS, "revoke_tokens", [ada]).content.decode()
    assert not Token.objects.exists()


@pytest.mark.parametrize("action", ["suspend", "reactivate", "revoke_tokens", "delete_selected"])
def test_staff_touch_no_administrator(staff_site: Client, action: str):
    root = User.objects.create_superuser("root@example.com", name="Root", is_active=action != "reactivate")
    logic.create_token(root, "mine")
    data = {"action": action, "_selected_action": [root.pk], "post": "yes"}
    assert staff_site.post(USERS, data).status_code == (403 if action == "delete_selected" else 302)
    root.refresh_from_db()
    assert root.is_active is (action != "reactivate")
    assert root.tokens.count() == 1


def test_staff_only_look_at_an_administrator(staff_site: Client):
    root = User.objects.create_superuser("root@example.com", "long-enough-password", name="Root")
    url = reverse("admin:users_user_change", args=[root.pk])
    assert staff_site.get(url).status_code == 200
    assert staff_site.post(url, {"email": "mine@example.com", "is_active": "on"} | NO_TOKENS).status_code == 403
    password = reverse("admin:auth_user_password_change", args=[root.pk])
    assert staff_site.get(password).status_code == 403
    assert staff_site.post(reverse("admin:users_user_delete", args=[root.pk]), {"post": "yes"}).status_code == 403
    root.refresh_from_db()
    assert root.email == "root@example.com"


def test_staff_give_nobody_more_than_a_role(staff_site: Client, ada: User):
    url = reverse("admin:users_user_change", args=[ada.pk])
    data = {"email": "ada@example.com", "is_superuser": "on", "is_staff": "on"} | RIGHTS | _token_forms(ada)
    data["user_permissions"] = [str(Permission.objects.first().pk)]  # type: ignore[union-attr]
    response = staff_site.post(url, data)
    assert response.status_code == 302, response.context["adminform"].errors
    ada.refresh_from_db()
    assert (ada.is_staff, ada.is_superuser, ada.user_permissions.count()) == (True, False, 0)


def _token_forms(user: User) -> dict[str, Any]:
    forms = {"tokens-TOTAL_FORMS": user.tokens.count(), "tokens-INITIAL_FORMS": user.tokens.count()}
    for number, token in enumerate(user.tokens.all()):
        forms |= {f"tokens-{number}-id": token.pk, f"tokens-{number}-user": user.pk}
    return forms


def test_metadata_is_checked_and_may_be_left_empty(admin_site: Client, ada: User):
    url = reverse("admin:users_user_change", args=[ada.pk])
    for wrong in ("[1]", '{"a": 1}', "{"):
        data = {"email": ada.email, "metadata": wrong} | RIGHTS | _token_forms(ada)
        assert "metadata" in admin_site.post(url, data).context["adminform"].errors
    for empty in ("", "{}", "[]"):
        data = {"email": ada.email, "metadata": empty} | RIGHTS | _token_forms(ada)
        assert admin_site.post(url, data).status_code == 302
        ada.refresh_from_db()
        assert ada.metadata == {}


def test_a_token_is_revoked_beside_its_user(admin_site: Client, ada: User):
    url = reverse("admin:users_user_change", args=[ada.pk])
    page = admin_site.get(url).content.decode()
    assert ada.tokens.get().prefix in page
    assert ada.tokens.get().digest not in page
    data = {"email": ada.email, "tokens-0-DELETE": "on"} | RIGHTS | _token_forms(ada)
    assert admin_site.post(url, data).status_code == 302
    assert not ada.tokens.exists()


# The list of accounts.


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, 3),
        ({"is_customer__exact": "1"}, 1),
        ({"is_staff__exact": "1"}, 1),
        ({"is_active__exact": "0"}, 1),
        ({"q": "gone"}, 1),
        ({"o": "7"}, 3),
    ],
)
def test_filtering_the_list(admin_site: Client, ada: User, query: dict[str, str], found: int):
    User.objects.create_user("gone@example.com", is_active=False)
    response = admin_site.get(USERS, query)
    assert response.status_code == 200
    assert len(response.context["cl"].result_list) == found


def test_a_list_costs_as_many_queries_as_a_row(admin_site: Client, django_assert_max_num_queries: Any):
    for number in range(30):
        logic.create_token(User.objects.create_user(f"user{number}@example.com"), "script")
    for url in (USERS, TOKENS):
        with django_assert_max_num_queries(10):
            admin_site.get(url)


# Tokens.


def test_the_list_of_tokens(admin_site: Client, ada: User):
    token, _ = logic.create_token(ada, "old")
    Token.objects.filter(pk=token.pk).update(expires_at=timezone.now())
    for query, names in (
        ({}, {"script", "old"}),
        ({"validity": "good"}, {"script"}),
        ({"validity": "expired"}, {"old"}),
        ({"q": "lovelace"}, {"script", "old"}),
        ({"q": token.prefix}, {"old"}),
        ({"q": "nobody"}, set()),
    ):
        response = admin_site.get(TOKENS, query)
        assert {found.name for found in response.context["cl"].result_list} == names, query
        assert token.digest not in response.content.decode()


def test_the_secret_of_a_new_token_is_shown_once(admin_site: Client, ada: User):
    url = reverse("admin:users_token_add")
    assert admin_site.get(url).status_code == 200
    data = {"user": ada.pk, "name": "cron", "expires_at_0": "2999-01-01", "expires_at_1": "00:00:00"}
    page = admin_site.post(url, data, follow=True).content.decode()
    (secret,) = re.findall(r"cannot be shown again: ([\w-]+)", page)
    assert logic.user_of_token(secret) == ada
    assert secret not in admin_site.get(TOKENS).content.decode()


def test_a_new_token_is_proposed_for_oneself_and_a_month(admin_site: Client):
    initial = admin_site.get(reverse("admin:users_token_add")).context["adminform"].form.initial
    assert initial["user"] == User.objects.get().pk
    assert timedelta(days=29) < initial["expires_at"] - timezone.now() <= timedelta(days=30)


def test_a_token_stays_its_users(admin_site: Client, ada: User):
    token = ada.tokens.get()
    url = reverse("admin:users_token_change", args=[token.pk])
    assert admin_site.get(url).status_code == 200
    root = User.objects.get(is_superuser=True)
    data = {"user": root.pk, "name": "renamed", "expires_at_0": "2999-01-01", "expires_at_1": "00:00:00"}
    assert admin_site.post(url, data).status_code == 302
    changed = Token.objects.get(pk=token.pk)
    assert (changed.user, changed.name, changed.digest) == (ada, "renamed", token.digest)


def test_revoking_tokens(admin_site: Client, ada: User):
    logic.create_token(ada, "another")
    assert "2 tokens revoked." in run(admin_site, TOKENS, "revoke", Token.objects.all()).content.decode()
    assert not Token.objects.exists()


def test_staff_make_no_token_of_others(staff_site: Client, ada: User):
    assert staff_site.get(TOKENS).status_code == 200
    assert staff_site.get(reverse("admin:users_token_add")).status_code == 403
