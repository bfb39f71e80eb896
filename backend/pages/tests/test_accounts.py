"""Signing in, out and up, and what RPCs know of it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import grpc
import pytest
from django.conf import settings as django_settings
from django.urls import reverse
from django.utils import timezone

from generated.users.v1.users_pb2 import GetCurrentUserRequest
from generated.users.v1.users_pb2_grpc import UserServiceStub
from grpc_bridge.testing import Client
from pages import demo
from services.users import throttle
from services.users.models import SignInAttempts, User

pytestmark = pytest.mark.django_db

SIGN_IN, SIGN_UP, SIGN_OUT = "/sign-in/", "/sign-up/", "/sign-out/"
DEMO = "/sign-in/demo/"

PASSWORD = "a-Long-enough-passw0rd"
ADA = {"username": "ada@example.com", "password": PASSWORD}
NEW = {"email": "New@example.com", "name": "New", "password1": PASSWORD, "password2": PASSWORD}

ELSEWHERE = ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "http:///evil.example"]


@pytest.fixture
def client() -> Client:
    """A browser that also makes RPCs, and whose forms need their CSRF tokens."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def ada() -> User:
    """Somebody with an account."""
    return User.objects.create_user("ada@example.com", PASSWORD, name="Ada Lovelace", is_customer=True)


def post(client: Client, path: str, data: dict[str, str], *, page: str | None = None, **headers: str) -> Any:
    """Sends the form of a page as a browser does."""
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get(page or path).content.decode())
    assert token is not None
    return client.post(path, data | {"csrfmiddlewaretoken": token[1]}, headers=headers)


def caller(client: Client) -> str | None:
    """Gives the address of the user whom RPCs know, None for nobody."""
    call = UserServiceStub(client).GetCurrentUser.future(GetCurrentUserRequest())
    assert call.code() in (grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED)
    return call.result().user.email if call.code() is grpc.StatusCode.OK else None


# Signing in and out.


def test_rpcs_know_who_has_signed_in(client: Client, ada: User):
    assert caller(client) is None
    response = post(client, SIGN_IN, ADA | {"username": "ADA@example.com"})
    assert (response.status_code, response["Location"]) == (302, "/")
    assert caller(client) == "ada@example.com"
    response = post(client, SIGN_OUT, {}, page="/")
    assert (response.status_code, response["Location"]) == (302, "/")
    assert caller(client) is None


def test_the_page_says_who_is_signed_in(client: Client, ada: User):
    page = client.get("/").content.decode()
    assert 'href="/sign-in/"' in page
    assert 'data-testid="account">' in page
    client.force_login(ada)
    page = client.get("/").content.decode()
    assert f'data-testid="account" data-user-id="{ada.pk}"' in page
    assert ">Ada<" in page
    assert 'href="/sign-in/"' not in page


@pytest.mark.parametrize("path", [SIGN_IN, SIGN_UP, SIGN_OUT, DEMO])
def test_forms_of_other_sites_do_nothing(client: Client, ada: User, path: str):
    client.force_login(ada)
    assert client.post(path, ADA | NEW).status_code == 403
    assert caller(client) == "ada@example.com"
    assert User.objects.count() == 1


@pytest.mark.parametrize("path", [SIGN_OUT, DEMO])
def test_a_link_is_not_enough(client: Client, ada: User, path: str):
    client.force_login(ada)
    assert client.get(path).status_code == 405
    assert caller(client) == "ada@example.com"


@pytest.mark.parametrize(
    "wrong", [{"password": "wrong"}, {"username": "nobody@example.com"}, {"password": "wrong", "username": "x@y.org"}]
)
def test_what_is_wrong_does_not_say_who_has_an_account(client: Client, ada: User, wrong: dict[str, str]):
    response = post(client, SIGN_IN, ADA | wrong)
    assert response.status_code == 200
    assert response.context["form"].non_field_errors() == [
        "There is no active account with this address and this password."
    ]
    assert caller(client) is None


def test_a_suspended_user_does_not_get_in_and_is_out_at_once(client: Client, ada: User):
    client.force_login(ada)
    User.objects.update(is_active=False)
    assert caller(client) is None
    assert post(client, SIGN_IN, ADA).status_code == 200
    assert caller(client) is None


def test_the_session_gets_a_new_key(client: Client, ada: User):
    client.cookies[django_settings.SESSION_COOKIE_NAME] = "chosenbysomebodyelse0000000000000"
    post(client, SIGN_IN, ADA)
    assert client.session.session_key != "chosenbysomebodyelse0000000000000"
    assert caller(client) == "ada@example.com"


@pytest.mark.parametrize("path", [SIGN_IN, SIGN_UP])
def test_who_is_signed_in_needs_no_form(client: Client, ada: User, path: str):
    client.force_login(ada)
    assert client.get(path)["Location"] == "/"
    assert client.get(path, {"next": "/admin/"})["Location"] == "/admin/"


# Where it goes on.


FORMS = [(SIGN_IN, ADA), (SIGN_UP, NEW), (DEMO, {})]


@pytest.mark.parametrize(("path", "data"), FORMS)
def test_it_goes_on_where_it_was_wanted(client: Client, ada: User, path: str, data: dict[str, str]):
    response = post(client, path, data | {"next": "/?panel=users#users"}, page=SIGN_UP if path == SIGN_UP else SIGN_IN)
    assert response["Location"] == "/?panel=users#users"


@pytest.mark.parametrize(("path", "data"), FORMS)
@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_it_goes_to_no_other_site(client: Client, ada: User, path: str, data: dict[str, str], elsewhere: str):
    response = post(client, path, data | {"next": elsewhere}, page=SIGN_UP if path == SIGN_UP else SIGN_IN)
    assert response["Location"] == "/"


@pytest.mark.parametrize("path", [SIGN_IN, SIGN_UP])
def test_forms_and_links_carry_the_way_on(client: Client, path: str):
    page = client.get(path, {"next": "/admin/?a=1&b=2"}).content.decode()
    assert 'name="next" value="/admin/?a=1&amp;b=2"' in page
    assert "?next=/admin/%3Fa%3D1%26b%3D2" in page
    assert "evil" not in client.get(path, {"next": "https://evil.example/"}).content.decode()


# Signing up.


def test_a_new_customer_is_signed_in(client: Client):
    response = post(client, SIGN_UP, NEW)
    assert (response.status_code, response["Location"]) == (302, "/")
    user = User.objects.get()
    assert (user.email, user.name, user.is_customer, user.is_staff) == ("new@example.com", "New", True, False)
    assert user.check_password(PASSWORD)
    assert caller(client) == "new@example.com"


def test_nobody_makes_themselves_staff(client: Client):
    post(client, SIGN_UP, NEW | {"is_staff": "on", "is_superuser": "on", "roles": "staff"})
    user = User.objects.get()
    assert not user.is_staff
    assert not user.is_superuser


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": ""}, "email"),
        ({"email": "ADA@example.com"}, "email"),
        ({"name": "x" * 201}, "name"),
        ({"password2": "another"}, "password2"),
        ({"password1": "short", "password2": "short"}, "password2"),
        ({"password1": "password123", "password2": "password123"}, "password2"),
        ({"password1": "8437264736472", "password2": "8437264736472"}, "password2"),
        ({"password1": "new@example.com", "password2": "new@example.com"}, "password2"),
    ],
)
def test_what_a_new_customer_cannot_give(client: Client, ada: User, wrong: dict[str, str], field: str):
    response = post(client, SIGN_UP, NEW | wrong)
    assert response.status_code == 200
    assert list(response.context["form"].errors) == [field]
    assert User.objects.count() == 1
    assert caller(client) is None


def test_an_address_that_somebody_takes_at_the_same_moment(client: Client, ada: User, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(User, "validate_unique", lambda *_, **__: None)
    monkeypatch.setattr(User, "validate_constraints", lambda *_, **__: None)
    response = post(client, SIGN_UP, NEW | {"email": "ada@example.com"})
    assert response.context["form"].errors == {"email": ["This address has an account."]}


@pytest.mark.parametrize(
    ("path", "data", "field"), [(SIGN_UP, NEW | {"email": "nobody"}, "email"), (SIGN_IN, {"username": "x"}, "username")]
)
def test_an_error_belongs_to_its_field(client: Client, path: str, data: dict[str, str], field: str):
    page = post(client, path, data).content.decode()
    (element,) = re.findall(rf'<input[^>]*name="{field}"[^>]*>', page)
    assert 'aria-invalid="true"' in element
    assert f'aria-describedby="id_{field}_error"' in element
    assert f'id="id_{field}_error"' in page
    assert f'<label for="id_{field}">' in page
    assert "<title>Error: " in page


# Throttling.


def test_too_many_attempts_are_told_when_to_try_again(client: Client, ada: User):
    for _ in range(throttle.MAX_ATTEMPTS):
        assert post(client, SIGN_IN, ADA | {"password": "wrong"}).status_code == 200
    response = post(client, SIGN_IN, ADA)
    assert response.status_code == 429
    assert response.context["form"].non_field_errors() == ["Too many attempts. Try again in 15 minutes."]
    assert 14 * 60 < int(response["Retry-After"]) <= 15 * 60
    assert caller(client) is None
    SignInAttempts.objects.update(ends_at=timezone.now() + timedelta(seconds=30))
    assert "in 1 minute." in post(client, SIGN_IN, ADA).content.decode()
    SignInAttempts.objects.update(ends_at=timezone.now())
    assert post(client, SIGN_IN, ADA).status_code == 302


def test_the_admin_counts_the_same_attempts(client: Client):
    User.objects.create_superuser("root@example.com", PASSWORD)
    root = {"username": "root@example.com", "password": PASSWORD}
    login = reverse("admin:login")
    for _ in range(throttle.MAX_ATTEMPTS):
        assert post(client, login, root | {"password": "wrong"}).status_code == 200
    assert "Too many attempts" in post(client, login, root).content.decode()
    assert post(client, SIGN_IN, root).status_code == 429
    SignInAttempts.objects.all().delete()
    assert post(client, login, root).status_code == 302


def test_each_address_and_each_place_counts_for_itself(client: Client, ada: User):
    for _ in range(throttle.MAX_ATTEMPTS):
        post(client, SIGN_IN, {"username": "other@example.com", "password": "wrong"})
    client.defaults["REMOTE_ADDR"] = "192.0.2.1"
    for _ in range(throttle.MAX_ATTEMPTS):
        post(client, SIGN_IN, ADA | {"password": "wrong"})
    assert post(client, SIGN_IN, ADA).status_code == 429
    client.defaults["REMOTE_ADDR"] = "192.0.2.2"
    assert post(client, SIGN_IN, ADA).status_code == 302


def test_a_form_that_is_not_filled_in_is_no_attempt(client: Client):
    post(client, SIGN_IN, {"username": "ada@example.com"})
    post(client, SIGN_IN, {"password": "x"})
    assert not SignInAttempts.objects.exists()


# The demo.


def ensure_demo_users() -> None:
    for user in demo.USERS:
        demo.ensure_user(user)


@pytest.mark.parametrize(
    ("data", "email"),
    [
        ({}, "demo@example.com"),
        ({"account": "customer"}, "demo@example.com"),
        ({"account": "staff"}, "staff@example.com"),
    ],
)
@pytest.mark.parametrize("is_seeded", [True, False])
def test_signing_in_as_a_demo_user(client: Client, data: dict[str, str], email: str, is_seeded: bool):
    if is_seeded:
        ensure_demo_users()
    assert post(client, DEMO, data, page=SIGN_IN).status_code == 302
    assert caller(client) == email


def test_nobody_becomes_an_administrator_by_a_button(client: Client):
    assert post(client, DEMO, {"account": "admin"}, page=SIGN_IN).status_code == 404
    assert caller(client) is None


def test_a_suspended_demo_user_is_said_to_be_so(client: Client):
    ensure_demo_users()
    User.objects.update(is_active=False)
    response = post(client, DEMO, {}, page=SIGN_IN)
    assert response["Location"] == SIGN_IN
    assert "demo@example.com is suspended." in client.get(SIGN_IN).content.decode()


def test_without_demo_data_there_is_no_such_thing(client: Client, settings: Any):
    settings.DEMO_DATA = False
    assert "demo" not in client.get(SIGN_IN).content.decode()
    assert post(client, DEMO, {}, page=SIGN_IN).status_code == 404
    assert not User.objects.exists()


# The pages.


@pytest.mark.parametrize("path", [SIGN_IN, SIGN_UP])
def test_the_pages_are_under_the_strict_policy_and_kept_by_nobody(client: Client, path: str):
    response = client.get(path)
    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert "no-store" in response["Cache-Control"]
    page = response.content.decode()
    assert "style=" not in page
    assert page.count("<h1>") == 1
