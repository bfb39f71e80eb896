"""The servicer over gRPC-Web, through the bridge and generated stubs: each method, with each status it can give."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import pytest
from django.utils import timezone
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc.error_details_pb2 import BadRequest
from grpc_status import rpc_status

from generated.users.v1 import users_pb2 as pb
from generated.users.v1.users_pb2_grpc import UserServiceStub
from grpc_bridge.testing import Client
from services.users import logic
from services.users.models import Token, User

pytestmark = pytest.mark.django_db

Code = grpc.StatusCode


@pytest.fixture
def ada() -> User:
    """A customer."""
    return User.objects.create_user(
        "ada@example.com", name="Ada Lovelace", age=36, is_customer=True, metadata={"crm": "7"}
    )


@pytest.fixture
def staff() -> User:
    """Somebody who works here."""
    return User.objects.create_user("staff@example.com", name="Staff", is_staff=True)


@pytest.fixture
def rpcs(client: Client) -> UserServiceStub:
    """Calls as whoever `client` is logged in as."""
    return UserServiceStub(client)


@pytest.fixture
def client() -> Client:
    """A browser without a session."""
    return Client()


@pytest.fixture
def as_ada(client: Client, ada: User) -> User:
    """A customer is logged in."""
    client.force_login(ada)
    return ada


@pytest.fixture
def as_staff(client: Client, staff: User) -> User:
    """Somebody of the staff is logged in."""
    client.force_login(staff)
    return staff


def failure(call: Any, *arguments: Any, **options: Any) -> tuple[grpc.StatusCode, str]:
    """Gives the code and the message that a call fails with."""
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **options)
    return caught.value.code(), caught.value.details()


def violations(call: Any, request: Any) -> dict[str, str]:
    """Gives the field violations that a call fails with: the reason by the field."""
    with pytest.raises(grpc.RpcError) as caught:
        call(request)
    assert (caught.value.code(), caught.value.details()) == (Code.INVALID_ARGUMENT, "Invalid argument")
    status = rpc_status.from_call(caught.value)
    assert status is not None
    bad_request = BadRequest()
    (detail,) = status.details
    assert detail.Unpack(bad_request)
    assert all(violation.description for violation in bad_request.field_violations)
    return {violation.field: violation.reason for violation in bad_request.field_violations}


def bearer(secret: str) -> tuple[tuple[str, str], ...]:
    """Gives the metadata that a token goes into."""
    return (("authorization", f"Bearer {secret}"),)


# Who may call.

METHODS = [
    ("GetCurrentUser", pb.GetCurrentUserRequest()),
    ("GetUser", pb.GetUserRequest()),
    ("ListUsers", pb.ListUsersRequest()),
    ("CreateUser", pb.CreateUserRequest()),
    ("UpdateUser", pb.UpdateUserRequest()),
    ("DeleteUser", pb.DeleteUserRequest()),
    ("CreateToken", pb.CreateTokenRequest()),
    ("ListTokens", pb.ListTokensRequest()),
    ("RevokeToken", pb.RevokeTokenRequest()),
]


def test_these_are_all_methods():
    service = pb.DESCRIPTOR.services_by_name["UserService"]
    assert [name for name, _ in METHODS] == [method.name for method in service.methods]


@pytest.mark.parametrize(("method", "request_message"), METHODS)
def test_without_credentials_no_method_can_be_called(rpcs: UserServiceStub, method: str, request_message: Any):
    call = getattr(rpcs, method)
    assert failure(call, request_message)[0] is Code.UNAUTHENTICATED


@pytest.mark.parametrize(("method", "request_message"), METHODS)
def test_a_bad_token_is_refused_even_beside_a_good_session(
    rpcs: UserServiceStub, as_staff: User, method: str, request_message: Any
):
    status = failure(getattr(rpcs, method), request_message, metadata=bearer("wrong"))
    assert status == (Code.UNAUTHENTICATED, "The token is unknown, revoked or expired")


@pytest.mark.parametrize("method", ["ListUsers", "CreateUser", "DeleteUser"])
def test_what_is_for_staff(rpcs: UserServiceStub, as_ada: User, method: str):
    request = getattr(pb, f"{method}Request")()
    assert failure(getattr(rpcs, method), request) == (Code.PERMISSION_DENIED, "Permission denied")


@pytest.mark.parametrize("role", [{"is_active": False}, {"is_staff": False}])
def test_rights_end_with_the_next_call(rpcs: UserServiceStub, as_staff: User, role: dict[str, bool]):
    rpcs.ListUsers(pb.ListUsersRequest())
    User.objects.filter(pk=as_staff.pk).update(**role)
    expected = Code.PERMISSION_DENIED if "is_staff" in role else Code.UNAUTHENTICATED
    assert failure(rpcs.ListUsers, pb.ListUsersRequest())[0] is expected


# GetCurrentUser, GetUser


def test_the_callers_own_account_has_all_its_fields(rpcs: UserServiceStub, as_ada: User):
    user = rpcs.GetCurrentUser(pb.GetCurrentUserRequest()).user
    assert user == pb.User(
        id=as_ada.pk,
        email="ada@example.com",
        name="Ada Lovelace",
        age=36,
        roles=[pb.USER_ROLE_CUSTOMER],
        status=pb.USER_STATUS_ACTIVE,
        metadata={"crm": "7"},
        created_at=user.created_at,
    )
    assert user.created_at.ToDatetime(timezone.get_current_timezone()) == as_ada.created_at


def test_an_age_that_was_not_told_is_absent_and_zero_is_not(rpcs: UserServiceStub, as_staff: User, ada: User):
    assert not rpcs.GetCurrentUser(pb.GetCurrentUserRequest()).user.HasField("age")
    User.objects.update(age=0)
    user = rpcs.GetUser(pb.GetUserRequest(id=ada.pk)).user
    assert user.HasField("age")
    assert user.age == 0


def test_the_current_user_costs_a_session_and_a_user(
    rpcs: UserServiceStub, as_ada: User, django_assert_num_queries: Any
):
    rpcs.GetCurrentUser(pb.GetCurrentUserRequest())
    with django_assert_num_queries(2):
        rpcs.GetCurrentUser(pb.GetCurrentUserRequest())


def test_get_user(rpcs: UserServiceStub, as_staff: User, ada: User):
    user = rpcs.GetUser(pb.GetUserRequest(id=ada.pk)).user
    assert (user.id, user.email, user.roles) == (ada.pk, "ada@example.com", [pb.USER_ROLE_CUSTOMER])
    assert failure(rpcs.GetUser, pb.GetUserRequest(id=2**63 - 1)) == (Code.NOT_FOUND, "Not found")


def test_get_user_of_others(rpcs: UserServiceStub, as_ada: User, staff: User):
    assert rpcs.GetUser(pb.GetUserRequest(id=as_ada.pk)).user.id == as_ada.pk
    for user_id in (staff.pk, 2**63 - 1, -1):
        assert failure(rpcs.GetUser, pb.GetUserRequest(id=user_id))[0] is Code.PERMISSION_DENIED


# ListUsers


def test_list_users(rpcs: UserServiceStub, as_staff: User):
    User.objects.bulk_create(User(email=f"user{number}@example.com") for number in range(5))
    request = pb.ListUsersRequest(page_size=2, filter="USER")
    emails = []
    while True:
        page = rpcs.ListUsers(request)
        assert page.total_size == 5
        emails.append([user.email for user in page.users])
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert emails == [
        ["user0@example.com", "user1@example.com"],
        ["user2@example.com", "user3@example.com"],
        ["user4@example.com"],
    ]


@pytest.mark.parametrize("count", [1, 50])
def test_a_page_costs_as_many_queries_as_a_row(
    rpcs: UserServiceStub, as_staff: User, count: int, django_assert_num_queries: Any
):
    User.objects.bulk_create(User(email=f"user{number}@example.com", is_customer=True) for number in range(count))
    with django_assert_num_queries(4):  # the session, its user, the page, the total
        rpcs.ListUsers(pb.ListUsersRequest(page_size=100))


@pytest.mark.parametrize(
    ("request_message", "expected"),
    [
        (pb.ListUsersRequest(page_size=-1), {"page_size": "MIN_VALUE"}),
        (pb.ListUsersRequest(page_token="no"), {"page_token": "INVALID"}),
        (pb.ListUsersRequest(filter="x" * 201), {"filter": "MAX_LENGTH"}),
    ],
)
def test_lists_that_cannot_be(
    rpcs: UserServiceStub, as_staff: User, request_message: pb.ListUsersRequest, expected: dict[str, str]
):
    assert violations(rpcs.ListUsers, request_message) == expected


# CreateUser


def test_create_user(rpcs: UserServiceStub, as_staff: User):
    given = pb.User(
        id=5,
        email="New@Example.com",
        name="New",
        age=20,
        roles=[pb.USER_ROLE_STAFF, pb.USER_ROLE_CUSTOMER, pb.USER_ROLE_STAFF],
        status=pb.USER_STATUS_SUSPENDED,
        metadata={"a": "b"},
    )
    user = rpcs.CreateUser(pb.CreateUserRequest(user=given)).user
    stored = User.objects.get(email="new@example.com")
    assert (user.id, user.email, user.name, user.age) == (stored.pk, "new@example.com", "New", 20)
    assert user.roles == [pb.USER_ROLE_CUSTOMER, pb.USER_ROLE_STAFF]
    assert user.status == pb.USER_STATUS_SUSPENDED
    assert dict(user.metadata) == {"a": "b"}
    assert (stored.is_active, stored.is_superuser, stored.has_usable_password()) == (False, False, False)
    assert rpcs.GetUser(pb.GetUserRequest(id=user.id)).user == user


def test_a_new_account_is_active_if_nothing_is_said(rpcs: UserServiceStub, as_staff: User):
    user = rpcs.CreateUser(pb.CreateUserRequest(user=pb.User(email="new@example.com"))).user
    assert (user.status, user.roles, user.HasField("age")) == (pb.USER_STATUS_ACTIVE, [], False)


def test_an_address_has_one_account(rpcs: UserServiceStub, as_staff: User, ada: User):
    taken = (Code.ALREADY_EXISTS, "This address has an account.")
    user = pb.User(id=as_staff.pk, email="ADA@example.com")
    assert failure(rpcs.CreateUser, pb.CreateUserRequest(user=user)) == taken
    update = pb.UpdateUserRequest(user=user, update_mask=FieldMask(paths=["email"]))
    assert failure(rpcs.UpdateUser, update) == taken


WRONG = [
    (pb.User(email="nobody"), {"user.email": "INVALID"}),
    (pb.User(email=""), {"user.email": "BLANK"}),
    (pb.User(email="new@example.com", age=-1), {"user.age": "MIN_VALUE"}),
    (pb.User(email="new@example.com", age=151), {"user.age": "MAX_VALUE"}),
    (pb.User(email="new@example.com", name="x" * 201), {"user.name": "MAX_LENGTH"}),
    (pb.User(email="new@example.com", roles=[pb.USER_ROLE_UNSPECIFIED]), {"user.roles": "INVALID_CHOICE"}),
    (pb.User(email="new@example.com", roles=[99]), {"user.roles": "INVALID_CHOICE"}),  # type: ignore[list-item]
    (pb.User(email="new@example.com", status=99), {"user.status": "INVALID_CHOICE"}),  # type: ignore[arg-type]
    (pb.User(email="new@example.com", metadata={"": "x"}), {"user.metadata": "KEY_LENGTH"}),
    (pb.User(email="nobody", age=151), {"user.email": "INVALID", "user.age": "MAX_VALUE"}),
]


@pytest.mark.parametrize(("user", "expected"), WRONG)
def test_fields_that_are_wrong(
    rpcs: UserServiceStub, as_staff: User, ada: User, user: pb.User, expected: dict[str, str]
):
    assert violations(rpcs.CreateUser, pb.CreateUserRequest(user=user)) == expected
    mask = FieldMask(paths=[field.removeprefix("user.") for field in expected])
    update = pb.UpdateUserRequest(user=user, update_mask=mask)
    update.user.id = ada.pk
    assert violations(rpcs.UpdateUser, update) == expected


# UpdateUser


def test_update_user_changes_what_the_mask_names(rpcs: UserServiceStub, as_staff: User, ada: User):
    values = pb.User(id=ada.pk, email="ignored@example.com", name="Ada King", roles=[pb.USER_ROLE_STAFF])
    mask = FieldMask(paths=["name", "age", "name"])
    user = rpcs.UpdateUser(pb.UpdateUserRequest(user=values, update_mask=mask)).user
    assert (user.email, user.name, user.HasField("age")) == ("ada@example.com", "Ada King", False)
    assert user.roles == [pb.USER_ROLE_CUSTOMER]
    assert dict(user.metadata) == {"crm": "7"}
    assert rpcs.GetUser(pb.GetUserRequest(id=ada.pk)).user == user


def test_update_user_changes_everything(rpcs: UserServiceStub, as_staff: User, ada: User):
    values = pb.User(id=ada.pk, email="new@example.com", status=pb.USER_STATUS_SUSPENDED)
    mask = FieldMask(paths=sorted(logic.FIELDS))
    user = rpcs.UpdateUser(pb.UpdateUserRequest(user=values, update_mask=mask)).user
    values.created_at.CopyFrom(user.created_at)
    assert user == values


@pytest.mark.parametrize("paths", [[], ["id"], ["created_at"], ["name", "password"], ["metadata.crm"], [""], ["Name"]])
def test_masks_that_cannot_be(rpcs: UserServiceStub, as_staff: User, ada: User, paths: list[str]):
    request = pb.UpdateUserRequest(user=pb.User(id=ada.pk, name="x"), update_mask=FieldMask(paths=paths))
    assert violations(rpcs.UpdateUser, request) == {"update_mask": "INVALID"}
    ada.refresh_from_db()
    assert ada.name == "Ada Lovelace"


def test_a_status_has_to_be_one(rpcs: UserServiceStub, as_staff: User, ada: User):
    request = pb.UpdateUserRequest(user=pb.User(id=ada.pk), update_mask=FieldMask(paths=["status"]))
    assert violations(rpcs.UpdateUser, request) == {"user.status": "INVALID_CHOICE"}


def test_update_user_of_the_own_account(rpcs: UserServiceStub, as_ada: User, staff: User):
    own = pb.User(id=as_ada.pk, name="Countess", email="new@example.com")
    name, email = FieldMask(paths=["name"]), FieldMask(paths=["email"])
    assert rpcs.UpdateUser(pb.UpdateUserRequest(user=own, update_mask=name)).user.name == "Countess"
    refused = (Code.PERMISSION_DENIED, "Permission denied")
    assert failure(rpcs.UpdateUser, pb.UpdateUserRequest(user=own, update_mask=email)) == refused
    other = pb.User(id=staff.pk, name="Countess")
    assert failure(rpcs.UpdateUser, pb.UpdateUserRequest(user=other, update_mask=name)) == refused


def test_update_user_of_nobody(rpcs: UserServiceStub, as_staff: User):
    request = pb.UpdateUserRequest(user=pb.User(id=0), update_mask=FieldMask(paths=["name"]))
    assert failure(rpcs.UpdateUser, request)[0] is Code.NOT_FOUND


def test_staff_cannot_suspend_themselves(rpcs: UserServiceStub, as_staff: User):
    user = pb.User(id=as_staff.pk, status=pb.USER_STATUS_SUSPENDED)
    request = pb.UpdateUserRequest(user=user, update_mask=FieldMask(paths=["status"]))
    code, message = failure(rpcs.UpdateUser, request)
    assert code is Code.FAILED_PRECONDITION
    assert "suspend themselves" in message


# DeleteUser


def test_delete_user(rpcs: UserServiceStub, as_staff: User, ada: User):
    assert rpcs.DeleteUser(pb.DeleteUserRequest(id=ada.pk)) == pb.DeleteUserResponse()
    assert not User.objects.filter(pk=ada.pk).exists()
    assert failure(rpcs.DeleteUser, pb.DeleteUserRequest(id=ada.pk))[0] is Code.NOT_FOUND


def test_delete_user_that_stays(rpcs: UserServiceStub, as_staff: User):
    assert failure(rpcs.DeleteUser, pb.DeleteUserRequest(id=as_staff.pk))[0] is Code.FAILED_PRECONDITION
    root = User.objects.create_superuser("root@example.com")
    assert failure(rpcs.DeleteUser, pb.DeleteUserRequest(id=root.pk))[0] is Code.PERMISSION_DENIED


# CreateToken, ListTokens, RevokeToken


def test_a_token_is_as_good_as_a_session(rpcs: UserServiceStub, as_ada: User, client: Client):
    made = rpcs.CreateToken(pb.CreateTokenRequest(name="script", lifetime_days=2))
    assert made.secret.startswith(made.token.prefix)
    assert made.token.expires_at.seconds - made.token.created_at.seconds == timedelta(days=2).total_seconds()
    assert not made.token.HasField("last_used_at")
    by_session = rpcs.GetCurrentUser(pb.GetCurrentUserRequest())
    client.logout()
    assert failure(rpcs.GetCurrentUser, pb.GetCurrentUserRequest())[0] is Code.UNAUTHENTICATED
    assert rpcs.GetCurrentUser(pb.GetCurrentUserRequest(), metadata=bearer(made.secret)) == by_session
    (listed,) = rpcs.ListTokens(pb.ListTokensRequest(), metadata=bearer(made.secret)).tokens
    assert listed.last_used_at.seconds % 60 == 0
    listed.ClearField("last_used_at")
    assert listed == made.token


def test_a_token_goes_before_the_session(rpcs: UserServiceStub, as_staff: User, ada: User):
    _, secret = logic.create_token(ada, "script")
    user = rpcs.GetCurrentUser(pb.GetCurrentUserRequest(), metadata=bearer(secret)).user
    assert user.email == "ada@example.com"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda: Token.objects.update(expires_at=timezone.now()),
        lambda: Token.objects.all().delete(),
        lambda: User.objects.update(is_active=False),
    ],
    ids=["expired", "revoked", "suspended"],
)
def test_a_token_that_is_no_good_any_more(rpcs: UserServiceStub, ada: User, spoil: Any):
    _, secret = logic.create_token(ada, "script")
    rpcs.GetCurrentUser(pb.GetCurrentUserRequest(), metadata=bearer(secret))
    spoil()
    status = failure(rpcs.GetCurrentUser, pb.GetCurrentUserRequest(), metadata=bearer(secret))
    assert status == (Code.UNAUTHENTICATED, "The token is unknown, revoked or expired")


def test_a_call_with_a_token_costs_one_query_and_a_write_in_a_minute(
    rpcs: UserServiceStub, ada: User, django_assert_num_queries: Any
):
    token, secret = logic.create_token(ada, "script")
    Token.objects.update(last_used_at=timezone.now() + timedelta(minutes=-5))
    with django_assert_num_queries(2):
        rpcs.GetCurrentUser(pb.GetCurrentUserRequest(), metadata=bearer(secret))
    token.refresh_from_db()
    assert token.last_used_at is not None


@pytest.mark.parametrize(
    ("request_message", "expected"),
    [
        (pb.CreateTokenRequest(name=""), {"name": "BLANK"}),
        (pb.CreateTokenRequest(name="x" * 101), {"name": "MAX_LENGTH"}),
        (pb.CreateTokenRequest(name="x", lifetime_days=366), {"lifetime_days": "OUT_OF_RANGE"}),
        (pb.CreateTokenRequest(name="x", lifetime_days=-1), {"lifetime_days": "OUT_OF_RANGE"}),
    ],
)
def test_tokens_that_cannot_be(
    rpcs: UserServiceStub, as_ada: User, request_message: pb.CreateTokenRequest, expected: dict[str, str]
):
    assert violations(rpcs.CreateToken, request_message) == expected


def test_there_are_only_so_many_tokens(rpcs: UserServiceStub, as_ada: User, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(logic, "MAX_TOKENS", 1)
    rpcs.CreateToken(pb.CreateTokenRequest(name="one"))
    assert failure(rpcs.CreateToken, pb.CreateTokenRequest(name="two"))[0] is Code.RESOURCE_EXHAUSTED


def test_nobody_sees_or_revokes_the_tokens_of_others(rpcs: UserServiceStub, as_staff: User, ada: User):
    token, secret = logic.create_token(ada, "script")
    assert not rpcs.ListTokens(pb.ListTokensRequest()).tokens
    assert failure(rpcs.RevokeToken, pb.RevokeTokenRequest(id=token.pk)) == (Code.NOT_FOUND, "Not found")
    assert logic.user_of_token(secret) == ada


def test_revoke_token(rpcs: UserServiceStub, as_ada: User):
    token, secret = logic.create_token(as_ada, "script")
    assert rpcs.RevokeToken(pb.RevokeTokenRequest(id=token.pk)) == pb.RevokeTokenResponse()
    assert logic.user_of_token(secret) is None
    assert failure(rpcs.RevokeToken, pb.RevokeTokenRequest(id=token.pk))[0] is Code.NOT_FOUND
