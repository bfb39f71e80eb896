"""What a caller is told of fields that are wrong."""

from __future__ import annotations

import builtins
import importlib
from typing import Any

import pytest
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.translation import gettext_lazy
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status

from grpc_bridge import error_details
from grpc_bridge.error_details import STATUS_DETAILS, field_violations
from grpc_bridge.protocol.status import StatusCode
from grpc_bridge.tests.calls import async_context, sync_context


def unpacked(details: bytes | None) -> list[tuple[str, str, str]]:
    """Gives field, description and reason of each violation."""
    assert details is not None
    status = Status.FromString(details)
    assert (status.code, status.message) == (3, "Invalid argument")
    (detail,) = status.details
    bad_request = BadRequest()
    assert detail.Unpack(bad_request)
    return [(found.field, found.description, found.reason) for found in bad_request.field_violations]


def violations(error: ValidationError) -> list[tuple[str, str, str]]:
    return unpacked(field_violations(error, StatusCode.INVALID_ARGUMENT, "Invalid argument"))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"name": "is wrong"}, [("name", "is wrong", "")]),
        ({"name": ["is wrong", "and long"]}, [("name", "is wrong", ""), ("name", "and long", "")]),
        ({"user.age": ValidationError("too old", code="max_value")}, [("user.age", "too old", "MAX_VALUE")]),
        ({"age": ValidationError("%(value)s is too old", params={"value": 7})}, [("age", "7 is too old", "")]),
        ({"age": ValidationError(gettext_lazy("too old"))}, [("age", "too old", "")]),
        ({"a": ValidationError("x", code="not-a-reason"), "b": "y"}, [("a", "x", ""), ("b", "y", "")]),
        ({NON_FIELD_ERRORS: ["together"]}, [("", "together", "")]),
        ({"name": "größer 😀"}, [("name", "größer 😀", "")]),
    ],
)
def test_each_problem_is_a_violation(error: Any, expected: list[tuple[str, str, str]]) -> None:
    assert violations(ValidationError(error)) == expected


@pytest.mark.parametrize("error", ["text", ["one", "two"]])
def test_an_error_without_fields_has_no_details(error: Any) -> None:
    assert field_violations(ValidationError(error), StatusCode.INVALID_ARGUMENT, "") is None


@pytest.mark.parametrize("make_context", [sync_context, async_context])
def test_they_travel_beside_what_the_handler_has_set(make_context: Any) -> None:
    context = make_context()
    context.set_trailing_metadata((("x", "y"),))
    context.fail(ValidationError({"name": "is wrong"}))
    assert context.status() == (StatusCode.INVALID_ARGUMENT, "Invalid argument")
    assert dict(context.trailing_pairs)["x"] == "y"
    trailing = dict(context.trailing_metadata())
    assert unpacked(trailing[STATUS_DETAILS]) == [("name", "is wrong", "")]


def test_a_text_that_the_handler_has_set_is_in_both_places() -> None:
    context = sync_context()
    context.set_details("Look at the fields")
    context.fail(ValidationError({"name": "is wrong"}))
    assert context.status()[1] == "Look at the fields"
    details = dict(context.trailing_metadata() or ())[STATUS_DETAILS]
    assert isinstance(details, bytes)
    assert Status.FromString(details).message == "Look at the fields"


def test_a_status_that_the_handler_has_set_stands_alone() -> None:
    context = sync_context()
    context._code = StatusCode.ABORTED
    context.fail(ValidationError({"name": "is wrong"}))
    assert context.status()[0] is StatusCode.ABORTED
    assert not context.trailing_pairs


def test_the_bridge_does_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without_it(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "google.rpc":
            raise ImportError(name)
        return real_import(name, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", without_it)
        importlib.reload(error_details)
    try:
        context = sync_context()
        context.fail(ValidationError({"name": "is wrong"}))
        assert context.status() == (StatusCode.INVALID_ARGUMENT, "Invalid argument")
        assert not context.trailing_pairs
    finally:
        importlib.reload(error_details)
