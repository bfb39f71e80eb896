"""grpcio's own servers, for Envoy to stand in front of.

python -m bench.apps.native sync|aio PORT
"""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc

from bench.handlers import ASYNC_SERVICE, DEF_SERVICE, generic_handlers
from bench.wire import HOST

THREADS = 8


def serve(port: int) -> None:
    """Serves the `def` handlers in threads."""
    server = grpc.server(ThreadPoolExecutor(THREADS))
    server.add_generic_rpc_handlers((generic_handlers(DEF_SERVICE),))
    server.add_insecure_port(f"{HOST}:{port}")
    server.start()
    server.wait_for_termination()


async def serve_async(port: int) -> None:
    """Serves the `async def` handlers."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((generic_handlers(ASYNC_SERVICE),))
    server.add_insecure_port(f"{HOST}:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    kind, number = sys.argv[1], int(sys.argv[2])
    if kind == "sync":
        serve(number)
    else:
        asyncio.run(serve_async(number))
