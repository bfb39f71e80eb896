"""Accounts in the admin."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from services.users.models import User

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
