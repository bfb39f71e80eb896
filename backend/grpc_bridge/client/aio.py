"""Channels over HTTP/1.1 for asyncio, in the shape of `grpc.aio.insecure_channel` and `grpc.aio.secure_channel`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any

import grpc

from grpc_bridge.calling.aio_channel import AioChannel
from grpc_bridge.calling.method import CallOptions, StubMethod
from grpc_bridge.client.http import HttpExchange
from grpc_bridge.client.options import ChannelOptions, channel_options
from grpc_bridge.client.pool import Pool, State

Options = Sequence[tuple[str, Any]]
Interceptors = Sequence[grpc.aio.ClientInterceptor]


def insecure_web_channel(
    target: str,
    options: Options | None = None,
    compression: grpc.Compression | None = None,
    interceptors: Interceptors | None = None,
) -> AioWebChannel:
    """Gives a channel without encryption. Arguments are those of `grpc_bridge.client.insecure_web_channel`.

    An interceptor stands before the methods of each kind that it has a base class of `grpc.aio` for.
    """
    return AioWebChannel(channel_options(target, None, options, compression), interceptors or ())


def secure_web_channel(
    target: str,
    credentials: ssl.SSLContext,
    options: Options | None = None,
    compression: grpc.Compression | None = None,
    interceptors: Interceptors | None = None,
) -> AioWebChannel:
    """Gives a channel with TLS. Arguments are those of `grpc_bridge.client.secure_web_channel`."""
    return AioWebChannel(channel_options(target, credentials, options, compression), interceptors or ())


class AioWebChannel(AioChannel):
    """A channel over HTTP/1.1. It belongs to the event loop where it is first used, and has to be closed there."""

    def __init__(self, options: ChannelOptions, interceptors: Interceptors) -> None:
        super().__init__()
        self.max_send_bytes = options.max_send_bytes
        self.max_receive_bytes = options.max_receive_bytes
        self.compression = options.compression
        self.interceptors = tuple(interceptors)
        self._options = options
        self._pool: Pool | None = None

    def _pool_here(self) -> Pool:
        loop = asyncio.get_running_loop()
        if self._pool is None:
            self._pool = Pool(self._options, loop)
        elif self._pool.loop is not loop:
            raise grpc.aio.UsageError("The channel belongs to another event loop.")
        return self._pool

    def exchange(self, method: StubMethod, options: CallOptions) -> HttpExchange:
        return HttpExchange(self._pool_here(), method, options)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Gives the state: what the last call, or the last attempt to connect, has found."""
        if self._closed:
            return State.SHUTDOWN
        pool = self._pool_here()
        if try_to_connect:
            pool.connect()
        return pool.connectivity.state

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Waits until the state is another one."""
        changed = asyncio.Event()
        connectivity = self._pool_here().connectivity
        connectivity.watch(watcher := lambda _: changed.set())
        try:
            while self.get_state() is last_observed_state:
                changed.clear()
                await changed.wait()
        finally:
            connectivity.forget(watcher)

    async def channel_ready(self) -> None:
        """Waits until the server is there."""
        while (state := self.get_state(try_to_connect=True)) is not State.READY:
            await self.wait_for_state_change(state)

    async def close(self, grace: float | None = None) -> None:
        """Refuses calls from now on, ends those that run, at once or after `grace` seconds, and all connections."""
        await super().close(grace)
        if self._pool is not None:
            await self._pool.close()
