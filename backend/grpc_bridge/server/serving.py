"""One process of a native server, from its start to its end.

start      servicers are found, addresses are bound, calls are taken; health says when the databases are there
SIGTERM    health says NOT_SERVING; calls still come in for `unready_seconds`, until everybody has heard of it
then       calls that still come end with UNAVAILABLE, for a moment, until what has been received is handed over
then       no more calls, no more connections. Those that are open have `grace_seconds` to end
then       what is still open ends with UNAVAILABLE and a hint when to call again: see `grpc_bridge/shutdown.py`
SIGTERM    a second one ends the waiting at once. So does SIGINT, the first and the second
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import replace

import grpc
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from grpc_bridge.call_state import CallContext
from grpc_bridge.conf import BridgeSettings, load_settings
from grpc_bridge.limits import all_calls
from grpc_bridge.registry import Registry, discovered_registry
from grpc_bridge.server.health import WATCH, Health
from grpc_bridge.server.logs import leave_lost_callers_out
from grpc_bridge.server.options import ServerOptions
from grpc_bridge.shutdown import end_calls, turn_away
from grpc_bridge.transports.grpcio import GrpcioBridge

logger = logging.getLogger("grpc_bridge")

LAST_SECONDS = 2.0
"""How long calls that have been ended may take to tell their callers."""

TURN_AWAY_SECONDS = 0.4
"""How long calls are turned away at the most: who is told to come back does so later (`shutdown.FIRST_MS`), and then
has heard by HTTP/2 that this server ends."""

TELL_SECONDS = 0.1
"""How long it may take to tell who watches health that it has changed."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

HEALTH = health.SERVICE_NAME
REFLECTION = reflection.SERVICE_NAME

Announce = Callable[[list[str]], None]


class StartError(Exception):
    """A server cannot start with these options. The text says why."""


class StopRequest:
    """What a process has been asked for: to stop, and then to stop waiting."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()

    def ask(self) -> None:
        """From the loop: the first time to stop, then to hurry."""
        (self.hurry if self.stop.is_set() else self.stop).set()

    async def within(self, seconds: float, *tasks: asyncio.Task[None]) -> None:
        """Waits until a task is done, but no longer than so many seconds, and not if there is a hurry."""
        hurry = asyncio.ensure_future(self.hurry.wait())
        try:
            await asyncio.wait((hurry, *tasks), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurry.cancel()


class NativeServer:
    """grpcio's server with the servicers of all installed apps. To be made on the event loop that it runs on.

    Raises `StartError` for an address that cannot be had and for files that cannot be read, `ImproperlyConfigured` for
    wrong settings and servicers.
    """

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        settings = options.applied(load_settings())
        registry, own = discovered_registry(), Registry()
        services = _services(registry)
        self._health: Health | None = None
        if options.health and HEALTH not in services:
            self._health = Health(services)
            self._health.register(own)
            services.append(HEALTH)
        if options.reflection and REFLECTION not in services:
            services.append(REFLECTION)
            servicer = reflection.aio.ReflectionServicer(sorted(services))
            reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, registry)
        is_secure = options.tls is not None
        self._server = grpc.aio.server(options=options.channel(settings))
        self._server.add_generic_rpc_handlers(
            (
                GrpcioBridge(own, _without_extras(settings), is_secure=is_secure, is_last=False),
                GrpcioBridge(registry, settings, is_secure=is_secure),
            )
        )
        self.addresses = self._bind()

    def _bind(self) -> list[str]:
        """Gives the addresses with the ports that have been chosen where 0 was asked for."""
        try:
            credentials = None if self._options.tls is None else self._options.tls.credentials()
        except OSError as error:
            raise StartError(f"TLS needs a file that cannot be read: {error}") from error
        bound = []
        for address in self._options.addresses:
            try:
                if credentials is None:
                    port = self._server.add_insecure_port(address)
                else:
                    port = self._server.add_secure_port(address, credentials)
            except RuntimeError as error:
                raise StartError(f"cannot listen on {address}: {error}") from error
            bound.append(address if address.startswith("unix") else f"{address.rpartition(':')[0]}:{port}")
        return bound

    async def start(self) -> None:
        """Takes calls from now on."""
        if self._health is not None:
            await self._health.start()
        await self._server.start()

    async def ended(self) -> None:
        """Waits for the end of the server. Raises what it has failed with."""
        await self._server.wait_for_termination()

    async def stop(self, request: StopRequest) -> None:
        """Ends the server as the top of this module says."""
        if self._health is not None:
            await self._health.stop()
        await request.within(self._options.unready_seconds)
        # Of what grpcio has received it hands over one call after the other. Those that are left when it stops it ends
        # with CANCELLED, by which no client knows that it may call again.
        turning_away = asyncio.ensure_future(turn_away(_is_probe))
        await request.within(TURN_AWAY_SECONDS, turning_away)
        turning_away.cancel()
        # grpcio would cut off what is open after its own time of grace. What ends here has a status to send.
        stopping = asyncio.ensure_future(self._server.stop(self._options.grace_seconds + LAST_SECONDS))
        # Who watches health would do so for ever. It is told first.
        asyncio.get_running_loop().call_later(TELL_SECONDS, _end_watches)
        await request.within(self._options.grace_seconds, stopping)
        if not stopping.done():
            calls = end_calls(all_calls())
            logger.warning("%d calls were still open after the time of grace", calls)
            await asyncio.wait((stopping,), timeout=LAST_SECONDS)
            await self._server.stop(None)
        await stopping


def _is_probe(context: CallContext) -> bool:
    return context.call_path.startswith(f"/{HEALTH}/")


def _end_watches() -> None:
    end_calls(context for context in all_calls() if context.call_path == WATCH)


def _services(registry: Registry) -> list[str]:
    return sorted({method.path.split("/")[1] for method in registry})


def _without_extras(settings: BridgeSettings) -> BridgeSettings:
    """Gives the settings for health: it answers also where everybody else is turned away."""
    return replace(settings, interceptors=(), log_calls=False, max_concurrent_calls=None, max_concurrent_streams=None)


async def serve(options: ServerOptions, announce: Announce, lifeline: int | None = None) -> None:
    """Serves until a signal says to stop, or until `lifeline`, a file that somebody keeps open, is closed.

    `announce` is called with the addresses once calls are taken. Signals are taken in the main thread only. Raises what
    `NativeServer` raises.
    """
    loop, request = asyncio.get_running_loop(), StopRequest()
    server = NativeServer(options)
    leave_lost_callers_out()
    await server.start()
    if threading.current_thread() is threading.main_thread():
        for number in STOP_SIGNALS if lifeline is None else (signal.SIGTERM,):
            loop.add_signal_handler(number, request.ask)
    if lifeline is not None:
        loop.add_reader(lifeline, _lost, loop, lifeline, request)
    announce(server.addresses)
    stop, end = asyncio.ensure_future(request.stop.wait()), asyncio.ensure_future(server.ended())
    await asyncio.wait((stop, end), return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not end.done():
        await server.stop(request)
    await end


def _lost(loop: asyncio.AbstractEventLoop, lifeline: int, request: StopRequest) -> None:
    loop.remove_reader(lifeline)
    request.ask()
