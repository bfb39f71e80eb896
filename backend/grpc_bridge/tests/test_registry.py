"""Which methods there are, and of which kind each is."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import pytest
from asgiref.sync import async_to_sync, markcoroutinefunction, sync_to_async
from django.core.exceptions import ImproperlyConfigured

from generated.echo.v1 import echo_pb2, echo_pb2_grpc
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.protocol.status import StatusCode
from grpc_bridge.registry import Registry
from grpc_bridge.tests.raw import environ, not_django, status_of
from grpc_bridge.transports.wsgi import wsgi_bridge

SERVICE = "test.v1.TestService"


def registered(handler: grpc.RpcMethodHandler[Any, Any]) -> Any:
    registry = Registry()
    registry.add_registered_method_handlers(SERVICE, {"Method": handler})
    return registry.find(f"/{SERVICE}/Method")


def unary(request: Any, context: Any) -> Any:
    return request


def stream(request: Any, context: Any) -> Iterator[Any]:
    yield request


async def async_unary(request: Any, context: Any) -> Any:
    return request


async def async_stream(request: Any, context: Any) -> AsyncIterator[Any]:
    yield request


def with_prefix(prefix: str, request: Any, context: Any) -> Any:
    return request


async def async_with_prefix(prefix: str, request: Any, context: Any) -> Any:
    return request


async def async_stream_with_prefix(prefix: str, request: Any, context: Any) -> AsyncIterator[Any]:
    yield request


class Servicer:
    def unary(self, request: Any, context: Any) -> Any:
        return request

    async def async_unary(self, request: Any, context: Any) -> Any:
        return request

    async def async_stream(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield request

    @staticmethod
    async def static(request: Any, context: Any) -> Any:
        return request

    @classmethod
    async def of_class(cls, request: Any, context: Any) -> Any:
        return request

    def __call__(self, request: Any, context: Any) -> Any:
        return request


class AsyncCallable:
    async def __call__(self, request: Any, context: Any) -> Any:
        return request


class AsyncGeneratorCallable:
    async def __call__(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield request


def decorated(behavior: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(behavior)
    async def wrapper(request: Any, context: Any) -> Any:
        return await behavior(request, context)

    return wrapper


def decorated_plainly(behavior: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(behavior)
    def wrapper(request: Any, context: Any) -> Any:
        return behavior(request, context)

    return wrapper


class EchoServicer(echo_pb2_grpc.EchoServiceServicer):
    async def NoOp(self, request: Any, context: Any) -> Any:
        return request


# name: (behavior, is it awaited, is it iterated with `async for`)
BEHAVIORS: dict[str, tuple[Callable[..., Any], bool, bool]] = {
    "def": (unary, False, False),
    "def generator": (stream, False, False),
    "async def": (async_unary, True, False),
    "async generator": (async_stream, True, True),
    "lambda": (lambda request, context: request, False, False),
    "partial def": (functools.partial(with_prefix, "a"), False, False),
    "partial async def": (functools.partial(async_with_prefix, "a"), True, False),
    "partial of a partial": (functools.partial(functools.partial(async_with_prefix, "a")), True, False),
    "partial async generator": (functools.partial(async_stream_with_prefix, "a"), True, True),
    "method": (Servicer().unary, False, False),
    "async method": (Servicer().async_unary, True, False),
    "async generator method": (Servicer().async_stream, True, True),
    "async static method": (Servicer.static, True, False),
    "async class method": (Servicer.of_class, True, False),
    "callable object": (Servicer(), False, False),
    "async callable object": (AsyncCallable(), True, False),
    "async generator callable object": (AsyncGeneratorCallable(), True, True),
    "partial method": (functools.partial(Servicer().async_unary), True, False),
    "decorated with async def": (decorated(async_unary), True, False),
    "def decorated": (decorated_plainly(unary), False, False),
    "marked": (markcoroutinefunction(decorated_plainly(async_unary)), True, False),
    "sync_to_async": (sync_to_async(unary), True, False),
    "async_to_sync": (async_to_sync(async_unary), False, False),
}


@pytest.mark.parametrize("name", BEHAVIORS)
def test_the_kind_of_a_handler_is_known(name: str) -> None:
    behavior, is_async, is_async_generator = BEHAVIORS[name]
    method = registered(grpc.unary_unary_rpc_method_handler(behavior))
    assert method.behavior is behavior
    assert (method.is_async, method.is_async_generator) == (is_async, is_async_generator)


@pytest.mark.parametrize(
    ("make", "request_streaming", "response_streaming"),
    [
        (grpc.unary_unary_rpc_method_handler, False, False),
        (grpc.unary_stream_rpc_method_handler, False, True),
        (grpc.stream_unary_rpc_method_handler, True, False),
        (grpc.stream_stream_rpc_method_handler, True, True),
    ],
)
def test_what_streams_is_known(make: Callable[..., Any], request_streaming: bool, response_streaming: bool) -> None:
    method = registered(make(unary, int.from_bytes, str.encode))
    assert (method.request_streaming, method.response_streaming) == (request_streaming, response_streaming)
    assert method.behavior is unary
    assert method.deserialize(b"\x07") == 7
    assert method.serialize("\u00e9") == b"\xc3\xa9"


def test_without_a_codec_bytes_stay_bytes() -> None:
    method = registered(grpc.unary_unary_rpc_method_handler(unary))
    assert method.deserialize(b"a") == method.serialize(b"a") == b"a"


def test_a_generated_function_registers_its_service() -> None:
    registry = Registry()
    echo_pb2_grpc.add_EchoServiceServicer_to_server(EchoServicer(), registry)  # type: ignore[arg-type]
    assert {method.path for method in registry} == {
        f"/echo.v1.EchoService/{method.name}" for method in echo_pb2.DESCRIPTOR.services_by_name["EchoService"].methods
    }
    echo, no_op = registry.find("/echo.v1.EchoService/Echo"), registry.find("/echo.v1.EchoService/NoOp")
    assert echo is not None
    assert no_op is not None
    assert (echo.is_async, no_op.is_async) == (False, True)
    assert echo.deserialize(b"\n\x01a") == echo_pb2.EchoRequest(message="a")


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "//", f"/{SERVICE}", f"/{SERVICE}/", f"/{SERVICE}/method", f"/{SERVICE}/METHOD", f"{SERVICE}/Method",
        f"/{SERVICE}/Method/", f"//{SERVICE}/Method", f"/prefix/{SERVICE}/Method", "/test.v1.testservice/Method",
        f"/{SERVICE}/Method ", f"/{SERVICE}/Meth%6Fd", f"/{SERVICE}/Other",
    ],
)  # fmt: skip
def test_a_path_is_taken_to_the_letter(path: str) -> None:
    registry = Registry()
    registry.add_registered_method_handlers(SERVICE, {"Method": grpc.unary_unary_rpc_method_handler(unary)})
    assert registry.find(path) is None


def test_a_method_is_registered_once() -> None:
    registry = Registry()
    handler = grpc.unary_unary_rpc_method_handler(unary)
    registry.add_registered_method_handlers(SERVICE, {"Method": handler})
    registry.add_registered_method_handlers(SERVICE, {"Other": handler})
    registry.add_registered_method_handlers("test.v1.OtherService", {"Method": handler})
    with pytest.raises(ImproperlyConfigured, match=rf"/{SERVICE}/Method is registered twice"):
        registry.add_registered_method_handlers(SERVICE, {"Method": handler})
    assert len(list(registry)) == 3


class Generic(grpc.GenericRpcHandler):
    """Serves one path and remembers what it was asked."""

    def __init__(self, path: str, behavior: Callable[..., Any]) -> None:
        self.path, self.behavior, self.asked = path, behavior, []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        self.asked.append((handler_call_details.method, handler_call_details.invocation_metadata))
        if handler_call_details.method == self.path:
            return grpc.unary_unary_rpc_method_handler(self.behavior)
        return None


def test_generic_handlers_are_asked_in_turn() -> None:
    registry, first, second = Registry(), Generic("/a/First", unary), Generic("/a/Second", async_unary)
    registry.add_generic_rpc_handlers((first,))
    registry.add_generic_rpc_handlers([second])
    method = registry.find_generic("/a/Second")
    assert method is not None
    assert (method.path, method.behavior, method.is_async) == ("/a/Second", async_unary, True)
    assert registry.find_generic("/a/Unknown") is None
    assert registry.find_generic("/a/First") is not None
    assert [path for path, _ in first.asked] == ["/a/Second", "/a/Unknown", "/a/First"]
    assert second.asked == [("/a/Second", ()), ("/a/Unknown", ())]


def test_generic_handlers_are_not_asked_for_what_may_be_a_page() -> None:
    registry, generic = Registry(), Generic("/", unary)
    registry.add_generic_rpc_handlers((generic,))
    assert registry.find("/") is None
    assert list(registry) == []
    assert generic.asked == []


def test_grpcios_own_generic_handler_is_understood() -> None:
    registry = Registry()
    handlers = {"Method": grpc.unary_unary_rpc_method_handler(unary)}
    registry.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    method = registry.find_generic(f"/{SERVICE}/Method")
    assert method is not None
    assert method.behavior is unary
    assert registry.find_generic(f"/{SERVICE}/Other") is None


def test_generic_handlers_see_the_callers_metadata() -> None:
    registry, generic = Registry(), Generic("/a/B", unary)
    registry.add_generic_rpc_handlers((generic,))
    assert registry.find_generic("/a/B", lambda: (("key", "value"),)) is not None  # type: ignore[arg-type, return-value]
    assert generic.asked == [("/a/B", (("key", "value"),))]


class Passing(grpc.ServerInterceptor):
    """Changes nothing."""

    def intercept_service(self, continuation: Any, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return continuation(handler_call_details)


def test_a_generic_handler_that_fails_ends_the_call_as_on_grpcio(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(grpc.GenericRpcHandler):
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
            raise KeyError("secret")

    registry = Registry()
    registry.add_generic_rpc_handlers((Failing(),))
    for interceptors in ((), (Passing(),)):
        answer = b"".join(
            wsgi_bridge(not_django, registry, BridgeSettings(interceptors=interceptors))(
                environ("Any"), lambda status, headers: lambda piece: None
            )
        )
        assert status_of(answer) == (StatusCode.UNKNOWN, "Error in service handler!")
        assert "KeyError: 'secret'" in caplog.text
        caplog.clear()
