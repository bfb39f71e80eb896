"""Accounts on the wire: maps messages to `logic` and back. An ordinary grpcio servicer.

Its methods are `def`, because all of them ask the database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import grpc
from django.core.exceptions import ValidationError
from google.protobuf.timestamp_pb2 import Timestamp

from generated.users.v1 import users_pb2, users_pb2_grpc
from grpc_bridge import get_user
from grpc_bridge.access import allow, signed_in, staff
from services.users import logic
from services.users.models import Role, Status, Token, User

_CODES: dict[type[Exception], grpc.StatusCode] = {
    logic.EmailTakenError: grpc.StatusCode.ALREADY_EXISTS,
    logic.OwnAccountError: grpc.StatusCode.FAILED_PRECONDITION,
    logic.AccountInUseError: grpc.StatusCode.FAILED_PRECONDITION,
    logic.TooManyTokensError: grpc.StatusCode.RESOURCE_EXHAUSTED,
}
"""What the errors of `logic` are on the wire. The bridge knows Django's own."""

_ROLES = {Role.CUSTOMER: users_pb2.USER_ROLE_CUSTOMER, Role.STAFF: users_pb2.USER_ROLE_STAFF}
_ROLES_BACK = {number: role for role, number in _ROLES.items()}
_STATUSES = {Status.ACTIVE: users_pb2.USER_STATUS_ACTIVE, Status.SUSPENDED: users_pb2.USER_STATUS_SUSPENDED}
_STATUSES_BACK = {number: status for status, number in _STATUSES.items()}


class UserServicer(users_pb2_grpc.UserServiceServicer):
    """Implements `users.v1.UserService`; the contract says what each method does."""

    @allow(signed_in)
    def GetCurrentUser(
        self, request: users_pb2.GetCurrentUserRequest, context: grpc.ServicerContext
    ) -> users_pb2.GetCurrentUserResponse:
        return users_pb2.GetCurrentUserResponse(user=_user_message(_caller(context)))

    @allow(signed_in)
    def GetUser(self, request: users_pb2.GetUserRequest, context: grpc.ServicerContext) -> users_pb2.GetUserResponse:
        return users_pb2.GetUserResponse(user=_user_message(logic.get_user(_caller(context), request.id)))

    @allow(staff)
    def ListUsers(
        self, request: users_pb2.ListUsersRequest, context: grpc.ServicerContext
    ) -> users_pb2.ListUsersResponse:
        page = logic.list_users(request.page_size, request.page_token, request.filter)
        return users_pb2.ListUsersResponse(
            users=map(_user_message, page.users), next_page_token=page.next_page_token, total_size=page.total_size
        )

    @allow(staff)
    def CreateUser(
        self, request: users_pb2.CreateUserRequest, context: grpc.ServicerContext
    ) -> users_pb2.CreateUserResponse:
        fields = logic.FIELDS if request.user.status else logic.FIELDS - {"status"}
        with _domain_errors(context, "user"):
            user = logic.create_user(_values(request.user, fields))
        return users_pb2.CreateUserResponse(user=_user_message(user))

    @allow(signed_in)
    def UpdateUser(
        self, request: users_pb2.UpdateUserRequest, context: grpc.ServicerContext
    ) -> users_pb2.UpdateUserResponse:
        fields = set(request.update_mask.paths)
        if not fields or not fields <= logic.FIELDS:
            problem = ValidationError(f"Name some of {', '.join(sorted(logic.FIELDS))}.", code="invalid")
            raise ValidationError({"update_mask": problem})
        with _domain_errors(context, "user"):
            user = logic.update_user(_caller(context), request.user.id, _values(request.user, fields))
        return users_pb2.UpdateUserResponse(user=_user_message(user))

    @allow(staff)
    def DeleteUser(
        self, request: users_pb2.DeleteUserRequest, context: grpc.ServicerContext
    ) -> users_pb2.DeleteUserResponse:
        with _domain_errors(context):
            logic.delete_user(_caller(context), request.id)
        return users_pb2.DeleteUserResponse()

    @allow(signed_in)
    def CreateToken(
        self, request: users_pb2.CreateTokenRequest, context: grpc.ServicerContext
    ) -> users_pb2.CreateTokenResponse:
        with _domain_errors(context):
            token, secret = logic.create_token(_caller(context), request.name, request.lifetime_days)
        return users_pb2.CreateTokenResponse(token=_token_message(token), secret=secret)

    @allow(signed_in)
    def ListTokens(
        self, request: users_pb2.ListTokensRequest, context: grpc.ServicerContext
    ) -> users_pb2.ListTokensResponse:
        return users_pb2.ListTokensResponse(tokens=map(_token_message, logic.list_tokens(_caller(context))))

    @allow(signed_in)
    def RevokeToken(
        self, request: users_pb2.RevokeTokenRequest, context: grpc.ServicerContext
    ) -> users_pb2.RevokeTokenResponse:
        logic.revoke_token(_caller(context), request.id)
        return users_pb2.RevokeTokenResponse()


def _caller(context: grpc.ServicerContext) -> User:
    user = get_user(context)
    if not isinstance(user, User):
        raise TypeError("this method is open to callers who are not signed in")
    return user


@contextmanager
def _domain_errors(context: grpc.ServicerContext, message: str = "") -> Iterator[None]:
    """Ends the call as `_CODES` says. Fields that are wrong are named as fields of that message in the request."""
    try:
        yield
    except tuple(_CODES) as error:
        context.abort(_CODES[type(error)], str(error))
    except ValidationError as error:
        if not message:
            raise
        raise ValidationError({f"{message}.{field}": found for field, found in error.error_dict.items()}) from error


def _values(message: users_pb2.User, fields: Collection[str]) -> dict[str, Any]:
    """Gives some of the fields as `logic` takes them. Raises `ValidationError` for unknown roles and statuses."""
    read: dict[str, Any] = {
        "email": lambda: message.email,
        "name": lambda: message.name,
        "age": lambda: message.age if message.HasField("age") else None,
        "roles": lambda: [_known("roles", _ROLES_BACK, role) for role in message.roles],
        "status": lambda: _known("status", _STATUSES_BACK, message.status),
        "metadata": lambda: dict(message.metadata),
    }
    return {field: read[field]() for field in fields}


def _known(field: str, known: dict[Any, Any], number: int) -> Any:
    if number not in known:
        raise ValidationError({field: ValidationError(f"There is no such value: {number}.", code="invalid_choice")})
    return known[number]


def _user_message(user: User) -> users_pb2.User:
    return users_pb2.User(
        id=user.pk,
        email=user.email,
        name=user.name,
        age=user.age,
        roles=[_ROLES[role] for role in user.roles],
        status=_STATUSES[user.status],
        metadata=user.metadata,
        created_at=_timestamp(user.created_at),
    )


def _token_message(token: Token) -> users_pb2.Token:
    return users_pb2.Token(
        id=token.pk,
        name=token.name,
        prefix=token.prefix,
        created_at=_timestamp(token.created_at),
        expires_at=_timestamp(token.expires_at),
        last_used_at=_timestamp(token.last_used_at) if token.last_used_at else None,
    )


def _timestamp(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp


def register(server: grpc.Server) -> None:
    """Adds the service to a server: the bridge's registry or a real grpcio one."""
    users_pb2_grpc.add_UserServiceServicer_to_server(UserServicer(), server)
