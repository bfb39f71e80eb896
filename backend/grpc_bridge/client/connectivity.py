"""Whether a channel can reach its server, as far as it knows: in grpcio's words, though a pool has many connections.

The state is what the last call, or the last attempt to connect, has found. It belongs to an event loop.
"""

from __future__ import annotations

from collections.abc import Callable

import grpc

State = grpc.ChannelConnectivity


class Connectivity:
    """The state of a channel, and who wants to know of it."""

    def __init__(self) -> None:
        self.state = State.IDLE
        self._watchers: list[Callable[[State], object]] = []

    def set(self, state: State) -> None:
        """Changes the state and tells. A channel that is shut down stays so."""
        if state is self.state or self.state is State.SHUTDOWN:
            return
        self.state = state
        for watcher in list(self._watchers):
            watcher(state)

    def watch(self, watcher: Callable[[State], object]) -> None:
        """Tells `watcher` of each change from now on."""
        self._watchers.append(watcher)

    def forget(self, watcher: Callable[[State], object]) -> None:
        """Tells it no more."""
        if watcher in self._watchers:
            self._watchers.remove(watcher)
