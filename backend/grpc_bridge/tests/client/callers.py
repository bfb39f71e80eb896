"""The client's two APIs as one: a call, and all that its caller can learn of it."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple, Protocol

import grpc

from grpc_bridge.client import aio, insecure_web_channel

METHOD = "/test.v1.Lab/Any"
KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
DEADLINE_SECONDS = 30.0
"""Of calls that have to end by themselves: only a test that fails waits so long."""


class Learned(NamedTuple):
    """What the caller learns. `messages` are bytes: the stubs here have no serializers."""

    messages: list[bytes]
    code: grpc.StatusCode
    details: str
    initial: tuple[tuple[str, str | bytes], ...] = ()
    trailing: tuple[tuple[str, str | bytes], ...] = ()


class Caller(Protocol):
    """One of the APIs."""

    def __call__(self, target: str, kind: str = "unary_unary", *requests: bytes, **options: Any) -> Learned:
        """Makes a call of a kind on a new channel."""


def call_sync(target: str, kind: str = "unary_unary", *requests: bytes, **options: Any) -> Learned:
    """By `grpc_bridge.client`."""
    channel_options = options.pop("channel_options", None)
    with insecure_web_channel(target, channel_options) as channel:
        return learn_sync(channel, kind, *requests, **options)


def learn_sync(channel: Any, kind: str, *requests: bytes, **options: Any) -> Learned:
    """Makes a call on a sync channel."""
    method = getattr(channel, kind)(METHOD)
    request = iter(requests) if kind.startswith("stream") else requests[0] if requests else b""
    streams = kind.endswith("stream")
    call = (method if streams else method.future)(request, **{"timeout": DEADLINE_SECONDS, **options})
    messages: list[bytes] = []
    raised = None
    try:
        messages += call if streams else [call.result()]
    except grpc.RpcError as error:
        raised = _learned([], error)
    assert raised in (None, _learned([], call))
    return _learned(messages, call)


def _learned(messages: list[bytes], call: Any) -> Learned:
    return Learned(messages, call.code(), call.details(), call.initial_metadata(), call.trailing_metadata())


def call_aio(target: str, kind: str = "unary_unary", *requests: bytes, **options: Any) -> Learned:
    """By `grpc_bridge.client.aio`."""

    async def call() -> Learned:
        channel_options = options.pop("channel_options", None)
        async with aio.insecure_web_channel(target, channel_options) as channel:
            return await learn_aio(channel, kind, *requests, **options)

    return asyncio.run(call())


async def learn_aio(channel: Any, kind: str, *requests: bytes, **options: Any) -> Learned:
    """Makes a call on an asyncio channel."""
    method = getattr(channel, kind)(METHOD)
    request = iter(requests) if kind.startswith("stream") else requests[0] if requests else b""
    call = method(request, **{"timeout": DEADLINE_SECONDS, **options})
    messages: list[bytes] = []
    raised = None
    try:
        if kind.endswith("stream"):
            async for message in call:
                messages.append(message)  # noqa: PERF401 - those before an error count, too
        else:
            messages.append(await call)
    except grpc.aio.AioRpcError as error:
        raised = _learned([], error)
    initial, trailing = await call.initial_metadata(), await call.trailing_metadata()
    learned = Learned(messages, await call.code(), await call.details(), tuple(initial), tuple(trailing))
    if raised is not None:
        raised = raised._replace(initial=tuple(raised.initial), trailing=tuple(raised.trailing))
    assert raised in (None, learned._replace(messages=[]))
    return learned


CALLERS = {"sync": call_sync, "aio": call_aio}
