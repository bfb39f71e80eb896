"""Where handlers run that cannot run where the server calls: a thread pool for `def`, an event loop for `async def`.

Both are made on first use, one a process, and forgotten in a forked child: threads do not survive a fork.
"""

from __future__ import annotations

import asyncio
import os
import threading

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.threads import SyncThreads

_lock = threading.Lock()
_threads: SyncThreads | None = None
_loop: asyncio.AbstractEventLoop | None = None


def sync_threads(settings: BridgeSettings) -> SyncThreads:
    """Gives the pool that runs `def` handlers. The settings count on the first call in a process."""
    global _threads
    if _threads is None:
        with _lock:
            if _threads is None:
                _threads = SyncThreads(settings.sync_threads, settings.sync_queue)
    return _threads


def background_loop() -> asyncio.AbstractEventLoop:
    """Gives a running event loop for servers that have none. It runs in a daemon thread until the process ends."""
    global _loop
    if _loop is None:
        with _lock:
            if _loop is None:
                loop = asyncio.new_event_loop()
                threading.Thread(target=loop.run_forever, name="grpc_bridge_loop", daemon=True).start()
                _loop = loop
    return _loop


def _forget() -> None:
    global _threads, _loop, _lock
    _threads, _loop, _lock = None, None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
