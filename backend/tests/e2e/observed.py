"""A Django app for the servers under test: it logs when a stream of the echo service began and how it ended.

Only the handler itself knows whether a cancelled call has really stopped working, and the log is where a test in
another process can read it: `ServerStreamingEcho 'the message' was stopped after 3 messages at 1234567890.125`.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import Any

from django.apps import AppConfig

logger = logging.getLogger("tests.e2e.observed")

FINISHED = "finished"
FAILED = "failed"
STOPPED = "was stopped"


def log_begin(method: str, message: str) -> None:
    """Logs that a handler has been called; `message` is that of its request."""
    logger.info("%s %r began", method, message)


def log_end(method: str, message: str, outcome: str, count: int) -> None:
    """Logs how a stream ended, and when in seconds since the epoch; `message` is that of its request."""
    logger.info("%s %r %s after %d messages at %.3f", method, message, outcome, count, time.time())


class ObservedEchoConfig(AppConfig):
    """Puts the log around the streaming handlers, before the bridge registers them."""

    name = "tests.e2e.observed"
    label = "observed"

    def ready(self) -> None:
        """Replaces the two methods of the servicer by ones that call them."""
        from services.echo.rpc import EchoServicer  # noqa: PLC0415  (Django loads apps before it can load models)

        EchoServicer.ServerStreamingEcho = observe_async(EchoServicer.ServerStreamingEcho)
        EchoServicer.ServerStreamingEchoAbort = observe(EchoServicer.ServerStreamingEchoAbort)


def observe_async(handler: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
    """Gives an `async def` handler that does what `handler` does and logs its end. It has the same rule."""

    @functools.wraps(handler)
    async def observed(servicer: Any, request: Any, context: Any) -> AsyncIterator[Any]:
        log_begin(handler.__name__, request.message)
        outcome, count = STOPPED, 0  # a cancellation and a closed generator are no `Exception`
        try:
            async with aclosing(handler(servicer, request, context)) as responses:
                async for response in responses:
                    yield response
                    count += 1
            outcome = FINISHED
        except Exception:
            outcome = FAILED
            raise
        finally:
            log_end(handler.__name__, request.message, outcome, count)

    return observed


def observe(handler: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """Gives a `def` handler that does what `handler` does and logs its end. It has the same rule."""

    @functools.wraps(handler)
    def observed(servicer: Any, request: Any, context: Any) -> Iterator[Any]:
        log_begin(handler.__name__, request.message)
        outcome, count = STOPPED, 0
        try:
            for response in handler(servicer, request, context):
                yield response
                count += 1
            outcome = FINISHED if context.is_active() else STOPPED
        except Exception:
            outcome = FAILED
            raise
        finally:
            log_end(handler.__name__, request.message, outcome, count)

    return observed
