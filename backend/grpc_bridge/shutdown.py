"""How a process lets go of its calls when it has been told to end, so that their callers know when to come back.

at once          calls whose responses stream end, and every stream that still comes in
in their time    unary calls and uploads go on: they end by themselves, or have to be repeated as a whole
at last          `drain(everything=True)`: what is left ends, too

All of them end with UNAVAILABLE, by which a client knows that it may call again, and with the time after which it
should (grpc/proposal A6, "Pushback"). That is different for each, or a restart would bring them all back at once.
"""

from __future__ import annotations

import asyncio
import random
import signal
import threading
from collections.abc import Callable, Iterable
from types import FrameType

from grpc_bridge.call_state import CallContext
from grpc_bridge.limits import all_calls, refuse
from grpc_bridge.loops import tell_loop
from grpc_bridge.protocol.status import StatusCode, StatusError

PUSHBACK = "grpc-retry-pushback-ms"
"""The key of trailing metadata that tells a client after how many milliseconds to try again."""

FIRST_MS = 500
"""Nobody is asked to come back sooner: until then the process has closed its idle connections, too."""

SPREAD_MS = 1_000
MS_FOR_EACH = 2
LONGEST_SPREAD_MS = 30_000
"""Callers come back within a second, or within so many milliseconds for each stream that was open: 500 a second."""

QUIET_TURNS, TURN_SECONDS = 5, 0.02
"""No call is on its way any more when none has come for so many turns of the event loop, each at least so long."""

MESSAGE = "The server is shutting down"

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def drain(*, everything: bool = False) -> int:
    """This process is going to end. Ends all open streams of responses, and from now on every new stream.

    `everything` ends all other calls as well: for the last moment of a server's time of grace. The status is
    UNAVAILABLE, with a hint when to come back. Gives how many calls have been ended. To be called from any thread, any
    number of times, but not in a handler of `signal.signal`, which may interrupt what it would have to wait for.
    """
    spread_ms = _spread_ms(len(all_calls()))

    def refusal(context: CallContext) -> StatusError | None:
        return None if context.call_plan.is_unary else _unavailable(spread_ms)

    refuse(refusal)
    return end_calls(context for context in all_calls() if everything or context.call_plan.method.response_streaming)


async def turn_away(is_spared: Callable[[CallContext], bool]) -> None:
    """Ends every call that comes from now on, but for those that are spared, and waits until none comes any more.

    For a server that drops without a word what it has received and not handed over yet when it is told to end. With
    callers that do not heed the hint that may take for ever: whoever calls this should set a limit.
    """
    spread_ms, quiet = _spread_ms(len(all_calls())), 0

    def refusal(context: CallContext) -> StatusError | None:
        nonlocal quiet
        if is_spared(context):
            return None
        quiet = 0
        return _unavailable(spread_ms)

    refuse(refusal)
    while quiet < QUIET_TURNS:
        quiet += 1
        await asyncio.sleep(TURN_SECONDS)


def end_calls(calls: Iterable[CallContext]) -> int:
    """Ends some calls so that their callers know that they may call again, and when. Gives how many were open."""
    ending = list(calls)
    spread_ms = _spread_ms(len(ending))
    ended = 0
    for context in ending:
        ended += context.end_early(_unavailable(spread_ms))
        if context.on_drain is not None:
            context.on_drain()
    return ended


def _spread_ms(callers: int) -> int:
    return min(max(SPREAD_MS, callers * MS_FOR_EACH), LONGEST_SPREAD_MS)


def _unavailable(spread_ms: int) -> StatusError:
    # No secret: it only has to differ.
    pushback_ms = FIRST_MS + random.randrange(spread_ms)  # noqa: S311
    return StatusError(StatusCode.UNAVAILABLE, MESSAGE, trailers=((PUSHBACK, str(pushback_ms)),))


def drain_at_signals() -> None:
    """On a server's event loop: has the signals that end the server call `drain`, before the server does its part.

    For servers that know no better way to tell, once they have their own handlers for signals. Does nothing outside the
    main thread, where signals cannot be taken.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        before = signal.getsignal(number)
        if callable(before):  # else nobody wants to do anything at its end

            def handle(number: int, frame: FrameType | None, before: object = before) -> None:
                tell_loop(loop, drain)
                before(number, frame)  # type: ignore[operator]

            signal.signal(number, handle)
