"""What `manage.py check` says of servicers and of CORS. Settings and registration: see their own tests."""

from __future__ import annotations

import functools
import types
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import pytest
from django.core.checks import CheckMessage
from google.protobuf.message import Message

from generated.echo.v1 import echo_pb2, echo_pb2_grpc
from grpc_bridge import checks
from grpc_bridge.registry import Registry

Request, Response = echo_pb2.EchoRequest, echo_pb2.EchoResponse


def hides(behavior: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that knows of no `async def`."""

    @functools.wraps(behavior)
    def wrapper(*args: Any) -> Any:
        return behavior(*args)

    return wrapper


class Whole(echo_pb2_grpc.EchoServiceServicer):
    """Every method, one of each kind by hand."""

    def Echo(self, request: Any, context: Any) -> Any:
        return Response()

    async def NoOp(self, request: Any, context: Any) -> Any:
        return echo_pb2.NoOpResponse()

    def EchoAbort(self, request: Any, context: Any) -> Any:
        return echo_pb2.EchoAbortResponse()

    def ServerStreamingEcho(self, request: Any, context: Any) -> Any:
        return iter(())

    async def ServerStreamingEchoAbort(self, request: Any, context: Any) -> Any:
        await context.write(echo_pb2.ServerStreamingEchoAbortResponse())

    def ClientStreamingEcho(self, request_iterator: Any, context: Any) -> Any:
        return echo_pb2.ClientStreamingEchoResponse()

    def HalfDuplexEcho(self, request_iterator: Any, context: Any) -> Iterator[Any]:
        yield echo_pb2.HalfDuplexEchoResponse()

    async def FullDuplexEcho(self, request_iterator: Any, context: Any) -> AsyncIterator[Any]:
        yield echo_pb2.FullDuplexEchoResponse()


async def unary(self: Any, request: Any, context: Any) -> Any:
    return Response()


async def agenerator(self: Any, request: Any, context: Any) -> AsyncIterator[Any]:
    yield Response()


def generator(self: Any, request: Any, context: Any) -> Iterator[Any]:
    yield Response()


def annotated(self: Any, request: Any, context: Any) -> echo_pb2.ServerStreamingEchoResponse:
    raise NotImplementedError


def annotated_with_text(self: Any, request: Any, context: Any) -> Message:
    raise NotImplementedError


def annotated_for_checkers(self: Any, request: Any, context: Any) -> OnlyForCheckers:  # type: ignore[name-defined]  # noqa: F821
    raise NotImplementedError


def too_few(self: Any, request: Any) -> Any:
    return Response()


def of_one_class(name: str, behavior: Any) -> Any:
    """Gives a servicer with one method replaced."""
    return type("Servicer", (Whole,), {name: behavior})()


def found(monkeypatch: pytest.MonkeyPatch, servicer: Any) -> list[CheckMessage]:
    registry = Registry()
    echo_pb2_grpc.add_EchoServiceServicer_to_server(servicer, registry)
    monkeypatch.setattr(checks, "discovered_registry", lambda: registry)
    return checks.check_registration()


def test_a_good_servicer_of_every_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, Whole()) == []


@pytest.mark.parametrize(
    ("name", "behavior", "number", "said"),
    [
        ("Echo", echo_pb2_grpc.EchoServiceServicer.Echo, "W001", "is not implemented"),
        ("FullDuplexEcho", echo_pb2_grpc.EchoServiceServicer.FullDuplexEcho, "W001", "is not implemented"),
        ("Echo", too_few, "E003", "cannot be called"),
        ("Echo", generator, "E004", "has yield"),
        ("NoOp", agenerator, "E004", "has yield"),
        ("ClientStreamingEcho", generator, "E004", "has yield"),
        ("Echo", hides(unary), "E005", "async def inside a decorator"),
        ("FullDuplexEcho", hides(agenerator), "E005", "async def inside a decorator"),
        ("ServerStreamingEcho", annotated, "W002", "annotated to give one response"),
        ("HalfDuplexEcho", annotated_with_text, "W002", "annotated to give one response"),
    ],
)
def test_mistakes(monkeypatch: pytest.MonkeyPatch, name: str, behavior: Any, number: str, said: str) -> None:
    (message,) = found(monkeypatch, of_one_class(name, behavior))
    assert message.id == f"grpc_bridge.{number}"
    assert message.is_serious() is number.startswith("E")
    assert f"/echo.v1.EchoService/{name}" in message.msg
    assert said in message.msg
    assert message.hint
    assert str(message.obj).endswith(f"Servicer.{behavior.__name__}")


@pytest.mark.parametrize(
    ("name", "behavior"),
    [
        ("ServerStreamingEcho", generator),
        ("ServerStreamingEcho", agenerator),
        ("ServerStreamingEcho", unary),
        ("ServerStreamingEcho", hides(generator)),
        ("ServerStreamingEcho", annotated_for_checkers),
        ("Echo", hides(Whole.Echo)),
        ("Echo", functools.partialmethod(Whole.Echo)),
    ],
)
def test_what_is_no_mistake(monkeypatch: pytest.MonkeyPatch, name: str, behavior: Any) -> None:
    assert found(monkeypatch, of_one_class(name, behavior)) == []


def test_a_class_in_place_of_an_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = found(monkeypatch, Whole)
    assert {message.id for message in messages} == {"grpc_bridge.E003"}
    assert len(messages) == 8
    assert "instance" in str(messages[0].hint)


def test_the_base_class_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = found(monkeypatch, echo_pb2_grpc.EchoServiceServicer())
    assert [message.id for message in messages] == ["grpc_bridge.W001"] * 8


@pytest.mark.parametrize(
    "behavior", [lambda request, context: request, functools.partial(lambda x, request, context: request, 1), max]
)
def test_any_callable_may_be_registered(monkeypatch: pytest.MonkeyPatch, behavior: Any) -> None:
    registry = Registry()
    handler = grpc.unary_unary_rpc_method_handler(behavior)
    registry.add_registered_method_handlers("test.v1.Test", {"Method": handler})
    monkeypatch.setattr(checks, "discovered_registry", lambda: registry)
    assert checks.check_registration() == []


PAGE = "https://app.example.com"


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        ({}, []),
        ({"CORS_ALLOWED_ORIGINS": [PAGE], "CORS_ALLOW_CREDENTIALS": True}, []),
        ({"CORS_ALLOWED_ORIGIN_REGEXES": [r"https://.+\.example\.com"], "CORS_ALLOW_CREDENTIALS": True}, []),
        ({"CORS_ALLOWED_ORIGINS": ["*"]}, ["W003"]),
        ({"CORS_ALLOWED_ORIGIN_REGEXES": [r"https?://.*"]}, ["W003"]),
        ({"CORS_ALLOWED_ORIGIN_REGEXES": [".*"], "CORS_ALLOW_CREDENTIALS": True}, ["E006"]),
        ({"CORS_ALLOWED_ORIGIN_REGEXES": ["https://.*"], "CORS_ALLOW_CREDENTIALS": True}, ["E006"]),
        ({"CORS_ALLOWED_ORIGIN_REGEXES": [r"http://[^/]+"], "CORS_ALLOW_CREDENTIALS": True}, ["E006"]),
        ({"CORS_ALLOW_CREDENTIALS": True}, ["W004"]),
        ({"CORS_ALLOWED_ORIGINS": "*"}, []),  # said by E001
    ],
)
def test_cors(settings: Any, given: dict[str, Any], numbers: list[str]) -> None:
    settings.GRPC_BRIDGE = given
    messages = checks.check_cors()
    assert [message.id for message in messages] == [f"grpc_bridge.{number}" for number in numbers]
    assert all(message.hint for message in messages)


@pytest.mark.parametrize(
    ("given", "bridge", "warned"),
    [
        ({"CORS_ALLOWED_ORIGINS": [PAGE]}, {}, True),
        ({"CORS_ALLOW_ALL_ORIGINS": True}, {}, True),
        ({"CORS_ALLOWED_ORIGINS": []}, {}, False),
        ({"CORS_ALLOWED_ORIGINS": [PAGE]}, {"CORS_ALLOWED_ORIGINS": [PAGE]}, False),
    ],
)
def test_django_cors_headers_does_not_see_rpcs(
    settings: Any, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], bridge: dict[str, Any], warned: bool
) -> None:
    settings.GRPC_BRIDGE = bridge
    for name, value in given.items():
        setattr(settings, name, value)
    assert checks.check_cors() == []
    monkeypatch.setattr(checks, "apps", types.SimpleNamespace(is_installed=lambda name: name == "corsheaders"))
    assert [message.id for message in checks.check_cors()] == (["grpc_bridge.W005"] if warned else [])


@pytest.mark.parametrize(("application", "numbers"), [(None, ["grpc_bridge.W006"]), ("config.wsgi.application", [])])
def test_runserver_needs_to_know_the_application(settings: Any, application: str | None, numbers: list[str]) -> None:
    settings.WSGI_APPLICATION = application
    assert [message.id for message in checks.check_wsgi_application()] == numbers
