"""What others may rely on."""

from __future__ import annotations

import inspect

import pytest

import grpc_bridge


def test_the_public_names() -> None:
    assert grpc_bridge.__all__ == [
        "aget_user", "asgi", "drain", "get_session", "get_user", "release_thread", "set_user", "wsgi",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("aget_user", ["context"]),
        ("asgi", ["application"]),
        ("drain", ["everything"]),
        ("get_session", ["context"]),
        ("get_user", ["context"]),
        ("release_thread", []),
        ("set_user", ["context", "user"]),
        ("wsgi", ["application"]),
    ],
)
def test_each_is_documented(name: str, parameters: list[str]) -> None:
    function = getattr(grpc_bridge, name)
    assert list(inspect.signature(function).parameters) == parameters
    assert inspect.getdoc(function)
