"""`manage.py list_rpcs`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from io import StringIO
from typing import Any

import grpc
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from generated.echo.v1 import echo_pb2_grpc
from grpc_bridge.management.commands import list_rpcs
from grpc_bridge.registry import Registry

HERE = __name__


class Base:
    """What a servicer may inherit."""

    def Unary(self, request: Any, context: Any) -> Any:
        return request


class Servicer(Base):
    """A method of each kind."""

    async def Server(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield request

    def Client(self, requests: Any, context: Any) -> Any:
        return next(requests)

    def Both(self, requests: Any, context: Any) -> Iterator[Any]:
        yield from requests


def function(request: Any, context: Any) -> Any:
    return request


def registered() -> Registry:
    servicer = Servicer()
    registry = Registry()
    handlers: dict[str, Any] = {
        "Unary": grpc.unary_unary_rpc_method_handler(servicer.Unary),
        "Server": grpc.unary_stream_rpc_method_handler(servicer.Server),
        "Client": grpc.stream_unary_rpc_method_handler(servicer.Client),
        "Both": grpc.stream_stream_rpc_method_handler(servicer.Both),
        "Function": grpc.unary_unary_rpc_method_handler(function),
        "Missing": grpc.unary_unary_rpc_method_handler(echo_pb2_grpc.EchoServiceServicer().Echo),
    }
    registry.add_registered_method_handlers("test.v1.Test", handlers)
    return registry


def run(monkeypatch: pytest.MonkeyPatch, registry: Registry, *arguments: str) -> tuple[str, str]:
    monkeypatch.setattr(list_rpcs, "discovered_registry", lambda: registry)
    out, err = StringIO(), StringIO()
    call_command("list_rpcs", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, registered())[0].splitlines() == [
        f"/test.v1.Test/Both      bidirectional streaming  def        {HERE}.Servicer.Both",
        f"/test.v1.Test/Client    client streaming         def        {HERE}.Servicer.Client",
        f"/test.v1.Test/Function  unary                    def        {HERE}.function",
        "/test.v1.Test/Missing   unary                    def        not implemented",
        f"/test.v1.Test/Server    server streaming         async def  {HERE}.Servicer.Server",
        f"/test.v1.Test/Unary     unary                    def        {HERE}.Servicer.Unary",
    ]


def test_json(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = json.loads(run(monkeypatch, registered(), "--json")[0])
    assert [row["path"] for row in rows] == sorted(row["path"] for row in rows)
    assert [row["path"] for row in rows if not row["implemented"]] == ["/test.v1.Test/Missing"]
    assert rows[4] == {
        "path": "/test.v1.Test/Server",
        "kind": "server streaming",
        "handler": "async def",
        "location": f"{HERE}.Servicer.Server",
        "implemented": True,
    }


def test_nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, Registry()) == ("", "No rpc module registers any method.\n")
    assert json.loads(run(monkeypatch, Registry(), "--json")[0]) == []


def test_what_cannot_be_registered_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> Registry:
        raise ImproperlyConfigured("/a.B/C is registered twice")

    monkeypatch.setattr(list_rpcs, "discovered_registry", fails)
    with pytest.raises(CommandError, match="registered twice"):
        call_command("list_rpcs")


def test_the_methods_of_this_project() -> None:
    out = StringIO()
    call_command("list_rpcs", stdout=out)
    assert "/echo.v1.EchoService/Echo " in out.getvalue()
