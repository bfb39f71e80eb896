"""The rules of accounts, without protobuf and HTTP. Those of their tokens are in `test_token_logic.py`."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models

from services.users import logic
from services.users.models import Role, Status, Token, User

pytestmark = pytest.mark.django_db


# Finding accounts.


def test_everybody_sees_their_own_account(ada: User):
    assert logic.get_user(ada, ada.pk) == ada


def test_staff_see_any_account(staff: User, ada: User):
    assert logic.get_user(staff, ada.pk) == ada
    with pytest.raises(User.DoesNotExist):
        logic.get_user(staff, 2**63 - 1)


@pytest.mark.parametrize("exists", [True, False])
def test_nobody_else_learns_whether_there_is_an_account(staff: User, ada: User, exists: bool):
    with pytest.raises(PermissionDenied):
        logic.get_user(ada, staff.pk if exists else 2**63 - 1)


def people(count: int) -> None:
    User.objects.bulk_create(User(email=f"user{number:03}@example.com") for number in range(count))


def emails_of_all_pages(page_size: int, text: str = "") -> list[list[str]]:
    pages, token = [], ""
    while True:
        page = logic.list_users(page_size, token, text)
        pages.append([user.email for user in page.users])
        token = page.next_page_token
        if not token:
            return pages


@pytest.mark.parametrize(
    ("count", "page_size", "sizes"),
    [
        (0, 0, [0]),
        (5, 2, [2, 2, 1]),
        (4, 2, [2, 2]),
        (21, 0, [20, 1]),
        (101, 100, [100, 1]),
        (101, 101, [100, 1]),
        (101, 2**31 - 1, [100, 1]),
    ],
)
def test_pages(count: int, page_size: int, sizes: list[int]):
    people(count)
    pages = emails_of_all_pages(page_size)
    assert [len(page) for page in pages] == sizes
    assert [email for page in pages for email in page] == [f"user{number:03}@example.com" for number in range(count)]


def test_who_comes_or_goes_between_pages_moves_nobody_else():
    people(4)
    first = logic.list_users(2)
    User.objects.filter(email=first.users[0].email).delete()
    User.objects.create_user("aaa@example.com")
    second = logic.list_users(2, first.next_page_token)
    assert [user.email for user in second.users] == ["user002@example.com", "user003@example.com"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["ada@example.com", "grace@example.org"]),
        ("LOVE", ["ada@example.com"]),
        (".ORG", ["grace@example.org"]),
        ("a", ["ada@example.com", "grace@example.org"]),
        ("%", []),
        ("_", []),
        ("nobody", []),
    ],
)
def test_filtering_by_text(ada: User, text: str, found: list[str]):
    User.objects.create_user("grace@example.org", name="Grace Hopper")
    page = logic.list_users(text=text)
    assert [user.email for user in page.users] == found
    assert (page.total_size, page.next_page_token) == (len(found), "")


def test_the_total_counts_all_pages():
    people(5)
    assert logic.list_users(2).total_size == 5


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"page_size": -1}, "page_size"),
        ({"page_token": "made up"}, "page_token"),
        ({"page_token": "WyJhIiwiIl0:1tTTTT:signature"}, "page_token"),
        ({"text": "x" * 201}, "filter"),
        ({"text": "a\0b"}, "filter"),
    ],
)
def test_lists_that_cannot_be(arguments: dict[str, Any], field: str):
    with pytest.raises(ValidationError) as caught:
        logic.list_users(**arguments)
    assert list(caught.value.message_dict) == [field]


def test_a_page_token_belongs_to_its_filter():
    people(3)
    token = logic.list_users(1, text="user").next_page_token
    with pytest.raises(ValidationError, match="no page token of this list"):
        logic.list_users(1, token, "example")


def test_a_page_costs_two_queries_however_deep_it_is(django_assert_num_queries: Any):
    people(50)
    token = logic.list_users(20).next_page_token
    for page_token in ("", token):
        with django_assert_num_queries(2):
            logic.list_users(20, page_token)


# Creating.


def test_a_new_account_cannot_sign_in_by_password():
    user = logic.create_user({"email": "Ada@Example.com", "roles": [Role.CUSTOMER, Role.STAFF], "metadata": {"a": "1"}})
    user.refresh_from_db()
    assert (user.email, user.roles, user.status) == ("ada@example.com", [Role.CUSTOMER, Role.STAFF], Status.ACTIVE)
    assert user.metadata == {"a": "1"}
    assert (user.age, user.name) == (None, "")
    assert not user.has_usable_password()
    assert not user.is_superuser


GOOD = {"email": "new@example.com"}


@pytest.mark.parametrize(
    "values",
    [
        {"email": f"{'x' * 64}@example.com"},
        {"age": 0},
        {"age": 150},
        {"name": "x" * 200},
        {"metadata": {f"key{number}": "" for number in range(16)}},
        {"metadata": {"k" * 40: "v" * 200}},
        {"roles": []},
    ],
)
def test_the_bounds_are_in(values: dict[str, Any]):
    user = logic.create_user(GOOD | values)
    user.refresh_from_db()
    for field, value in values.items():
        assert getattr(user, field) == value


WRONG = [
    ({"email": ""}, "email"),
    ({"email": "nobody"}, "email"),
    ({"email": "a\0b@example.com"}, "email"),
    ({"email": f"a@{'x' * 250}.com"}, "email"),
    ({"age": -1}, "age"),
    ({"age": 151}, "age"),
    ({"age": 2**31 - 1}, "age"),
    ({"name": "x" * 201}, "name"),
    ({"name": "a\0b"}, "name"),
    ({"metadata": {f"key{number}": "" for number in range(17)}}, "metadata"),
    ({"metadata": {"k" * 41: ""}}, "metadata"),
    ({"metadata": {"": "x"}}, "metadata"),
    ({"metadata": {"k": "v" * 201}}, "metadata"),
    ({"metadata": {"k": "\0"}}, "metadata"),
    ({"metadata": {"k": 1}}, "metadata"),
    ({"metadata": ["k"]}, "metadata"),
]


@pytest.mark.parametrize(("values", "field"), WRONG)
def test_values_that_an_account_cannot_have(staff: User, ada: User, values: dict[str, Any], field: str):
    with pytest.raises(ValidationError) as caught:
        logic.create_user(GOOD | values)
    assert list(caught.value.message_dict) == [field]
    assert not User.objects.filter(email="new@example.com").exists()
    with pytest.raises(ValidationError) as caught:
        logic.update_user(staff, ada.pk, values)
    assert list(caught.value.message_dict) == [field]


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(ValidationError) as caught:
        logic.create_user({"email": "nobody", "age": 151, "name": "x" * 201})
    assert set(caught.value.message_dict) == {"email", "age", "name"}


@pytest.mark.parametrize("email", ["ada@example.com", "ADA@Example.com"])
def test_an_address_has_one_account(staff: User, ada: User, email: str):
    with pytest.raises(logic.EmailTakenError):
        logic.create_user({"email": email})
    with pytest.raises(logic.EmailTakenError):
        logic.update_user(staff, staff.pk, {"email": email})


def test_an_address_that_somebody_else_takes_at_the_same_moment(ada: User):
    with (
        mock.patch.object(User, "full_clean", User.clean_fields),
        pytest.raises(logic.EmailTakenError),
    ):
        logic.create_user({"email": "ada@example.com"})
    assert User.objects.count() == 1


def test_what_is_no_field_is_a_mistake_of_ours(ada: User):
    with pytest.raises(ValueError, match="no field 'is_superuser'"):
        logic.create_user(GOOD | {"is_superuser": True})


# Changing.


def test_staff_change_everything(staff: User, ada: User):
    values = {
        "email": "Lovelace@example.com",
        "name": "Ada King",
        "age": None,
        "roles": [Role.STAFF],
        "status": Status.SUSPENDED,
        "metadata": {"crm": "7"},
    }
    assert set(values) == logic.FIELDS
    assert logic.update_user(staff, ada.pk, values) == ada
    ada.refresh_from_db()
    assert (ada.email, ada.name, ada.age) == ("lovelace@example.com", "Ada King", None)
    assert (ada.roles, ada.status, ada.metadata) == ([Role.STAFF], Status.SUSPENDED, {"crm": "7"})


@pytest.mark.parametrize("field", sorted(logic.FIELDS))
def test_only_what_is_named_is_written(staff: User, ada: User, field: str):
    """A column that somebody else changes meanwhile keeps their value."""
    other = {"email": "x@example.com", "name": "X", "age": 1, "roles": [Role.STAFF], "status": Status.SUSPENDED}
    value = (other | {"metadata": {"x": "y"}})[field]
    columns = {"is_customer", "is_staff", "is_active", "email", "name", "age", "metadata"} - set(logic._COLUMNS[field])
    before = User.objects.values(*columns).get(pk=ada.pk)
    logic.update_user(staff, ada.pk, {field: value})
    assert User.objects.values(*columns).get(pk=ada.pk) == before
    ada.refresh_from_db()
    assert getattr(ada, field) == value


def test_a_value_that_is_wrong_already_does_not_stop_other_changes(staff: User, ada: User):
    User.objects.filter(pk=ada.pk).update(age=200, metadata={"x": 1})
    assert logic.update_user(staff, ada.pk, {"name": "Ada"}).name == "Ada"


def test_everybody_changes_some_of_their_own_account(ada: User):
    user = logic.update_user(ada, ada.pk, {"name": "Countess", "age": 37, "metadata": {"a": "b"}})
    assert (user.name, user.age, user.metadata) == ("Countess", 37, {"a": "b"})


@pytest.mark.parametrize("field", ["email", "roles", "status"])
def test_and_not_the_rest(ada: User, field: str):
    with pytest.raises(PermissionDenied):
        logic.update_user(ada, ada.pk, {field: "anything", "name": "Countess"})
    ada.refresh_from_db()
    assert ada.name == "Ada Lovelace"


@pytest.mark.parametrize("exists", [True, False])
def test_nobody_changes_the_account_of_another(staff: User, ada: User, exists: bool):
    with pytest.raises(PermissionDenied):
        logic.update_user(ada, staff.pk if exists else 0, {"name": "x"})


def test_changing_an_account_that_is_not_there(staff: User):
    with pytest.raises(User.DoesNotExist):
        logic.update_user(staff, 0, {"name": "x"})


@pytest.mark.parametrize("values", [{"status": Status.SUSPENDED}, {"roles": [Role.CUSTOMER]}])
def test_staff_cannot_lock_themselves_out(staff: User, values: dict[str, Any]):
    with pytest.raises(logic.OwnAccountError):
        logic.update_user(staff, staff.pk, values)
    staff.refresh_from_db()
    assert (staff.status, staff.roles) == (Status.ACTIVE, [Role.STAFF])


def test_staff_cannot_take_over_an_administrator(staff: User):
    root = User.objects.create_superuser("root@example.com")
    with pytest.raises(PermissionDenied):
        logic.update_user(staff, root.pk, {"email": "mine@example.com"})
    with pytest.raises(PermissionDenied):
        logic.delete_user(staff, root.pk)
    assert logic.update_user(root, root.pk, {"name": "Root"}).name == "Root"


def test_a_change_costs_few_queries(staff: User, ada: User, django_assert_max_num_queries: Any):
    with django_assert_max_num_queries(6):  # of which four begin and end the transaction and its savepoint
        logic.update_user(staff, ada.pk, {"name": "x"})


# Deleting.


def test_deleting(staff: User, ada: User):
    logic.create_token(ada, "script")
    logic.delete_user(staff, ada.pk)
    assert not User.objects.filter(pk=ada.pk).exists()
    assert not Token.objects.exists()
    with pytest.raises(User.DoesNotExist):
        logic.delete_user(staff, ada.pk)


def test_nobody_deletes_themselves(staff: User):
    with pytest.raises(logic.OwnAccountError):
        logic.delete_user(staff, staff.pk)


def test_an_account_that_something_refers_to_stays(staff: User, ada: User):
    error = models.ProtectedError("orders", set())
    with mock.patch.object(User, "delete", side_effect=error), pytest.raises(logic.AccountInUseError):
        logic.delete_user(staff, ada.pk)
