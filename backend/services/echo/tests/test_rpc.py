"""The servicer through real grpcio servers and generated stubs: it is an ordinary servicer that needs no bridge.

How it behaves behind the bridge is tested in `tests/`.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from generated.echo.v1 import echo_pb2, echo_pb2_grpc
from services.echo import rpc

Code = grpc.StatusCode


class Stub:
    """Calls each method on the grpcio server that is made for its kind of handler.

    A grpc.server cannot run `async def`, and a grpc.aio.server loses track of an abort in a `def` generator.
    """

    def __init__(self, sync_channel: grpc.aio.Channel, async_channel: grpc.aio.Channel) -> None:
        self._sync = echo_pb2_grpc.EchoServiceStub(sync_channel)
        self._async = echo_pb2_grpc.EchoServiceStub(async_channel)

    def __getattr__(self, method: str) -> Any:
        handler = getattr(rpc.EchoServicer, method)
        is_async = inspect.iscoroutinefunction(handler) or inspect.isasyncgenfunction(handler)
        return getattr(self._async if is_async else self._sync, method)


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    """Calls servers that have the service and nothing else."""
    with ThreadPoolExecutor(4) as threads:
        sync_server, async_server = grpc.server(threads), grpc.aio.server()
        rpc.register(sync_server)
        rpc.register(async_server)
        addresses = [f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}" for server in (sync_server, async_server)]
        sync_server.start()
        await async_server.start()
        async with (
            grpc.aio.insecure_channel(addresses[0]) as sync_channel,
            grpc.aio.insecure_channel(addresses[1]) as async_channel,
        ):
            yield Stub(sync_channel, async_channel)
        await async_server.stop(grace=None)
        sync_server.stop(grace=None).wait()


async def failure(call: grpc.aio.Call) -> tuple[grpc.StatusCode, str, list[tuple[str, str | bytes]]]:
    """Gives how a call ended."""
    return await call.code(), await call.details(), [(key, value) for key, value in await call.trailing_metadata()]


def trailing_metadata(code: grpc.StatusCode, message: str, message_count: int) -> list[tuple[str, str | bytes]]:
    """Gives what goes along with an abort."""
    details = any_pb2.Any()
    details.Pack(
        error_details_pb2.ErrorInfo(
            reason="ABORT_ASKED_FOR", domain="echo.v1.EchoService", metadata={"message_count": str(message_count)}
        )
    )
    status = status_pb2.Status(code=code.value[0], message=message, details=[details])
    return [("grpc-status-details-bin", status.SerializeToString()), ("echo-message-count", str(message_count))]


async def until_error(call: grpc.aio.UnaryStreamCall) -> AsyncIterator[Any]:
    """Gives the responses that come before the call fails."""
    try:
        async for response in call:
            yield response
    except grpc.aio.AioRpcError:
        return


async def test_echo(stub: Stub):
    for text in ("", "hello", "größer 😀", "x" * 100_000):
        assert await stub.Echo(echo_pb2.EchoRequest(message=text)) == echo_pb2.EchoResponse(
            message=text, message_count=1
        )


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK])
async def test_echo_abort(stub: Stub, code: grpc.StatusCode):
    call = stub.EchoAbort(echo_pb2.EchoAbortRequest(message="as you wish", code=code.value[0]))
    with pytest.raises(grpc.aio.AioRpcError):
        await call
    assert await failure(call) == (code, "as you wish", trailing_metadata(code, "as you wish", 0))


@pytest.mark.parametrize("code", [0, 17, -1])
async def test_echo_abort_with_what_is_no_error(stub: Stub, code: int):
    call = stub.EchoAbort(echo_pb2.EchoAbortRequest(message="ignored", code=code))
    with pytest.raises(grpc.aio.AioRpcError):
        await call
    assert await failure(call) == (Code.INVALID_ARGUMENT, f"code must be a status code from 1 to 16, not {code}", [])


async def test_no_op(stub: Stub):
    assert await stub.NoOp(echo_pb2.NoOpRequest()) == echo_pb2.NoOpResponse()


@pytest.mark.parametrize("count", [0, 1, 5])
async def test_server_streaming(stub: Stub, count: int):
    call = stub.ServerStreamingEcho(echo_pb2.ServerStreamingEchoRequest(message="again", message_count=count))
    assert [(response.message, response.sequence) async for response in call] == [
        ("again", sequence) for sequence in range(1, count + 1)
    ]


@pytest.mark.parametrize("method", ["ServerStreamingEcho", "ServerStreamingEchoAbort"])
async def test_the_interval_is_waited_for(stub: Stub, method: str):
    """And the first message is not: it arrives long before the second."""
    request_type = getattr(echo_pb2, f"{method}Request")
    request = request_type(message="slow", message_count=3, message_interval=Duration(nanos=200_000_000))
    if method.endswith("Abort"):
        request.code = Code.ABORTED.value[0]
    call = getattr(stub, method)(request)
    begun = time.monotonic()
    arrivals = [time.monotonic() - begun for _ in range(3) if await call.read() is not grpc.aio.EOF]
    assert len(arrivals) == 3
    # Each begins its pause after the message before it was sent, so no arrival can be early.
    assert 0.4 <= arrivals[2] < 30


@pytest.mark.parametrize("method", ["ServerStreamingEcho", "ServerStreamingEchoAbort"])
@pytest.mark.parametrize(
    ("fields", "details"),
    [
        ({"message_count": -1}, "message_count must be between 0 and 10000, not -1"),
        ({"message_count": 10_001}, "message_count must be between 0 and 10000, not 10001"),
        ({"message_interval": Duration(seconds=61)}, "message_interval must be between 0 and 60 seconds"),
        ({"message_interval": Duration(seconds=-1)}, "message_interval must be between 0 and 60 seconds"),
        (
            {"message_interval": Duration(seconds=2**62)},
            "message_interval is not a duration that can be waited for",
        ),
    ],
)
async def test_what_cannot_be_streamed(stub: Stub, method: str, fields: dict[str, object], details: str):
    request = getattr(echo_pb2, f"{method}Request")(**fields)
    if method.endswith("Abort"):
        request.code = Code.ABORTED.value[0]
    call = getattr(stub, method)(request)
    with pytest.raises(grpc.aio.AioRpcError):
        await call.read()
    assert await failure(call) == (Code.INVALID_ARGUMENT, details, [])


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_a_stream_that_fails(stub: Stub, count: int):
    request = echo_pb2.ServerStreamingEchoAbortRequest(
        message="broken", message_count=count, code=Code.DATA_LOSS.value[0]
    )
    call = stub.ServerStreamingEchoAbort(request)
    responses = [(response.message, response.sequence) async for response in until_error(call)]
    assert responses == [("broken", sequence) for sequence in range(1, count + 1)]
    assert await failure(call) == (Code.DATA_LOSS, "broken", trailing_metadata(Code.DATA_LOSS, "broken", count))


@pytest.mark.parametrize("count", [0, 1, 100])
async def test_client_streaming(stub: Stub, count: int):
    requests = [echo_pb2.ClientStreamingEchoRequest(message=str(number)) for number in range(count)]
    assert await stub.ClientStreamingEcho(iter(requests)) == echo_pb2.ClientStreamingEchoResponse(message_count=count)


async def test_full_duplex(stub: Stub):
    """Each message is answered before the next is sent."""
    call = stub.FullDuplexEcho()
    for sequence, text in enumerate(("one", "", "three"), start=1):
        await call.write(echo_pb2.FullDuplexEchoRequest(message=text))
        assert await call.read() == echo_pb2.FullDuplexEchoResponse(message=text, sequence=sequence)
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is Code.OK


async def test_half_duplex(stub: Stub):
    requests = [echo_pb2.HalfDuplexEchoRequest(message=text) for text in ("one", "", "three")]
    call = stub.HalfDuplexEcho(iter(requests))
    assert [(response.sequence, response.message) async for response in call] == [(1, "one"), (2, ""), (3, "three")]


async def test_half_duplex_with_too_much(stub: Stub):
    requests = [echo_pb2.HalfDuplexEchoRequest(message="x" * 300_000)] * 4
    call = stub.HalfDuplexEcho(iter(requests))
    with pytest.raises(grpc.aio.AioRpcError):
        await call.read()
    details = "at most 10000 messages and 1048576 characters"
    assert await failure(call) == (Code.RESOURCE_EXHAUSTED, details, [])
