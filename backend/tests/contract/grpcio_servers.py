"""Real grpcio servers with the contract's servicers, in this process: what the bridge is compared with.

Each serves handlers of the kind that it is made for. `grpc.aio.server` runs `def` handlers as well, but with half a
context: without `abort_with_status`, `code`, `is_active` and `cancel`, and an abort in a generator is never answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc

from tests.contract.cases.messages import LIMIT
from tests.contract.native import METADATA_BYTES
from tests.contract.rpc import register
from tests.servers import HOST

THREADS = 16
START_SECONDS = 30.0

# The bridge's own limit; grpcio's default for what is sent is none.
_OPTIONS = [("grpc.max_send_message_length", LIMIT), ("grpc.max_metadata_size", METADATA_BYTES)]


@contextlib.contextmanager
def running_grpcio() -> Iterator[str]:
    """Runs a `grpc.server` and gives its address."""
    with ThreadPoolExecutor(THREADS) as threads:
        server = grpc.server(threads, options=_OPTIONS)
        register(server)
        port = server.add_insecure_port(f"{HOST}:0")
        server.start()
        try:
            yield f"{HOST}:{port}"
        finally:
            server.stop(None).wait()


@contextlib.contextmanager
def running_grpcio_aio() -> Iterator[str]:
    """Runs a `grpc.aio.server` on an event loop in a thread of its own, and gives its address."""
    loop, ended, started = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    address = ""

    async def serve() -> None:
        nonlocal address
        server = grpc.aio.server(options=_OPTIONS)
        register(server)
        address = f"{HOST}:{server.add_insecure_port(f'{HOST}:0')}"
        await server.start()
        started.set()
        await ended.wait()
        await server.stop(None)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="grpcio_aio")
    thread.start()
    try:
        assert started.wait(START_SECONDS), "the server did not start"
        yield address
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()
