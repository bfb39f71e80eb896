"""What the server under test has logged about the calls of one test."""

from __future__ import annotations

import time

from tests.e2e.observed import FAILED, FINISHED, STOPPED
from tests.servers import Server

OUTCOMES = (FAILED, FINISHED, STOPPED)
POLL_SECONDS = 0.05


class ServerLog:
    """The log from the start of the test on. Streams are told apart by the message that they echo."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._start = server.log_size()

    def stream_ends(self, message: str) -> list[str]:
        """Gives how the streams of this message ended, seen from their handlers: `was stopped after 3 messages`."""
        return [
            line.split(f" {message!r} ", 1)[1]
            for line in self._server.log(self._start).splitlines()
            if f" {message!r} " in line and any(outcome in line for outcome in OUTCOMES)
        ]

    def wait_for_stream_end(self, message: str, seconds: float) -> str:
        """Waits until a stream of this message has ended in the server, and gives how."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if ends := self.stream_ends(message):
                return ends[0]
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"after {seconds} seconds the server still works on the stream {message!r}")
