"""No method of the project is open by accident: who may call each is written here a second time, on purpose."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from grpc_bridge.access import Rule, anyone, rule_of, signed_in, staff
from grpc_bridge.registry import Method, discovered_registry
from grpc_bridge.testing import Client

OPEN = {
    "/echo.v1.EchoService/Echo",
    "/echo.v1.EchoService/EchoAbort",
    "/echo.v1.EchoService/NoOp",
    "/echo.v1.EchoService/ServerStreamingEcho",
    "/echo.v1.EchoService/ServerStreamingEchoAbort",
    "/echo.v1.EchoService/ClientStreamingEcho",
    "/echo.v1.EchoService/FullDuplexEcho",
    "/echo.v1.EchoService/HalfDuplexEcho",
    "/orders.v1.OrderService/ListProducts",
}
"""What anyone may call, signed in or not."""

FOR_USERS = {
    "/orders.v1.OrderService/PlaceOrder",
    "/orders.v1.OrderService/GetOrder",
    "/orders.v1.OrderService/ListOrders",
    "/orders.v1.OrderService/GetOrders",
    "/orders.v1.OrderService/CancelOrder",
    "/orders.v1.OrderService/StreamOrderUpdates",
    "/users.v1.UserService/GetCurrentUser",
    "/users.v1.UserService/GetUser",
    "/users.v1.UserService/UpdateUser",
    "/users.v1.UserService/CreateToken",
    "/users.v1.UserService/ListTokens",
    "/users.v1.UserService/RevokeToken",
}
"""What everybody may call who is signed in; the rest is decided by whose data it is."""

FOR_STAFF = {
    "/orders.v1.OrderService/UpdateOrderStatus",
    "/users.v1.UserService/ListUsers",
    "/users.v1.UserService/CreateUser",
    "/users.v1.UserService/DeleteUser",
}

METHODS = {method.path: method for method in discovered_registry()}


def methods_with(rule: Rule) -> set[str]:
    """Gives the methods that declare a rule."""
    return {path for path, method in METHODS.items() if rule_of(method.behavior) is rule}


@pytest.mark.parametrize(("rule", "paths"), [(anyone, OPEN), (signed_in, FOR_USERS), (staff, FOR_STAFF)])
def test_who_may_call_is_meant(rule: Rule, paths: set[str]):
    assert methods_with(rule) == paths


def test_each_method_declares_its_rule():
    assert not [path for path, method in METHODS.items() if rule_of(method.behavior) is None]


@pytest.mark.parametrize("path", sorted(METHODS.keys() - OPEN))
def test_all_others_refuse_who_is_not_known(path: str):
    """And do so before they look at the request, which is none of theirs here."""
    assert _code_of_empty_call(Client(), METHODS[path]) is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.django_db
@pytest.mark.parametrize("path", sorted(FOR_STAFF))
def test_what_is_for_staff_refuses_others(path: str, django_user_model: Any):
    client = Client()
    client.force_login(django_user_model.objects.create_user("ada@example.com"))
    assert _code_of_empty_call(client, METHODS[path]) is grpc.StatusCode.PERMISSION_DENIED


def _code_of_empty_call(client: Client, method: Method) -> grpc.StatusCode:
    arity = "_".join(
        "stream" if streams else "unary" for streams in (method.request_streaming, method.response_streaming)
    )
    call = getattr(client, arity)(method.path)
    try:
        responses = call(iter(()) if method.request_streaming else b"")
        list(responses if method.response_streaming else ())
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return grpc.StatusCode.OK
