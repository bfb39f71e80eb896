"""The sync channel over HTTP/1.1. Its calls run on an event loop in a thread of the channel's own, as grpcio's do."""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import grpc

from grpc_bridge.calling.method import CallOptions, StubMethod
from grpc_bridge.calling.sync_channel import SyncChannel
from grpc_bridge.client.exchange import LoopExchange
from grpc_bridge.client.http import HttpExchange
from grpc_bridge.client.loop_thread import LoopThread
from grpc_bridge.client.options import ChannelOptions

State = grpc.ChannelConnectivity


class WebChannel(SyncChannel):
    """A channel over HTTP/1.1, for any number of threads. A process that was forked has connections of its own."""

    def __init__(self, options: ChannelOptions) -> None:
        self.max_send_bytes = options.max_send_bytes
        self.max_receive_bytes = options.max_receive_bytes
        self.compression = options.compression
        self._options = options
        self._lock = threading.Lock()
        self._thread: LoopThread | None = None
        self._subscriptions: dict[Callable[[State], None], Subscription] = {}
        self._closed = False

    def _running_thread(self) -> LoopThread:
        thread = self._thread
        if thread is not None and thread.pid == os.getpid() and not self._closed:
            return thread
        with self._lock:
            if self._closed:
                raise ValueError("Cannot invoke RPC on closed channel!")
            if self._thread is None or self._thread.pid != os.getpid():
                self._thread = LoopThread(self._options)
                weakref.finalize(self, self._thread.stop).atexit = False
            return self._thread

    def exchange(self, method: StubMethod, request: Any, options: CallOptions) -> LoopExchange:
        thread = self._running_thread()
        http = HttpExchange(thread.pool, method, options)
        return LoopExchange(self, thread, http, method, request, options.encoding)

    def subscribe(
        self, callback: Callable[[grpc.ChannelConnectivity], None], try_to_connect: bool | None = False
    ) -> None:
        """Tells `callback` the state, now and at each change: what the last call or attempt to connect has found."""
        thread = self._running_thread()
        pool = thread.pool
        subscription = self._subscriptions[callback] = Subscription(callback)

        def begin() -> None:
            subscription.tell(pool.connectivity.state)
            pool.connectivity.watch(subscription.tell)
            if try_to_connect:
                pool.connect()

        thread.call_soon(begin)

    def unsubscribe(self, callback: Callable[[grpc.ChannelConnectivity], None]) -> None:
        """Tells it no more."""
        subscription = self._subscriptions.pop(callback, None)
        if subscription is not None and self._thread is not None:
            self._thread.call_soon(self._thread.pool.connectivity.forget, subscription.tell)

    def close(self) -> None:
        """Refuses calls from now on, and ends those that run, and all connections."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None:
            thread.stop(wait=True)


class Subscription:
    """Tells a callback of states, one after the other, in a thread that is there while there is something to tell."""

    def __init__(self, callback: Callable[[State], None]) -> None:
        self._callback = callback
        self._lock = threading.Lock()
        self._states: deque[State] = deque()
        self._is_telling = False

    def tell(self, state: State) -> None:
        """Tells of a state, soon."""
        with self._lock:
            self._states.append(state)
            if not self._is_telling:
                self._is_telling = True
                threading.Thread(target=self._run, name="grpc-web-states", daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._states:
                    self._is_telling = False
                    return
                state = self._states.popleft()
            self._callback(state)
