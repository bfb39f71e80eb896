"""Streams of the echo service that last as long as a run: each message at its time, and none missing."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from google.protobuf.duration_pb2 import Duration

from generated.echo.v1 import echo_pb2
from tests.soak.caller import ECHO_STREAM, CallError, Route

INTERVAL_SECONDS = 1
MOST_MESSAGES = 10_000


@dataclass(eq=False)
class EchoStream:
    """One stream that gives a message a second."""

    route: Route
    problems: list[str] = field(default_factory=list)
    received: int = 0
    delays: list[float] = field(default_factory=list)
    """By how much each message came later than a second after the one before it, in seconds."""
    _last: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it has begun."""
        return self.received > 0

    async def run(self) -> None:
        """Reads until it is cancelled. That the stream ends is a problem."""
        request = echo_pb2.ServerStreamingEchoRequest(
            message="soak", message_count=MOST_MESSAGES, message_interval=Duration(seconds=INTERVAL_SECONDS)
        )
        try:
            await self.route.stream(ECHO_STREAM, request, "", self._take)
            self.problems.append(f"an echo stream by {self.route.name} has ended")
        except CallError as error:
            self.problems.append(str(error))

    def _take(self, message: echo_pb2.ServerStreamingEchoResponse) -> None:
        now = time.monotonic()
        if message.sequence != self.received + 1:
            self.problems.append(f"message {message.sequence} by {self.route.name} came after {self.received}")
        self.received += 1
        if self._last:
            self.delays.append(max(now - self._last - INTERVAL_SECONDS, 0.0))
        self._last = now
