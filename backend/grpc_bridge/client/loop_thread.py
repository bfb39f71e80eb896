"""The thread of a sync channel, with an event loop on which its calls run."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

from grpc_bridge.calling.answer import CHANNEL_CLOSED
from grpc_bridge.client.http import HttpExchange
from grpc_bridge.client.options import ChannelOptions
from grpc_bridge.client.pool import Pool

STOP_SECONDS = 5.0
"""How long the end of the program waits for connections to be closed."""

_running: weakref.WeakSet[LoopThread] = weakref.WeakSet()


class LoopThread:
    """A running event loop, with the connections of a channel. `pid` is the process that it runs in."""

    def __init__(self, options: ChannelOptions) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self.pool = Pool(options, self.loop)
        self._exchanges: dict[asyncio.Task[None], HttpExchange] = {}
        self._to_start: set[HttpExchange] = set()
        self._stopped = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="grpc-web-channel", daemon=True)
        self._thread.start()
        _running.add(self)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._main())
        for exchange in list(self._to_start):  # which the loop has not come to any more
            exchange.end(CHANNEL_CLOSED)
            exchange.notify()

    async def _main(self) -> None:
        await self._stopped.wait()
        while self._exchanges:
            for exchange in self._exchanges.values():
                exchange.end(CHANNEL_CLOSED)
            await asyncio.wait(self._exchanges)
        await self.pool.close()

    def start(self, exchange: HttpExchange) -> None:
        """From any thread: starts a call, unless it is over before. On a loop that has stopped it is cancelled."""
        self._to_start.add(exchange)
        if not self.call_soon(self._start, exchange):
            exchange.end(CHANNEL_CLOSED)
            exchange.notify()

    def call_soon(self, function: Callable[..., object], *args: Any) -> bool:
        """From any thread: calls a function on the loop. Gives False where that is closed."""
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            return False
        return True

    def _start(self, exchange: HttpExchange) -> None:
        self._to_start.discard(exchange)
        if exchange.is_open and self._stopped.is_set():
            exchange.answer.end(CHANNEL_CLOSED)
        if not exchange.is_open:
            exchange.notify()
            return
        task = exchange.start()
        self._exchanges[task] = exchange
        task.add_done_callback(self._exchanges.pop)

    def stop(self, *, wait: bool = False) -> None:
        """From any thread: ends all calls, all connections and the thread. Waits for that, if told to."""
        if self.pid != os.getpid():
            return  # it is the parent's; to tidy up would reach the sockets that both processes have
        if self.call_soon(self._stopped.set) and wait and threading.current_thread() is not self._thread:
            self._thread.join(STOP_SECONDS)


def _stop_all() -> None:
    """Closes the connections of channels that nobody has closed."""
    for thread in list(_running):
        thread.stop(wait=True)


atexit.register(_stop_all)
