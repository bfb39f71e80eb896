"""`grpc.health.v1` of a native server: what it says, and when.

    before the first look, and while something is missing    NOT_SERVING
    database reachable and migrations applied                 SERVING
    from the signal to stop on                                NOT_SERVING, for good

The whole server ("") and each of its services say the same. These calls pass no interceptor and are not logged: probes
have no token, and say nothing.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterable

from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from grpc_bridge.loops import tell_loop
from grpc_bridge.readiness import SILENCE, Problem, Readiness
from grpc_bridge.registry import Registry

logger = logging.getLogger("grpc_bridge")

CHECK_SECONDS = 5.0
"""How often the databases are asked."""

UNREADY_CHECK_SECONDS = 0.5
"""How often while something is missing."""

SILENCE_SECONDS = 15.0
"""After so long without an answer of the databases they count as missing."""

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
WATCH = f"/{health.SERVICE_NAME}/Watch"


class Health:
    """The servicer, and who tells it. `start` and what follows are for the server's event loop."""

    def __init__(self, services: Iterable[str]) -> None:
        self.servicer = health.aio.HealthServicer()
        self._services = ["", *services]
        self._found: asyncio.Queue[Problem | None] = asyncio.Queue()
        self._ended = threading.Event()
        self._task: asyncio.Task[None] | None = None

    def register(self, registry: Registry) -> None:
        """Adds the servicer."""
        health_pb2_grpc.add_HealthServicer_to_server(self.servicer, registry)

    async def start(self) -> None:
        """Says NOT_SERVING, and looks from now on."""
        await self._tell(NOT_SERVING)
        loop = asyncio.get_running_loop()
        # Nobody has to wait for this thread: a database may keep it waiting for ever.
        threading.Thread(target=self._look, args=(loop,), name="grpc_bridge_readiness", daemon=True).start()
        self._task = loop.create_task(self._follow())

    async def stop(self) -> None:
        """Says NOT_SERVING from now on, whatever happens."""
        self._ended.set()
        if self._task is not None:
            self._task.cancel()
        await self.servicer.enter_graceful_shutdown()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread of its own."""
        readiness = Readiness()
        while not self._ended.is_set():
            problem = readiness.problem()
            tell_loop(loop, self._found.put_nowait, problem)
            self._ended.wait(CHECK_SECONDS if problem is None else UNREADY_CHECK_SECONDS)

    async def _follow(self) -> None:
        """Tells what has been found, when it is something else than before."""
        told: Problem | None = Problem("")
        while True:
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    problem = await self._found.get()
            except TimeoutError:
                problem = SILENCE
            if problem == told:
                continue
            told = problem
            if problem is None:
                logger.info("Ready")
            else:
                logger.warning("Not ready: %s", problem)
            await self._tell(SERVING if problem is None else NOT_SERVING)

    async def _tell(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for service in self._services:
            await self.servicer.set(service, status)
