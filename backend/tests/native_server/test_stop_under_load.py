"""What becomes of calls that come while a server ends: of each, its caller knows whether it may call again."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import Counter
from pathlib import Path

import grpc
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc

from grpc_bridge.shutdown import MESSAGE, PUSHBACK
from tests.databases import Database
from tests.native_server.client import CHANNEL_OPTIONS, PATIENCE_SECONDS
from tests.native_server.process import Rungrpc, running_rungrpc
from tests.native_server.rpc import SERVICE
from tests.servers import STOP_SECONDS

CALLERS, CONNECTIONS = 64, 8
CALLS_BEFORE = 300
"""So many are answered first: then all callers are at work, and the server has more calls than it can take at once."""

PROBE_SECONDS = 0.01

OK = (grpc.StatusCode.OK, "")
NOT_SERVING = (grpc.StatusCode.OK, "NOT_SERVING")
TURNED_AWAY = (grpc.StatusCode.UNAVAILABLE, MESSAGE)
Ends = Counter[tuple[grpc.StatusCode, str]]


async def call_for_ever(channel: grpc.aio.Channel, ends: Ends, busy: asyncio.Event) -> None:
    """Calls until the server has gone, as a good client does: it comes back when it was told to."""
    method = channel.unary_unary(f"/{SERVICE}/Pid", StringValue.SerializeToString, StringValue.FromString)
    while True:
        try:
            await method(StringValue(), timeout=PATIENCE_SECONDS)
            ends[OK] += 1
            if ends[OK] >= CALLS_BEFORE:
                busy.set()
        except grpc.aio.AioRpcError as error:
            ends[error.code(), error.details() or ""] += 1
            hint = dict(error.trailing_metadata() or ()).get(PUSHBACK)
            if hint is None:
                return
            await asyncio.sleep(int(hint) / 1000)


async def probe_for_ever(channel: grpc.aio.Channel, ends: Ends) -> None:
    """Asks for the server's health until it has gone."""
    while not ends or all(code is grpc.StatusCode.OK for code, _ in ends):
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=PATIENCE_SECONDS
            )
            ends[grpc.StatusCode.OK, health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)] += 1
        except grpc.aio.AioRpcError as error:
            ends[error.code(), error.details() or ""] += 1
        await asyncio.sleep(PROBE_SECONDS)


async def stop_under_load(server: Rungrpc) -> tuple[Ends, Ends]:
    """Gives how calls and probes have ended."""
    ends: Ends = Counter()
    probes: Ends = Counter()
    busy = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        own, *channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(server.address, options=CHANNEL_OPTIONS))
            for _ in range(1 + CONNECTIONS)
        ]
        callers = [call_for_ever(channels[number % CONNECTIONS], ends, busy) for number in range(CALLERS)]
        everybody = asyncio.gather(probe_for_ever(own, probes), *callers)
        await busy.wait()
        server.process.send_signal(signal.SIGTERM)
        await everybody
    return ends, probes


def test_a_busy_server_tells_all_callers_that_they_may_call_again(tmp_path: Path, migrated: Database) -> None:
    with running_rungrpc(tmp_path, database=migrated) as server:
        ends, probes = asyncio.run(stop_under_load(server))
        assert server.process.wait(STOP_SECONDS) == 0
    assert {code for code, _ in ends} == {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}, ends
    assert ends[TURNED_AWAY] >= CALLERS, ends
    assert TURNED_AWAY not in probes
    assert probes[NOT_SERVING] > 0, probes
