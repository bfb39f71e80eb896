"""The connections of a channel on an event loop: aiohttp's pool, the calls that it carries, and what is known of it."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import aiohttp
import grpc

from grpc_bridge.client.connectivity import Connectivity
from grpc_bridge.client.options import ChannelOptions
from grpc_bridge.protocol.answer import MAX_TRAILERS_BYTES

State = grpc.ChannelConnectivity

CONNECT_SECONDS = 20.0
"""How long a connection may take to be made. grpcio waits as long."""

IDLE_SECONDS = 15.0
"""How long a connection is kept that no call has. Servers keep theirs longer, so that it is not them who end it, at the
moment when a call takes it. gunicorn does so in this project."""

CLOSE_SECONDS = 1.0
"""How long it is waited for the farewells of connections."""

READ_BYTES = 64 * 1024

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0
"""How long to wait before the next attempt to connect, for whoever waits until the server is there."""


def pauses() -> Iterator[float]:
    """Gives the seconds to wait before each further attempt to connect: longer each time, and never quite the same."""
    longest = FIRST_PAUSE_SECONDS
    while True:
        yield random.uniform(longest / 2, longest)  # noqa: S311 - nobody gains from guessing it
        longest = min(longest * 2, LONGEST_PAUSE_SECONDS)


transport_of_call: ContextVar[asyncio.Transport | None] = ContextVar("grpc_bridge_transport", default=None)
"""What lies below the connection that the running call was given."""


def drop_what_was_not_sent(transport: asyncio.Transport | None) -> None:
    """Breaks a connection off that is being closed: with bytes to be sent it would wait, perhaps for ever, for a server
    to take them."""
    if transport is not None and transport.is_closing():
        # asyncio raises this where the last bytes have been taken meanwhile, and all is closed.
        with contextlib.suppress(AttributeError):
            transport.abort()


class Connector(aiohttp.TCPConnector):
    """aiohttp's own, and notes which connection a call is given: there is no other way to it before an answer comes."""

    async def connect(self, *args: Any, **kwargs: Any) -> aiohttp.connector.Connection:
        connection = await super().connect(*args, **kwargs)
        transport_of_call.set(connection.transport)
        return connection


class Pool:
    """The connections of a channel. All but `options`, `headers` and `loop` is for the event loop only."""

    def __init__(self, options: ChannelOptions, loop: asyncio.AbstractEventLoop) -> None:
        self.options = options
        self.loop = loop
        self.headers = [("user-agent", options.user_agent)]
        """What all requests have."""
        if options.authority is not None:
            self.headers.append(("host", options.authority))
        self.connectivity = Connectivity()
        self._session: aiohttp.ClientSession | None = None
        self._connecting: asyncio.Task[None] | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """aiohttp's own. Where nothing has been sent yet, this makes it."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                auto_decompress=False,
                connector=Connector(
                    keepalive_timeout=IDLE_SECONDS, limit=0, ssl=True if self.options.tls is None else self.options.tls
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                max_field_size=MAX_TRAILERS_BYTES,
                read_bufsize=READ_BYTES,
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            )
        return self._session

    def connect(self) -> None:
        """Begins to find out whether the server is there, until it is, unless that is known."""
        if self.connectivity.state is not State.READY and (self._connecting is None or self._connecting.done()):
            self._connecting = self.loop.create_task(self._connect())

    async def _connect(self) -> None:
        url = self.options.url("")
        name = (self.options.server_name or url.raw_host) if self.options.tls is not None else None
        for pause in pauses():
            self.connectivity.set(State.CONNECTING)
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    _, writer = await asyncio.open_connection(
                        url.host, url.port, ssl=self.options.tls, server_hostname=name
                    )
            except OSError:  # as are all of TLS, and TimeoutError
                self.connectivity.set(State.TRANSIENT_FAILURE)
            else:
                self.connectivity.set(State.READY)
                await _farewell(writer)
                return
            await asyncio.sleep(pause)

    async def close(self) -> None:
        """Lets go of all connections, when all calls are over."""
        self.connectivity.set(State.SHUTDOWN)
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait((self._connecting,))
        if self._session is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._session.close()
        await asyncio.sleep(0)  # for what was told to close a moment ago


async def _farewell(writer: asyncio.StreamWriter) -> None:
    """Closes a connection, in a friendly way if the other side is friendly, too."""
    try:
        writer.close()
        async with asyncio.timeout(CLOSE_SECONDS):
            await writer.wait_closed()
    except OSError:  # TimeoutError is one
        pass
    finally:
        writer.transport.abort()
