"""The async test client as a channel: what a stub gives and raises, for handlers of both kinds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from django.test import override_settings
from google.protobuf.wrappers_pb2 import StringValue

from generated.echo.v1 import echo_pb2, echo_pb2_grpc
from grpc_bridge.testing import AsyncClient
from grpc_bridge.tests.lab import SERVICE, AsyncLab, HandlerError, Lab, LabStub, text, texts

Code = grpc.StatusCode


@pytest.fixture(params=[Lab, AsyncLab])
def lab(request: pytest.FixtureRequest) -> Lab:
    servicer: Lab = request.param()
    return servicer


@pytest.fixture
async def client(lab: Lab) -> AsyncIterator[AsyncClient]:
    """A client, which must leave no task behind."""
    before = asyncio.all_tasks()
    async with AsyncClient(register=lab.register) as client:
        yield client
    async with asyncio.timeout(10):
        while not asyncio.all_tasks() <= before | {asyncio.current_task()}:  # noqa: ASYNC110 - nothing tells of the last
            await asyncio.sleep(0.001)


@pytest.fixture
def stub(client: AsyncClient) -> LabStub:
    return LabStub(client)


async def raised(awaitable: Any) -> grpc.aio.AioRpcError:
    """Gives what a call raises."""
    with pytest.raises(grpc.aio.AioRpcError) as info:
        await awaitable
    return info.value


async def collected(call: Any) -> list[StringValue]:
    return [response async for response in call]


async def asynchronously(requests: Iterator[StringValue]) -> AsyncIterator[StringValue]:
    for request in requests:
        await asyncio.sleep(0)
        yield request


async def test_generated_stubs_work_unchanged():
    async with AsyncClient() as client:
        stub = echo_pb2_grpc.EchoServiceStub(client)
        assert (await stub.Echo(echo_pb2.EchoRequest(message="hello"))).message == "hello"
        call = stub.ServerStreamingEcho(echo_pb2.ServerStreamingEchoRequest(message="again", message_count=2))
        assert [response.sequence async for response in call] == [1, 2]


class TestKinds:
    async def test_types(self, stub: LabStub):
        """Code that asks for the kind of a call finds grpcio's classes."""
        calls = [stub.Unary(text("a")), stub.Responses(text("0")), stub.Requests(texts()), stub.Both(texts())]
        kinds = [grpc.aio.UnaryUnaryCall, grpc.aio.UnaryStreamCall, grpc.aio.StreamUnaryCall, grpc.aio.StreamStreamCall]
        assert all(isinstance(call, kind) for call, kind in zip(calls, kinds, strict=True))
        for call in calls:
            call.cancel()

    async def test_unary(self, stub: LabStub):
        call = stub.Unary(text("hello"))
        assert await call == text("hello")
        assert await call == text("hello")

    @pytest.mark.parametrize("iterate", [iter, asynchronously])
    @pytest.mark.parametrize("values", [(), ("one",), ("one", "", "three")])
    async def test_stream_of_requests(self, stub: LabStub, iterate: Any, values: tuple[str, ...]):
        assert await stub.Requests(iterate(texts(*values))) == text("+".join(values))

    async def test_stream_of_requests_by_writing(self, stub: LabStub):
        call = stub.Requests()
        for request in texts("one", "two"):
            await call.write(request)
        await call.done_writing()
        await call.done_writing()
        assert await call == text("one+two")

    async def test_both(self, stub: LabStub):
        assert await collected(stub.Both(texts("one", "", "three"))) == list(texts("one", "", "three"))

    async def test_both_in_turns(self, stub: LabStub):
        call = stub.Both()
        for number in range(20):
            await call.write(text(str(number)))
            assert await call.read() == text(str(number))
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is Code.OK

    async def test_calls_run_side_by_side(self, stub: LabStub):
        assert await asyncio.gather(*(stub.Unary(text(str(n))) for n in range(50))) == [text(str(n)) for n in range(50)]

    async def test_parameters_have_the_names_that_grpcio_gives_them(self, stub: LabStub):
        assert await stub.Unary(request=text("a"), timeout=5) == text("a")
        assert await stub.Requests(request_iterator=texts("a", "b"), timeout=5) == text("a+b")

    @pytest.mark.parametrize("compression", list(grpc.Compression))
    async def test_compression(self, stub: LabStub, compression: grpc.Compression):
        assert await stub.Unary(text("compress"), compression=compression) == text("compress")

    async def test_large_messages(self, stub: LabStub):
        large = text("x" * 3_000_000)
        assert await collected(stub.Both(iter([large] * 3))) == [large] * 3


class TestCall:
    async def test_metadata(self, stub: LabStub):
        call = stub.Unary(text("initial"), metadata=(("key", "value"),))
        assert list(await call.initial_metadata()) == [("first", "1"), ("first-bin", b"\x00")]
        assert await call.trailing_metadata() == grpc.aio.Metadata()
        call = stub.Unary(text("trailing"), metadata=grpc.aio.Metadata(("key", "value")))
        trailing = await call.trailing_metadata()
        assert (trailing.get_all("a"), trailing["b-bin"]) == (["1", "2"], b"\x00\xff")
        metadata = grpc.aio.Metadata(("key", "value"))
        assert await stub.Unary(text("metadata key"), metadata=metadata) == text("['value']")

    async def test_metadata_that_may_not_travel(self, stub: LabStub):
        with pytest.raises(ValueError, match="metadata"):
            stub.Unary(text("hello"), metadata=(("Key", "x"),))

    async def test_end(self, stub: LabStub):
        call = stub.Unary(text("hello"), timeout=60)
        told: list[Any] = []
        call.add_done_callback(told.append)
        assert not call.done()
        assert 0 < call.time_remaining() <= 60
        await call.wait_for_connection()
        assert (await call.code(), await call.details()) == (Code.OK, "")
        assert call.done()
        assert not call.cancelled()
        assert not call.cancel()
        call.add_done_callback(told.append)
        assert told == [call, call]

    async def test_status_does_not_wait_for_a_reader(self):
        """And leaves the responses to be read, more than are made ahead of a slow reader."""

        class Large(AsyncLab):
            async def Responses(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
                for _ in range(100):
                    yield text("x" * 10_000)
                    self.seen.append("taken")

        lab = Large()
        async with AsyncClient(register=lab.register) as client:
            call = LabStub(client).Responses(text(""))
            await call.initial_metadata()
            for _ in range(100):
                await asyncio.sleep(0)
            assert 1 <= len(lab.seen) < 20
            assert await call.code() is Code.OK
            assert len(await collected(call)) == 100

    async def test_styles_do_not_mix(self, stub: LabStub):
        call = stub.Both(texts("one"))
        assert await call.read() == text("one")
        with pytest.raises(grpc.aio.UsageError):
            aiter(call)
        with pytest.raises(grpc.aio.UsageError):
            await call.write(text("two"))
        with pytest.raises(grpc.aio.UsageError):
            await call.done_writing()
        call = stub.Both(texts("one"))
        await anext(aiter(call))
        with pytest.raises(grpc.aio.UsageError):
            await call.read()

    async def test_writing_at_the_wrong_time(self, stub: LabStub):
        call = stub.Both()
        await call.done_writing()
        with pytest.raises(asyncio.InvalidStateError):
            await call.write(text("too late"))
        await call.code()
        with pytest.raises(asyncio.InvalidStateError):
            await call.write(text("far too late"))


class TestFailure:
    async def test_abort(self, stub: LabStub):
        error = await raised(stub.Unary(text("abort")))
        assert (error.code(), error.details()) == (Code.NOT_FOUND, "as told: ü")
        assert list(error.trailing_metadata()) == [("why", "told to")]
        assert error.__cause__ is None
        assert await stub.Unary(text("abort")).code() is Code.NOT_FOUND

    async def test_what_the_handler_raised_is_the_cause(self, stub: LabStub):
        """Each call has its own."""
        calls = [stub.Unary(text("raise")), stub.Unary(text("abort"))]
        errors = [await raised(call) for call in calls]
        assert [error.code() for error in errors] == [Code.UNKNOWN, Code.NOT_FOUND]
        assert [type(error.__cause__) for error in errors] == [HandlerError, type(None)]

    async def test_stream_that_fails(self, stub: LabStub):
        call = stub.Both(texts("one", "raise"))
        assert await call.read() == text("one")
        assert isinstance((await raised(call.read())).__cause__, HandlerError)
        call = stub.Both(texts("one", "raise"))
        responses = aiter(call)
        assert await anext(responses) == text("one")
        assert (await raised(anext(responses))).code() is Code.UNKNOWN

    async def test_unknown_method(self, client: AsyncClient):
        method = client.unary_unary("/test.v1.Lab/Missing", StringValue.SerializeToString, StringValue.FromString)
        assert (await raised(method(text("hello")))).code() is Code.UNIMPLEMENTED

    async def test_request_that_is_no_message(self, stub: LabStub, lab: Lab):
        for call in (stub.Unary(5), stub.Requests(iter([5]))):
            error = await raised(call)
            assert (error.code(), error.details()) == (Code.INTERNAL, "Exception serializing request!")
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Both().write(5)
        assert lab.seen == []

    async def test_requests_that_fail(self, stub: LabStub):
        def requests() -> Iterator[StringValue]:
            yield text("one")
            raise HandlerError("in the test")

        for call in (stub.Requests(requests()), stub.Requests(asynchronously(requests()))):
            error = await raised(call)
            assert (error.code(), error.details()) == (Code.UNKNOWN, "Exception iterating requests!")
            assert isinstance(error.__cause__, HandlerError)

    async def test_response_that_cannot_be_read(self, client: AsyncClient):
        def broken(_: bytes) -> Any:
            raise HandlerError("in the test")

        unary = client.unary_unary(f"/{SERVICE}/Unary", StringValue.SerializeToString, broken)
        assert (await raised(unary(text("hello")))).details() == "Exception deserializing response!"

    @pytest.mark.parametrize("seconds", [0, -1])
    async def test_no_handler_runs_that_is_too_late(self, stub: LabStub, lab: Lab, seconds: float):
        assert (await raised(stub.Unary(text("hello"), timeout=seconds))).code() is Code.DEADLINE_EXCEEDED
        assert lab.seen == []


class Waiting(AsyncLab):
    """Handlers that wait for what never comes, and remember how that ended."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()

    async def Unary(self, request: StringValue, context: Any) -> StringValue:
        try:
            self.seen.append("begun")
            self.begun.set()
            await asyncio.get_running_loop().create_future()
        finally:
            self.seen.append("ended")
        return request

    async def Both(self, requests: AsyncIterator[StringValue], context: Any) -> AsyncIterator[StringValue]:
        async for request in requests:
            yield request
            await self.Unary(request, context)


class TestCancel:
    @pytest.fixture
    def lab(self) -> Lab:
        return Waiting()

    async def test_cancel(self, stub: LabStub, lab: Lab):
        call = stub.Both()
        await call.write(text("one"))
        assert await call.read() == text("one")
        assert call.cancel()
        assert (call.done(), call.cancelled(), call.cancel()) == (True, True, False)
        assert (await call.code(), await call.details()) == (Code.CANCELLED, "Locally cancelled by application!")
        assert lab.seen == ["begun", "ended"]
        with pytest.raises(asyncio.CancelledError):
            await call.read()

    async def test_await_of_a_cancelled_call(self, stub: LabStub):
        call = stub.Unary(text("hello"))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    @pytest.mark.parametrize("method", ["Unary", "Both"])
    async def test_a_caller_that_is_cancelled_cancels_its_call(self, stub: LabStub, lab: Waiting, method: str):
        call = stub.Unary(text("one")) if method == "Unary" else stub.Both(texts("one"))
        caller = asyncio.ensure_future(call if method == "Unary" else collected(call))
        await lab.begun.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert await call.code() is Code.CANCELLED
        assert lab.seen == ["begun", "ended"]

    async def test_who_waits_for_the_status_does_not_cancel(self, stub: LabStub, lab: Lab):
        call = stub.Unary(text("one"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call.code(), 0.01)
        assert not call.done()

    async def test_deadline(self, stub: LabStub, lab: Lab):
        assert (await raised(stub.Unary(text("one"), timeout=0.02))).code() is Code.DEADLINE_EXCEEDED
        assert lab.seen == ["begun", "ended"]

    @pytest.mark.parametrize("grace", [None, 0.01])
    async def test_close_ends_what_runs(self, client: AsyncClient, stub: LabStub, lab: Lab, grace: float | None):
        call = stub.Unary(text("one"))
        await asyncio.sleep(0)
        await client.close(grace)
        assert await call.code() is Code.CANCELLED
        assert client.get_state() is grpc.ChannelConnectivity.SHUTDOWN
        with pytest.raises(grpc.aio.UsageError):
            stub.Unary(text("one"))


class TestClient:
    async def test_is_ready(self, client: AsyncClient):
        await client.channel_ready()
        assert client.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY
        await client.wait_for_state_change(grpc.ChannelConnectivity.IDLE)

    async def test_overridden_settings_hold(self, stub: LabStub):
        with override_settings(GRPC_BRIDGE={"MAX_RECEIVE_MESSAGE_BYTES": 100}):
            assert (await raised(stub.Unary(text("x" * 1000)))).code() is Code.RESOURCE_EXHAUSTED
        assert await stub.Unary(text("x" * 1000)) == text("x" * 1000)

    async def test_default_headers(self, lab: Lab):
        async with AsyncClient(register=lab.register, headers={"authorization": "Bearer x"}) as client:
            stub = LabStub(client)
            assert await stub.Unary(text("metadata authorization")) == text("['Bearer x']")
            override = (("authorization", "Bearer z"),)
            assert await stub.Unary(text("metadata authorization"), metadata=override) == text("['Bearer z']")

    async def test_a_grpcio_channel_gives_the_same(self, stub: LabStub, lab: Lab):
        """What these tests expect of a call is what grpcio does."""
        server = grpc.aio.server()
        lab.register(server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            real = LabStub(channel)
            for say in ("hello", "abort", "raise", "trailing"):
                ours, theirs = [
                    (
                        await call.code(),
                        len(await call.details()) if say == "raise" else await call.details(),
                        list(await call.trailing_metadata()),
                    )
                    for call in (stub.Unary(text(say)), real.Unary(text(say)))
                ]
                if say == "raise":
                    ours, theirs = ours[0], theirs[0]
                assert ours == theirs
        await server.stop(None)
