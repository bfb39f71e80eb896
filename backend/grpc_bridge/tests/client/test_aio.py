"""The API for asyncio: calls as those of `grpc.aio`, on one event loop."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest

from grpc_bridge.client import aio
from grpc_bridge.client.aio import AioWebChannel
from grpc_bridge.protocol.frames import encode_frame
from grpc_bridge.protocol.trailers import encode_trailers
from grpc_bridge.tests.client.callers import METHOD
from grpc_bridge.tests.client.scripted import (
    OK,
    TYPE,
    Gate,
    Peer,
    Script,
    ScriptedServer,
    answering,
    good,
    head,
    whole,
)

Code = grpc.StatusCode
Serve = Callable[[Script], ScriptedServer]


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def server(serve: Serve, gate: Gate) -> ScriptedServer:
    return serve(gate)


@pytest.fixture
async def channel(server: ScriptedServer) -> AsyncIterator[AioWebChannel]:
    """A channel, which must leave no task behind."""
    before = asyncio.all_tasks()
    async with aio.insecure_web_channel(server.target) as channel:
        yield channel
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}


async def raised(awaitable: Any) -> grpc.aio.AioRpcError:
    """Gives what a call raises."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return caught.value


async def collected(call: Any) -> list[bytes]:
    return [message async for message in call]


async def is_set(event: Any) -> bool:
    return await asyncio.to_thread(event.wait, 20)


class TestUnary:
    async def test_in_time(self, channel: AioWebChannel, gate: Gate) -> None:
        call = channel.unary_unary(METHOD)(b"", timeout=60)
        assert isinstance(call, grpc.aio.UnaryUnaryCall)
        told: list[Any] = []
        call.add_done_callback(told.append)
        await call.wait_for_connection()
        assert list(await call.initial_metadata()) == [("first", "1")]
        assert (call.done(), call.cancelled()) == (False, False)
        assert 0 < call.time_remaining() <= 60
        gate.is_open.set()
        assert await call == b"one"
        assert await call == b"one"
        assert (await call.code(), await call.details(), call.done()) == (Code.OK, "", True)
        assert list(await call.trailing_metadata()) == [("last", "2")]
        assert told == [call]
        assert not call.cancel()

    async def test_error(self, serve: Serve) -> None:
        answer = whole(encode_trailers(5, "no cat", [("why", "dog")]), "first: 1")
        async with aio.insecure_web_channel(serve(answering(answer)).target) as channel:
            error = await raised(channel.unary_unary(METHOD)(b""))
        assert (error.code(), error.details()) == (Code.NOT_FOUND, "no cat")
        assert (list(error.initial_metadata()), list(error.trailing_metadata())) == (
            [("first", "1")],
            [("why", "dog")],
        )

    async def test_cancel(self, channel: AioWebChannel, gate: Gate) -> None:
        call = channel.unary_unary(METHOD)(b"")
        told: list[Any] = []
        call.add_done_callback(told.append)
        await is_set(gate.is_asked)
        assert call.cancel()
        assert (call.cancel(), call.cancelled(), call.done()) == (False, True, True)
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (await call.code(), await call.details()) == (Code.CANCELLED, "Locally cancelled by application!")
        assert await is_set(gate.saw_end)
        assert told == [call]

    async def test_a_caller_that_is_cancelled_cancels_its_call(self, channel: AioWebChannel, gate: Gate) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(channel.unary_unary(METHOD)(b""), 0.2)
        assert await is_set(gate.saw_end)

    async def test_who_waits_for_the_status_does_not_cancel(self, channel: AioWebChannel, gate: Gate) -> None:
        call = channel.unary_unary(METHOD)(b"")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call.code(), 0.05)
        assert not call.done()
        gate.is_open.set()
        assert await call == b"one"

    async def test_deadline(self, channel: AioWebChannel, gate: Gate) -> None:
        error = await raised(channel.unary_unary(METHOD)(b"", timeout=0.2))
        assert (error.code(), error.details()) == (Code.DEADLINE_EXCEEDED, "Deadline Exceeded")
        assert (await raised(channel.unary_unary(METHOD)(b"", timeout=0))).code() is Code.DEADLINE_EXCEEDED

    async def test_a_call_that_is_dropped_is_cancelled(self, channel: AioWebChannel, gate: Gate) -> None:
        call = channel.unary_unary(METHOD)(b"")
        await is_set(gate.is_asked)
        del call
        gc.collect()
        assert await is_set(gate.saw_end)

    async def test_nobody_is_there(self, serve: Serve) -> None:
        server = serve(answering(good(b"")))
        server.stop()
        async with aio.insecure_web_channel(server.target) as channel:
            call = channel.stream_unary(METHOD)()
            assert (await raised(call.wait_for_connection())).code() is Code.UNAVAILABLE

    async def test_side_by_side(self, serve: Serve) -> None:
        def script(peer: Peer) -> None:
            while (body := peer.request()) is not None:
                peer.send(good(body[5:]))

        async with aio.insecure_web_channel(serve(script).target) as channel:
            requests = [str(number).encode() for number in range(100)]
            assert await asyncio.gather(*map(channel.unary_unary(METHOD), requests)) == requests

    async def test_callback_that_fails_is_logged(
        self, channel: AioWebChannel, gate: Gate, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(_: object) -> None:
            raise LookupError("no such thing")

        told: list[Any] = []
        call = channel.unary_unary(METHOD)(b"")
        call.add_done_callback(broken)
        call.add_done_callback(told.append)
        gate.is_open.set()
        with caplog.at_level(logging.ERROR, "grpc_bridge.calling"):
            assert await call == b"one"
        assert told == [call]
        (record,) = caplog.records
        assert "Exception in callback" in record.getMessage()


class TestStream:
    async def test_messages_come_as_they_are_sent(self, channel: AioWebChannel, gate: Gate) -> None:
        call = channel.unary_stream(METHOD)(b"")
        assert isinstance(call, grpc.aio.UnaryStreamCall)
        assert await call.read() == b"one"
        assert not call.done()
        gate.is_open.set()
        assert await call.read() is grpc.aio.EOF
        assert await call.read() is grpc.aio.EOF
        assert (await call.code(), list(await call.trailing_metadata())) == (Code.OK, [("last", "2")])

    async def test_iteration(self, channel: AioWebChannel, gate: Gate) -> None:
        gate.is_open.set()
        assert await collected(channel.unary_stream(METHOD)(b"")) == [b"one"]
        assert await collected(channel.stream_stream(METHOD)(iter([b"", b""]))) == [b"one"]

    async def test_cancel(self, channel: AioWebChannel, gate: Gate) -> None:
        call = channel.unary_stream(METHOD)(b"")
        assert await call.read() == b"one"
        assert call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call.read()
        assert await is_set(gate.saw_end)

    async def test_a_reader_that_is_cancelled_cancels_its_call(self, channel: AioWebChannel, gate: Gate) -> None:
        call = channel.unary_stream(METHOD)(b"")
        assert await call.read() == b"one"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call.read(), 0.05)
        assert call.cancelled()
        assert await is_set(gate.saw_end)

    async def test_status_before_the_messages_are_read(self, serve: Serve) -> None:
        async with aio.insecure_web_channel(serve(answering(good(b"one", b"two"))).target) as channel:
            call = channel.unary_stream(METHOD)(b"")
            assert await call.code() is Code.OK
            assert not call.cancel()
            assert await collected(call) == [b"one", b"two"]

    async def test_it_can_be_cancelled_until_it_is_read(self, serve: Serve) -> None:
        async with aio.insecure_web_channel(serve(answering(good(b"one", b"two"))).target) as channel:
            call = channel.unary_stream(METHOD)(b"")
            assert await call.read() == b"one"
            assert not call.done()
            assert call.cancel()
            assert await call.code() is Code.CANCELLED

    async def test_who_does_not_read_holds_the_server_up(self, serve: Serve) -> None:
        sent: list[int] = []
        message = b"x" * 10_000

        def script(peer: Peer) -> None:
            peer.request()
            peer.send(head(TYPE, "transfer-encoding: chunked"))
            for _ in range(5000):
                peer.send_chunk(encode_frame(message))
                sent.append(1)
            peer.send_chunk(OK)
            peer.send_chunk(b"")

        async with aio.insecure_web_channel(serve(script).target) as channel:
            call = channel.unary_stream(METHOD)(b"")
            assert await call.read() == message
            before = -1
            while before != (before := len(sent)):  # noqa: ASYNC110 - until nothing happens, which nothing tells of
                await asyncio.sleep(0.3)
            assert before < 4000
            assert call._answer.waiting_bytes < 1_000_000
            count = 1
            while await call.read() is not grpc.aio.EOF:
                count += 1
            assert count == 5000


class TestRequests:
    async def test_writing_at_the_wrong_time(self, channel: AioWebChannel, gate: Gate) -> None:
        call = channel.stream_stream(METHOD)()
        assert isinstance(call, grpc.aio.StreamStreamCall)
        await call.write(b"one")
        await call.done_writing()
        with pytest.raises(asyncio.InvalidStateError):
            await call.write(b"two")
        gate.is_open.set()
        assert await call.read() == b"one"
        assert await call.read() is grpc.aio.EOF
        with pytest.raises(asyncio.InvalidStateError):
            await call.write(b"three")

    async def test_styles_do_not_mix(self, channel: AioWebChannel, gate: Gate) -> None:
        gate.is_open.set()
        call = channel.stream_stream(METHOD)(iter([b""]))
        with pytest.raises(grpc.aio.UsageError):
            await call.write(b"one")
        assert await call.read() == b"one"
        with pytest.raises(grpc.aio.UsageError):
            aiter(call)

    @pytest.mark.parametrize("is_async", [False, True])
    async def test_iterator_that_fails(self, channel: AioWebChannel, is_async: bool) -> None:
        def requests() -> Any:
            yield b"one"
            raise LookupError("no such thing")

        async def async_requests() -> Any:
            for request in requests():
                yield request

        error = await raised(channel.stream_unary(METHOD)(async_requests() if is_async else requests()))
        assert (error.code(), error.details()) == (Code.UNKNOWN, "Exception iterating requests!")
        assert isinstance(error.__cause__, LookupError)

    async def test_endless_requests_end_with_the_answer(self, serve: Serve) -> None:
        """Also where its messages have not been read yet, so that the call is not over."""

        def script(peer: Peer) -> None:
            peer.head()
            peer.send(good(b"one", b"two"))
            peer.rest()

        made: list[int] = []

        def requests() -> Any:
            while True:
                made.append(1)
                yield b"x"

        async with aio.insecure_web_channel(serve(script).target) as channel:
            call = channel.stream_stream(METHOD)(requests())
            assert await call.read() == b"one"
            assert not call.done()
            await asyncio.sleep(0)
            before = len(made)
            for _ in range(100):
                await asyncio.sleep(0)
            assert len(made) == before
            assert await call.read() == b"two"
            assert await call.read() is grpc.aio.EOF


class TestChannel:
    @pytest.mark.parametrize("grace", [None, 0.05])
    async def test_closing_ends_calls(self, server: ScriptedServer, gate: Gate, grace: float | None) -> None:
        channel = aio.insecure_web_channel(server.target)
        unary, stream = channel.unary_unary(METHOD)(b""), channel.unary_stream(METHOD)(b"")
        await is_set(gate.is_asked)
        await channel.close(grace)
        await channel.close()
        assert await unary.code() is Code.CANCELLED
        with pytest.raises(asyncio.CancelledError):
            await stream.read()
        with pytest.raises(grpc.aio.UsageError, match="closed"):
            channel.unary_unary(METHOD)(b"")
        assert channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN

    async def test_closing_lets_calls_end_in_time(self, server: ScriptedServer, gate: Gate) -> None:
        channel = aio.insecure_web_channel(server.target)
        call = channel.unary_unary(METHOD)(b"")
        await is_set(gate.is_asked)
        asyncio.get_running_loop().call_later(0.1, gate.is_open.set)
        await channel.close(grace=20)
        assert await call == b"one"

    def test_it_belongs_to_a_loop(self, serve: Serve) -> None:
        channel = aio.insecure_web_channel(serve(answering(good(b"one"))).target)

        async def first() -> None:
            assert await channel.unary_unary(METHOD)(b"") == b"one"

        async def second() -> None:
            with pytest.raises(grpc.aio.UsageError, match="another event loop"):
                channel.unary_unary(METHOD)(b"")

        with asyncio.Runner() as runner:
            runner.run(first())
            asyncio.run(second())
            runner.run(channel.close())

    def test_a_loop_may_rest_while_a_call_is_open(self, server: ScriptedServer, gate: Gate) -> None:

        async def main() -> Any:
            call = channel.unary_stream(METHOD)(b"")
            assert await call.read() == b"one"
            return call

        channel = aio.insecure_web_channel(server.target)
        with asyncio.Runner() as runner:
            call = runner.run(main())
            runner.run(channel.close())
        assert call.cancelled()
