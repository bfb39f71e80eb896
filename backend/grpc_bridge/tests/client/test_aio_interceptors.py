"""Asyncio interceptors: around calls, in place of them, and in the way."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import grpc
import pytest

from grpc_bridge.client import aio
from grpc_bridge.client.aio import AioWebChannel
from grpc_bridge.protocol.trailers import encode_trailers
from grpc_bridge.tests.client.callers import METHOD
from grpc_bridge.tests.client.scripted import Gate, Peer, Script, ScriptedServer, answering, good, whole

Code = grpc.StatusCode
Serve = Callable[[Script], ScriptedServer]
Open = Callable[..., AbstractAsyncContextManager[AioWebChannel]]


class Every(
    grpc.aio.UnaryUnaryClientInterceptor,
    grpc.aio.UnaryStreamClientInterceptor,
    grpc.aio.StreamUnaryClientInterceptor,
    grpc.aio.StreamStreamClientInterceptor,
):
    """Stands before methods of all kinds, and does what it is made with."""

    def __init__(self, intercept: Callable[[Any, Any, Any], Any]) -> None:
        self._intercept = intercept

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await self._intercept(continuation, client_call_details, request)

    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await self._intercept(continuation, client_call_details, request)

    async def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return await self._intercept(continuation, client_call_details, request_iterator)

    async def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return await self._intercept(continuation, client_call_details, request_iterator)


async def passes(continuation: Any, details: Any, request: Any) -> Any:
    """Does nothing."""
    return await continuation(details, request)


async def never(continuation: Any, details: Any, request: Any) -> Any:
    """Never comes to the call."""
    await asyncio.get_running_loop().create_future()


@pytest.fixture
def open_channel(serve: Serve) -> Open:
    """Opens a channel to a server with a script, behind interceptors that do what they are given."""

    @asynccontextmanager
    async def open_one(script: Script, *intercepts: Any) -> AsyncIterator[AioWebChannel]:
        interceptors = [Every(intercept) for intercept in intercepts]
        async with aio.insecure_web_channel(serve(script).target, interceptors=interceptors) as channel:
            yield channel

    return open_one


async def collected(call: Any) -> list[bytes]:
    return [message async for message in call]


async def test_all_kinds(open_channel: Open) -> None:
    async with open_channel(answering(good(b"one")), passes, passes) as channel:
        calls = (
            (channel.unary_unary(METHOD)(b""), grpc.aio.UnaryUnaryCall),
            (channel.unary_stream(METHOD)(b""), grpc.aio.UnaryStreamCall),
            (channel.stream_unary(METHOD)(iter([b""])), grpc.aio.StreamUnaryCall),
            (channel.stream_stream(METHOD)(iter([b""])), grpc.aio.StreamStreamCall),
        )
        for call, kind in calls:
            assert isinstance(call, kind)
            assert await (collected(call) if hasattr(call, "read") else call) in (b"one", [b"one"])
            assert (await call.code(), await call.details()) == (Code.OK, "")


async def test_order_and_details(serve: Serve) -> None:
    heads: list[Any] = []
    order: list[str] = []

    def script(peer: Peer) -> None:
        while (request := peer.head()) is not None:
            peer.body(request)
            heads.append(request)
            peer.send(good(b"one"))

    def adds(name: str) -> Any:
        async def intercept(continuation: Any, details: Any, request: Any) -> Any:
            order.append(f"{name} before")
            assert details.method == METHOD.encode()
            details.metadata.add("seen-by", name)
            call = await continuation(details._replace(method=details.method + b"Other", timeout=100), request)
            order.append(f"{name} {await call.code()}")
            return call

        return Every(intercept)

    async def renames(continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(details._replace(method=METHOD.encode()), request)

    interceptors = [adds("first"), Every(renames), adds("second")]
    async with aio.insecure_web_channel(serve(script).target, interceptors=interceptors) as channel:
        call = channel.unary_unary(METHOD)(b"", metadata=(("own", "1"),), compression=grpc.Compression.Gzip)
        assert await call == b"one"
    assert order == ["first before", "second before", "second StatusCode.OK", "first StatusCode.OK"]
    (request,) = heads
    assert request.line == f"POST {METHOD}Other HTTP/1.1"
    assert [entry for entry in request.headers if entry[0] in ("own", "seen-by")] == [
        ("own", "1"),
        ("seen-by", "first"),
        ("seen-by", "second"),
    ]
    assert request.header("grpc-encoding") == "gzip"
    assert request.header("grpc-timeout") is not None


async def test_only_kinds_that_an_interceptor_is_for(serve: Serve) -> None:
    seen: list[object] = []

    class Unary(grpc.aio.UnaryUnaryClientInterceptor):
        async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
            seen.append(request)
            return await continuation(client_call_details, request)

    async with aio.insecure_web_channel(serve(answering(good(b"one"))).target, interceptors=[Unary()]) as channel:
        assert await channel.unary_unary(METHOD)(b"request") == b"one"
        assert await collected(channel.unary_stream(METHOD)(b"other")) == [b"one"]
    assert seen == [b"request"]


class TestInPlaceOfACall:
    async def test_response(self, open_channel: Open) -> None:
        async def cached(continuation: Any, details: Any, request: Any) -> Any:
            return b"cached"

        async with open_channel(answering(good(b"one")), passes, cached) as channel:
            for call in (channel.unary_unary(METHOD)(b""), channel.stream_unary(METHOD)(iter([]))):
                told: list[Any] = []
                call.add_done_callback(told.append)
                assert await call == b"cached"
                assert (await call.code(), await call.details(), call.done()) == (Code.OK, "", True)
                assert await call.initial_metadata() == await call.trailing_metadata() == grpc.aio.Metadata()
                assert (call.cancel(), call.cancelled()) == (False, False)
                await call.wait_for_connection()
                await asyncio.sleep(0)
                assert told == [call]

    async def test_responses(self, open_channel: Open) -> None:
        async def doubled(continuation: Any, details: Any, request: Any) -> Any:
            call = await continuation(details, request)

            async def responses() -> AsyncIterator[bytes]:
                async for response in call:
                    yield response * 2

            return responses()

        async with open_channel(answering(good(b"one", b"two")), doubled, doubled) as channel:
            call = channel.unary_stream(METHOD)(b"")
            assert await collected(call) == [b"one" * 4, b"two" * 4]
            assert (await call.code(), call.done()) == (Code.OK, True)
            call = channel.stream_stream(METHOD)()
            await call.write(b"")
            await call.done_writing()
            assert [await call.read(), await call.read()] == [b"one" * 4, b"two" * 4]
            assert await call.read() is grpc.aio.EOF

    async def test_responses_without_a_call(self, open_channel: Open) -> None:
        async def made_up(continuation: Any, details: Any, request: Any) -> Any:
            async def responses() -> AsyncIterator[bytes]:
                yield b"made up"

            return responses()

        async with open_channel(answering(good()), made_up) as channel:
            call = channel.unary_stream(METHOD)(b"")
            assert await collected(call) == [b"made up"]
            assert await call.code() is Code.OK


class TestFailure:
    async def test_of_the_call(self, open_channel: Open) -> None:
        answer = whole(encode_trailers(5, "no cat", [("why", "dog")]), "first: 1")
        async with open_channel(answering(answer), passes) as channel:
            call = channel.unary_unary(METHOD)(b"")
            with pytest.raises(grpc.aio.AioRpcError, match="no cat"):
                await call
            assert (await call.code(), await call.details()) == (Code.NOT_FOUND, "no cat")
            assert list(await call.initial_metadata()) == [("first", "1")]
            assert list(await call.trailing_metadata()) == [("why", "dog")]
            stream = channel.unary_stream(METHOD)(b"")
            with pytest.raises(grpc.aio.AioRpcError, match="no cat"):
                await stream.read()

    async def test_that_an_interceptor_sees_to(self, open_channel: Open) -> None:
        async def retries(continuation: Any, details: Any, request: Any) -> Any:
            for _ in range(2):
                call = await continuation(details, request)
                if await call.code() is not Code.UNAVAILABLE:
                    break
            return call

        script = answering(whole(encode_trailers(14)), good(b"one"))
        async with open_channel(script, retries) as channel:
            assert await channel.unary_unary(METHOD)(b"") == b"one"

    async def test_of_an_interceptor(self, open_channel: Open) -> None:
        async def denies(continuation: Any, details: Any, request: Any) -> Any:
            raise grpc.aio.AioRpcError(Code.PERMISSION_DENIED, details="not you")

        async def broken(continuation: Any, details: Any, request: Any) -> Any:
            raise LookupError("no such thing")

        async with open_channel(answering(good(b"one")), passes, denies) as channel:
            call = channel.unary_unary(METHOD)(b"")
            with pytest.raises(grpc.aio.AioRpcError, match="not you"):
                await call
            assert (await call.code(), await call.details()) == (Code.PERMISSION_DENIED, "not you")
            assert (call.done(), call.cancelled()) == (True, False)
        async with open_channel(answering(good(b"one")), passes, broken) as channel:
            with pytest.raises(LookupError):
                await channel.unary_unary(METHOD)(b"")
            with pytest.raises(LookupError):
                await channel.unary_stream(METHOD)(b"").read()
            channel.unary_unary(METHOD)(b"")  # that nobody looks at is no reason for a warning
            await asyncio.sleep(0)
            gc.collect()


class TestCancel:
    @pytest.mark.parametrize("intercept", [passes, never])
    async def test_by_the_caller(self, open_channel: Open, intercept: Any) -> None:
        gate = Gate()
        async with open_channel(gate, intercept) as channel:
            call = channel.unary_unary(METHOD)(b"", timeout=60)
            told: list[Any] = []
            call.add_done_callback(told.append)
            if intercept is passes:
                await asyncio.to_thread(gate.is_asked.wait, 20)
            assert 0 < call.time_remaining() <= 60
            assert (call.done(), call.cancelled()) == (False, False)
            assert call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert (await call.code(), await call.details()) == (Code.CANCELLED, "Locally cancelled by application!")
            assert (call.done(), call.cancelled(), call.cancel()) == (True, True, False)
            await asyncio.sleep(0)
            assert told == [call]

    async def test_with_its_caller(self, open_channel: Open) -> None:
        gate = Gate()
        async with open_channel(gate, passes) as channel:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(channel.unary_unary(METHOD)(b""), 0.2)
            assert await asyncio.to_thread(gate.saw_end.wait, 20)

    async def test_with_the_channel(self, open_channel: Open) -> None:
        async with open_channel(answering(good(b"one")), never) as channel:
            call = channel.unary_unary(METHOD)(b"")
        assert call.cancelled()

    async def test_who_waits_for_the_status_does_not_cancel(self, open_channel: Open) -> None:
        async with open_channel(answering(good(b"one")), never) as channel:
            call = channel.unary_unary(METHOD)(b"")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(call.code(), 0.02)
            assert not call.done()


class TestWriting:
    async def test_in_turns(self, open_channel: Open) -> None:
        async with open_channel(answering(good(b"one")), passes) as channel:
            call = channel.stream_unary(METHOD)()
            await call.write(b"one")
            await call.write(b"two")
            await call.done_writing()
            await call.done_writing()
            with pytest.raises(asyncio.InvalidStateError, match="half closed"):
                await call.write(b"three")
            assert await call == b"one"

    async def test_to_a_call_that_is_over(self, open_channel: Open) -> None:
        def early(peer: Peer) -> None:
            peer.head()
            peer.send(good(b"one"))
            peer.rest()

        async with open_channel(early, passes) as channel:
            call = channel.stream_unary(METHOD)()
            await call.write(b"one")
            assert await call == b"one"
            with pytest.raises(asyncio.InvalidStateError, match="finished"):
                await call.write(b"two")

    async def test_beside_an_iterator(self, open_channel: Open) -> None:
        async with open_channel(answering(good(b"one")), passes) as channel:
            call = channel.stream_unary(METHOD)(iter([b""]))
            with pytest.raises(grpc.aio.UsageError):
                await call.write(b"one")
            assert await call == b"one"
