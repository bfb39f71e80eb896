"""The bridge's own client: all cases of the contract through it, and beside grpcio's, whose callers it has to fit.

The sync API is asked of the ASGI server and that for asyncio of the WSGI server, so that both are asked of one.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import Int32Value, StringValue
from grpc_status import rpc_status

from generated.echo.v1 import echo_pb2, echo_pb2_grpc
from grpc_bridge.client import aio, insecure_web_channel
from tests.contract.case import Answer, Call, Case, check
from tests.contract.cases import CASES
from tests.contract.cases.messages import texts
from tests.contract.control import Control, new_key
from tests.contract.differences import expected
from tests.contract.grpc_web import MODES, GrpcWebTransport
from tests.contract.methods import FLAVOURS, METHODS, path
from tests.contract.native import NativeTransport, metadata_of
from tests.contract.servicers.lifetime import CALLBACK, STARTED
from tests.servers import ASGI, WSGI, Server

UNLIMITED = (("grpc.max_receive_message_length", -1),)
PATIENCE_SECONDS = 15.0

BY_CASE = pytest.mark.parametrize(
    ("case", "flavour"),
    [pytest.param(case, flavour, id=f"{case.name}-{flavour}") for case in CASES for flavour in case.flavours],
)


@BY_CASE
def test_case_by_the_sync_api(asgi_server: Server, case: Case, flavour: str) -> None:
    with insecure_web_channel(asgi_server.authority, UNLIMITED) as channel:
        check(expected(case, f"{ASGI}, client"), NativeTransport(channel).call(flavour, case.call))


@BY_CASE
def test_case_by_the_api_for_asyncio(wsgi_server: Server, case: Case, flavour: str) -> None:
    check(expected(case, f"{WSGI}, client"), asyncio.run(call_aio(wsgi_server, flavour, case.call)))


async def call_aio(server: Server, flavour: str, call: Call) -> Answer:
    """Makes a call as `native.start` does, and gives its answer."""
    async with asyncio.timeout(PATIENCE_SECONDS), aio.insecure_web_channel(server.authority, UNLIMITED) as channel:
        running = channel.stream_stream(
            path(flavour, call.method),
            lambda message: message.SerializeToString(),
            METHODS[call.method].response.FromString,
        )(iter(call.requests), timeout=call.timeout, metadata=call.metadata, compression=call.compression)
        messages = []
        try:
            async for message in running:
                messages.append(message)  # noqa: PERF401 - those before an error count, too
        except grpc.RpcError:
            pass
        initial, trailing = await running.initial_metadata(), await running.trailing_metadata()
        return Answer(
            messages, await running.code(), await running.details(), metadata_of(initial), metadata_of(trailing)
        )


class Stub:
    """The contract's methods as generated code makes them."""

    def __init__(self, channel: Any) -> None:
        self.channel = channel

    def __getattr__(self, name: str) -> Any:
        method = METHODS[name]
        kind = (
            f"{'stream' if method.request_streaming else 'unary'}_{'stream' if method.response_streaming else 'unary'}"
        )
        return getattr(self.channel, kind)(
            path("Async", name), method.request.SerializeToString, method.response.FromString, _registered_method=True
        )


def status_of(call: Any) -> tuple[Any, ...]:
    """Gives what a sync call, or what it has raised, tells of its end."""
    initial, trailing = metadata_of(call.initial_metadata()), metadata_of(call.trailing_metadata())
    # grpcio's client has two ways to say what has ended a call on its own side.
    return call.code(), re.sub(r"^Stream removed \((.*)\)$", r"\1", call.details()), initial, trailing


def end_of(call: Any) -> tuple[Any, ...]:
    """Gives all that a sync call tells of its end."""
    return *status_of(call), call.is_active(), call.cancel()


def raised(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """Gives what is raised: its kinds, and what it tells."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what is compared
        function(*args, **kwargs)
    error = caught.value
    kinds = tuple(isinstance(error, kind) for kind in (grpc.RpcError, grpc.Call, ValueError))
    special = grpc.FutureCancelledError, grpc.FutureTimeoutError
    return kinds, type(error) if isinstance(error, special) else None, status_of(error) if kinds[1] else None


def failing() -> Iterator[StringValue]:
    yield StringValue(value="one")
    raise LookupError("no such thing")


def unary(stub: Stub) -> Any:
    response, call = stub.SetTrailing.with_call(Empty())
    yield response, end_of(call), call.time_remaining()
    yield call.add_callback(print), [(entry.key, entry.value) for entry in metadata_of_entries(call)]
    yield stub.Collect(iter(texts("one", "two")), timeout=10), stub.Echo(request=texts("a")[0], metadata=None)
    yield [stub.Echo(texts("a" * 1000)[0], compression=compression) for compression in grpc.Compression]


def metadata_of_entries(call: Any) -> list[Any]:
    """Gives the trailing metadata as the client gives it."""
    return [entry for entry in call.trailing_metadata() if entry.key.startswith("contract")]


def failures(stub: Stub) -> Any:
    yield raised(stub.AbortAfterTrailing, Empty())
    yield raised(stub.AbortAfterTrailing.future(Empty()).result)
    yield raised(stub.UnimplementedStream(Empty()).__next__)
    yield raised(stub.Echo, "no message")
    yield raised(stub.Collect, failing())
    with pytest.raises(grpc.RpcError) as caught:
        stub.AbortWithBadRequest(Empty())
    yield rpc_status.from_call(caught.value)


def streams(stub: Stub) -> Any:
    call = stub.Repeat(Int32Value(value=3))
    yield list(call), list(call), end_of(call), call.result(), call.exception(), call.done(), call.running()
    call = stub.AbortAfter(Int32Value(value=2))
    yield next(call), next(call), raised(call.__next__), raised(call.__next__), end_of(call), raised(call.result)
    call = stub.Chat(iter(texts("one", "two")))
    yield [next(call), next(call), next(call, None), call.code()]
    call = stub.SetTrailingInStream(Empty())
    yield call.initial_metadata() is not None, list(call), end_of(call)


def cancellation(stub: Stub) -> Any:
    future = stub.Wait.future(StringValue(value=new_key()))
    yield future.done(), future.running(), future.cancelled(), raised(future.result, timeout=0.01)
    yield future.cancel(), future.cancel(), future.done(), future.running(), future.cancelled(), end_of(future)
    yield raised(future.result), raised(future.exception), raised(future.traceback)
    call = stub.WaitInStream(StringValue(value=new_key()))
    yield next(call), call.is_active(), call.cancel(), raised(call.__next__), raised(call.result), end_of(call)
    call = stub.Repeat(Int32Value(value=3))
    yield next(call), call.cancel(), raised(call.__next__), call.code()


def deadlines(stub: Stub) -> Any:
    yield raised(stub.Sleep, Empty(), timeout=0.2)[2][0]
    yield raised(stub.Sleep, Empty(), timeout=0)[2][0]  # grpcio gives it a millisecond
    call = stub.WaitInStream(StringValue(value=new_key()), timeout=1)
    yield next(call), 0 < call.time_remaining() <= 1, raised(call.__next__)[2][0], call.time_remaining()


def sizes(stub: Stub) -> Any:
    yield raised(stub.Echo, texts("x" * 1001)[0])
    yield raised(stub.Large, Int32Value(value=1001))
    yield raised(list, stub.Chat(iter(texts("x" * 500, "x" * 1001))))


def closing(stub: Stub) -> Any:
    future, call = stub.Wait.future(StringValue(value=new_key())), stub.WaitInStream(StringValue(value=new_key()))
    echo = stub.Echo  # grpcio would crash on one that is made when the channel is closed
    yield next(call)
    stub.channel.close()
    yield raised(future.result), raised(call.__next__), future.cancelled(), raised(echo, texts("a")[0])[0]


def interception(stub: Stub) -> Any:
    seen: list[Any] = []

    class Interceptor(grpc.UnaryUnaryClientInterceptor, grpc.StreamStreamClientInterceptor):
        def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            call = continuation(details, request)
            seen.append((details.method, type(details.timeout), call.code()))
            return call

        def intercept_stream_stream(self, continuation: Any, details: Any, request_iterator: Any) -> Any:
            call = continuation(details, request_iterator)
            return (StringValue(value=response.value * 2) for response in call)

    intercepted = Stub(grpc.intercept_channel(stub.channel, Interceptor(), Interceptor()))
    yield intercepted.Echo(texts("a")[0], timeout=5), intercepted.Echo.future(texts("a")[0]).result()
    yield raised(intercepted.AbortAfterTrailing, Empty()), list(intercepted.Chat(iter(texts("a", "b")))), seen


SCENARIOS = (unary, failures, streams, cancellation, deadlines, sizes, closing, interception)
LIMITS = (("grpc.max_receive_message_length", 1000), ("grpc.max_send_message_length", 1000))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_a_sync_caller_sees_what_it_sees_with_grpcio(
    asgi_server: Server, rungrpc_address: str, scenario: Callable[[Stub], Any]
) -> None:
    options = LIMITS if scenario is sizes else ()
    with grpc.insecure_channel(rungrpc_address, options) as channel:
        by_grpcio = list(scenario(Stub(channel)))
    with insecure_web_channel(asgi_server.authority, options) as channel:
        assert list(scenario(Stub(channel))) == by_grpcio


async def aio_end_of(call: Any) -> tuple[Any, ...]:
    """Gives all that an asyncio call tells of its end."""
    initial, trailing = metadata_of(await call.initial_metadata()), metadata_of(await call.trailing_metadata())
    return await call.code(), await call.details(), initial, trailing, call.done(), call.cancelled(), call.cancel()


async def aio_raised(awaitable: Any) -> tuple[Any, ...]:
    """Gives what is raised: its kind, and what it tells."""
    try:
        await awaitable
    except grpc.aio.AioRpcError as error:
        return (
            error.code(),
            error.details(),
            metadata_of(error.initial_metadata()),
            metadata_of(error.trailing_metadata()),
        )
    except (asyncio.CancelledError, asyncio.InvalidStateError, grpc.aio.UsageError) as error:
        return (type(error),)
    raise AssertionError("nothing is raised")


async def aio_unary(stub: Stub) -> Any:
    call = stub.SetTrailing(Empty())
    yield await call, await call, await aio_end_of(call), isinstance(call, grpc.aio.UnaryUnaryCall)
    call = stub.AbortAfterTrailing(Empty())
    yield await aio_raised(call), await aio_raised(call), await aio_end_of(call)
    yield await stub.Collect(iter(texts("one", "two"))), await asyncio.gather(*map(stub.Echo, texts("a", "b")))


async def aio_streams(stub: Stub) -> Any:
    call = stub.Repeat(Int32Value(value=3))
    yield [message async for message in call], await aio_end_of(call), isinstance(call, grpc.aio.UnaryStreamCall)
    call = stub.AbortAfter(Int32Value(value=1))
    yield await call.read(), await aio_raised(call.read()), await aio_raised(call.read()), await aio_end_of(call)
    call = stub.Chat()
    for text in ("one", "two"):
        await call.write(StringValue(value=text))
        yield await call.read()
    await call.done_writing()
    yield await aio_raised(call.write(StringValue(value="late")))
    yield await call.read() is grpc.aio.EOF, await call.read() is grpc.aio.EOF, await aio_end_of(call)
    yield await aio_raised(call.write(StringValue(value="later")))
    call = stub.Chat(iter(texts("one")))
    yield await call.read(), await aio_raised(call.write(StringValue(value="other style")))


async def aio_cancellation(stub: Stub) -> Any:
    call = stub.Wait(StringValue(value=new_key()))
    yield call.done(), call.cancelled(), call.cancel(), call.cancel(), call.cancelled(), call.done()
    yield await aio_raised(call), await aio_end_of(call)
    call = stub.WaitInStream(StringValue(value=new_key()))
    yield await call.read(), call.cancel(), await aio_raised(call.read()), await aio_end_of(call)
    call = stub.WaitInStream(StringValue(value=new_key()))
    yield await call.read()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call.read(), 0.05)
    yield await aio_end_of(call)
    yield (await aio_raised(stub.Sleep(Empty(), timeout=0.2)))[0]


AIO_SCENARIOS = (aio_unary, aio_streams, aio_cancellation)


@pytest.mark.parametrize("scenario", AIO_SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_an_asyncio_caller_sees_what_it_sees_with_grpcio(
    asgi_server: Server, rungrpc_address: str, scenario: Callable[[Stub], AsyncIterator[Any]]
) -> None:
    async with grpc.aio.insecure_channel(rungrpc_address) as channel:
        by_grpcio = [one async for one in scenario(Stub(channel))]
    async with aio.insecure_web_channel(asgi_server.authority) as channel:
        assert [one async for one in scenario(Stub(channel))] == by_grpcio


def test_generated_stubs_as_they_are(server: Server) -> None:
    with insecure_web_channel(server.authority) as channel:
        stub = echo_pb2_grpc.EchoServiceStub(channel)
        assert stub.Echo(echo_pb2.EchoRequest(message="hello")).message == "hello"
        request = echo_pb2.ServerStreamingEchoRequest(message="again", message_count=2)
        assert [response.sequence for response in stub.ServerStreamingEcho(request)] == [1, 2]
        requests = (echo_pb2.ClientStreamingEchoRequest(message=word) for word in "abc")
        assert stub.ClientStreamingEcho(requests).message_count == 3
        both = (echo_pb2.HalfDuplexEchoRequest(message=word) for word in "abc")
        assert [response.message for response in stub.HalfDuplexEcho(both)] == ["a", "b", "c"]


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("method", ["Wait", "WaitInStream", "Tick"])
@pytest.mark.parametrize("end", ["cancel", "deadline", "close"])
def test_a_handler_ends_with_its_call(asgi_server: Server, flavour: str, method: str, end: str) -> None:
    control, key = Control(GrpcWebTransport(asgi_server, MODES[0])), new_key()
    with insecure_web_channel(asgi_server.authority) as channel:
        call = Call(method, [StringValue(value=key)], timeout=1.0 if end == "deadline" else None)
        running = channel.stream_stream(path(flavour, method), StringValue.SerializeToString)(
            iter(call.requests), timeout=call.timeout
        )
        control.assert_noted(key, STARTED)
        if end == "cancel":
            running.cancel()
        elif end == "close":
            channel.close()
        control.assert_noted(key, STARTED, CALLBACK)


def test_full_duplex(asgi_server: Server) -> None:
    """Over HTTP/1.1, where a server takes it."""
    received = ["start"]

    def requests() -> Iterator[StringValue]:
        for number in range(10):
            while len(received) <= number:
                come.wait(PATIENCE_SECONDS)
            yield StringValue(value=received[-1] + "!")

    come = threading.Event()
    with insecure_web_channel(asgi_server.authority) as channel:
        for response in Stub(channel).Chat(requests(), timeout=PATIENCE_SECONDS):
            received.append(response.value)
            come.set()
    assert received == ["start" + "!" * number for number in range(11)]
