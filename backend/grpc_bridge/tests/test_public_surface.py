"""What others may rely on."""

from __future__ import annotations

import inspect

import grpc_bridge


def test_the_public_names() -> None:
    assert grpc_bridge.__all__ == ["asgi", "wsgi"]


def test_each_takes_an_application_and_is_documented() -> None:
    for name in grpc_bridge.__all__:
        function = getattr(grpc_bridge, name)
        assert list(inspect.signature(function).parameters) == ["application"]
        assert inspect.getdoc(function)
