"""What the server under test has logged about the calls of one test."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from tests.e2e.observed import FAILED, FINISHED, STOPPED
from tests.servers import Server

POLL_SECONDS = 0.05

STREAM_END = re.compile(
    rf"ServerStreamingEcho(?:Abort)? (?P<message>'.*?') (?P<outcome>{FAILED}|{FINISHED}|{STOPPED})"
    r" after (?P<count>\d+) messages at (?P<at>[\d.]+)$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class StreamEnd:
    """How a stream ended, seen from its handler. `at` is in seconds since the epoch."""

    outcome: str
    count: int
    at: float


class ServerLog:
    """The log from the start of the test on. Streams are told apart by the message that they echo."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._start = server.log_size()

    def has_begun(self, message: str) -> bool:
        """Whether a handler has been called with this message."""
        return f" {message!r} began\n" in self._server.log(self._start)

    def stream_ends(self, message: str) -> list[StreamEnd]:
        """Gives the ends so far of the streams of this message."""
        return [
            StreamEnd(found["outcome"], int(found["count"]), float(found["at"]))
            for found in STREAM_END.finditer(self._server.log(self._start))
            if found["message"] == repr(message)
        ]

    def wait_for_stream_end(self, message: str, seconds: float = 10.0) -> StreamEnd:
        """Waits until a stream of this message has ended in the server."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if ends := self.stream_ends(message):
                return ends[0]
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"after {seconds} seconds the server still works on the stream {message!r}")
