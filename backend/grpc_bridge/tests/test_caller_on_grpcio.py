"""The caller of a call on grpcio's own servers, whose contexts are not the bridge's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from grpc_bridge import aget_user, get_session, get_user, set_user

KEY = "a" * 32
METADATA = (("cookie", "theme=dark"), ("cookie", f"sessionid={KEY}"))


class NamedUser:
    """As good as any: nobody asks the database here."""

    def __init__(self, name: str) -> None:
        self.name = name


def _found(context: Any, user: Any) -> StringValue:
    assert get_user(context) is user
    assert get_session(context) is get_session(context)
    return StringValue(value=f"{user.name} {get_session(context).session_key}")


def _sync(request: StringValue, context: Any) -> StringValue:
    set_user(context, NamedUser(request.value))  # type: ignore[arg-type]
    return _found(context, get_user(context))


def _sync_stream(request: StringValue, context: Any) -> Iterator[StringValue]:
    set_user(context, NamedUser(request.value))  # type: ignore[arg-type]
    user = get_user(context)
    for _ in range(3):
        yield _found(context, user)


async def _async(request: StringValue, context: Any) -> StringValue:
    set_user(context, NamedUser(request.value))  # type: ignore[arg-type]
    return _found(context, await aget_user(context))


async def _async_stream(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
    set_user(context, NamedUser(request.value))  # type: ignore[arg-type]
    user = await aget_user(context)
    for _ in range(3):
        yield _found(context, user)


async def _abort(request: StringValue, context: Any) -> StringValue:
    set_user(context, NamedUser(request.value))  # type: ignore[arg-type]
    await context.abort(grpc.StatusCode.NOT_FOUND, "none")
    raise AssertionError


def _raise(request: StringValue, context: Any) -> StringValue:
    set_user(context, NamedUser(request.value))  # type: ignore[arg-type]
    raise ValueError


SYNC: dict[str, Callable[..., Any]] = {"Unary": _sync, "Stream": _sync_stream, "Fail": _raise}
ASYNC: dict[str, Callable[..., Any]] = {"Unary": _async, "Stream": _async_stream, "Fail": _abort}


def _register(server: Any, behaviors: dict[str, Callable[..., Any]]) -> None:
    codec: dict[str, Any] = {
        "request_deserializer": StringValue.FromString,
        "response_serializer": StringValue.SerializeToString,
    }
    handlers = {
        name: (grpc.unary_stream_rpc_method_handler if name == "Stream" else grpc.unary_unary_rpc_method_handler)(
            behavior, **codec
        )
        for name, behavior in behaviors.items()
    }
    server.add_registered_method_handlers("test.v1.Test", handlers)


@asynccontextmanager
async def _grpc_server(behaviors: dict[str, Callable[..., Any]]) -> AsyncIterator[int]:
    server = grpc.server(ThreadPoolExecutor(2))
    _register(server, behaviors)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()


@asynccontextmanager
async def _aio_server(behaviors: dict[str, Callable[..., Any]]) -> AsyncIterator[int]:
    server = grpc.aio.server(ThreadPoolExecutor(2))
    _register(server, behaviors)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield port
    await server.stop(None)


@pytest.mark.parametrize(
    ("serve", "behaviors"),
    [(_grpc_server, SYNC), (_aio_server, ASYNC), (_aio_server, SYNC)],
    ids=["grpc.server", "grpc.aio.server", "grpc.aio.server with def handlers"],
)
async def test_each_call_has_its_own_caller(serve: Any, behaviors: dict[str, Any]) -> None:
    async with serve(behaviors) as port, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        codec = (StringValue.SerializeToString, StringValue.FromString)
        unary = channel.unary_unary("/test.v1.Test/Unary", *codec)
        stream = channel.unary_stream("/test.v1.Test/Stream", *codec)
        fail = channel.unary_unary("/test.v1.Test/Fail", *codec)
        for name in ("ada", "bob"):
            request = StringValue(value=name)
            assert (await unary(request, metadata=METADATA)).value == f"{name} {KEY}"
            answers = [answer.value async for answer in stream(request, metadata=METADATA)]
            assert answers == [f"{name} {KEY}"] * 3
            with pytest.raises(grpc.RpcError):
                await fail(request)
        assert (await unary(StringValue(value="ada"))).value == "ada None"
