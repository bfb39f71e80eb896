"""What a process takes on and for how long: calls at a time, the head of a request, the time of a stream.

The size of messages is limited in `protocol/frames.py`, the number of threads in `threads.py`. What is beyond a limit
ends with RESOURCE_EXHAUSTED, and what takes too long with a status that says which time is over.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from grpc_bridge.protocol.status import StatusCode, StatusError

if TYPE_CHECKING:
    from grpc_bridge.call import Call
    from grpc_bridge.call_state import CallContext
    from grpc_bridge.conf import BridgeSettings

# Sets, because adding to them is atomic, and because a call can leave twice without harm: whoever may be the last to
# see a call lets it go.
_unary_calls: set[CallContext] = set()
_streams: set[CallContext] = set()

Refusal = Callable[["CallContext"], StatusError | None]
"""Gives the error of a call that is not taken any more, None for one that is."""


class _Gate:
    refusal: Refusal | None = None
    """Set while some calls are not taken although there is room for them."""


gate = _Gate()


def enter(context: CallContext) -> None:
    """Counts a call that begins now. Raises `StatusError` RESOURCE_EXHAUSTED, and does not count it, if it is too many,
    and what the function gives that `refuse` was given.

    Of calls that begin in several threads at the same moment more may be turned away than need be, never too few.
    """
    plan = context.call_plan
    if not plan.is_unary:
        _streams.add(context)
        maximum = plan.settings.max_concurrent_streams
        if maximum is not None and len(_streams) > maximum:
            _streams.discard(context)
            raise StatusError(StatusCode.RESOURCE_EXHAUSTED, "Concurrent stream limit exceeded!")
    else:
        _unary_calls.add(context)
        maximum = plan.max_calls
        if maximum is not None and len(_unary_calls) > maximum:
            _unary_calls.discard(context)
            raise StatusError(StatusCode.RESOURCE_EXHAUSTED, "Concurrent RPC limit exceeded!")  # grpcio's words
    if gate.refusal is not None and (error := gate.refusal(context)) is not None:
        leave(context)
        raise error


def leave(context: CallContext) -> None:
    """The call is over, if it was ever counted."""
    (_unary_calls if context.call_plan.is_unary else _streams).discard(context)


def refuse(refusal: Refusal | None) -> None:
    """Takes no more calls for which `refusal` gives an error. None takes them all again.

    Whatever call it would refuse and came before is among `all_calls` by the time this returns.
    """
    gate.refusal = refusal


def open_calls() -> tuple[int, int]:
    """Gives how many unary calls and how many streams are open in this process."""
    return len(_unary_calls), len(_streams)


def all_calls() -> list[CallContext]:
    """Gives the contexts of all calls that are open in this process."""
    return [*_unary_calls, *_streams]


def _forget() -> None:
    _unary_calls.clear()
    _streams.clear()
    refuse(None)


os.register_at_fork(after_in_child=_forget)


def too_much_metadata(entries: int, size: int, settings: BridgeSettings) -> StatusError:
    """Gives the error of a request with too many headers, or with too many bytes in them."""
    if entries > settings.max_metadata_entries:
        text = f"Received more metadata entries than max ({entries} vs. {settings.max_metadata_entries})"
    else:
        text = f"Received metadata larger than max ({size} vs. {settings.max_metadata_bytes})"
    return StatusError(StatusCode.RESOURCE_EXHAUSTED, text)


class StreamClock:
    """Ends a stream that has been open for too long, or without a message for too long. Runs on the stream's loop.

    The status is UNAVAILABLE either way. gRPC's doc/statuscodes.md has it for a call that the client may just make
    again, and grpcio's own client sees it when a server's `max_connection_age` ends a stream.
    """

    def __init__(self, call: Call, loop: asyncio.AbstractEventLoop) -> None:
        settings = call.settings
        now = time.monotonic()
        self._context = call.context
        self._loop = loop
        self._seconds = settings.max_stream_seconds
        self._end = None if self._seconds is None else now + self._seconds
        self._idle_seconds = settings.max_stream_idle_seconds
        self._last_message = now
        self._timer = loop.call_later(self.seconds_left(), self._look)

    def message_passed(self) -> None:
        """To be called for each message in either direction."""
        self._last_message = time.monotonic()

    def stop(self) -> None:
        """The stream is over."""
        self._timer.cancel()

    def seconds_left(self) -> float:
        """Gives the time in which the stream ends if no message passes, in seconds. From any thread."""
        ends = (self._end, None if self._idle_seconds is None else self._last_message + self._idle_seconds)
        return min(end for end in ends if end is not None) - time.monotonic()

    def error(self) -> StatusError:
        """Gives what a stream ends with whose time is over."""
        if self._end is not None and time.monotonic() >= self._end:
            return StatusError(StatusCode.UNAVAILABLE, f"The stream has been open for {self._seconds:g} s")
        return StatusError(StatusCode.UNAVAILABLE, f"The stream has been idle for {self._idle_seconds:g} s")

    def _look(self) -> None:
        left = self.seconds_left()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            error = self.error()
            self._context.terminate(error.code, error.message)


MIN_PATIENCE_SECONDS = 0.001
"""A socket without any time to wait would not wait at all, and say so by another error."""


def patience(call: Call) -> float:
    """Gives how long a thread may wait for the next piece of a request, in seconds: nobody can stop it from waiting, so
    it may not outlast the deadline nor the stream's time."""
    seconds = call.settings.request_body_seconds
    if call.context.deadline is not None:
        seconds = min(seconds, call.context.deadline - time.monotonic())
    if call.clock is not None:
        seconds = min(seconds, call.clock.seconds_left())
    return max(seconds, MIN_PATIENCE_SECONDS)


def too_late(call: Call) -> StatusError:
    """Gives the error of a request that has been waited for in vain: which time was over first."""
    if call.context.deadline is not None and time.monotonic() >= call.context.deadline:
        return StatusError(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
    if call.clock is not None and call.clock.seconds_left() <= 0:
        return call.clock.error()
    text = f"The request did not arrive within {call.settings.request_body_seconds:g} s"
    return StatusError(StatusCode.DEADLINE_EXCEEDED, text)
