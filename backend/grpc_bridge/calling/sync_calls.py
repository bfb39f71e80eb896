"""Sync calls: what a stub gives, as grpcio's does. A failed call raises `CallError`, a `grpc.RpcError`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Any, NoReturn

import grpc

from grpc_bridge.calling.answer import CANCELLED, Outcome
from grpc_bridge.calling.sync_exchange import SyncExchange
from grpc_bridge.protocol.metadata import Metadatum


class ClientCall(grpc.Call, grpc.Future):  # type: ignore[type-arg]
    """A call. Each method waits for as much of the answer as it tells of: the head, or the end.

    A call that nobody has any more is cancelled. One whose responses stream is over when they have been taken; who asks
    for its status before gets it, unless there are so many that the server waits for a reader: then nobody comes on, as
    with grpcio.
    """

    def __init__(self, exchange: SyncExchange, timeout: float | None) -> None:
        self._exchange = exchange
        self._answer = exchange.answer
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def __del__(self) -> None:
        if self._answer.outcome is None:
            self._exchange.end(CANCELLED)

    def _is_over(self) -> bool:
        return self._answer.outcome is not None

    def _outcome(self, timeout: float | None = None) -> Outcome:
        if not self._exchange.wait_until_over(timeout):
            raise grpc.FutureTimeoutError
        assert self._answer.outcome is not None
        return self._answer.outcome

    def _error(self) -> CallError:
        outcome = self._outcome()
        error = CallError(outcome, self._answer.initial_metadata or ())
        error.__cause__ = outcome.cause
        return error

    def initial_metadata(self) -> tuple[Metadatum, ...]:
        self._exchange.wait_for(lambda: self._answer.initial_metadata is not None)
        return self._answer.initial_metadata or ()

    def trailing_metadata(self) -> tuple[Metadatum, ...]:
        return self._outcome().trailing_metadata

    def code(self) -> grpc.StatusCode:
        return self._outcome().code

    def details(self) -> str:
        return self._outcome().details

    def debug_error_string(self) -> str:
        """Gives the status as text."""
        return str(self._error())

    def is_active(self) -> bool:
        return not self._is_over()

    def time_remaining(self) -> float | None:  # type: ignore[override]
        return None if self._deadline is None else max(self._deadline - time.monotonic(), 0.0)

    def cancel(self) -> bool:
        return self._exchange.end(CANCELLED)

    def add_callback(self, callback: Callable[[], None]) -> bool:
        return self._exchange.add_end_callback(callback)

    def result(self, timeout: float | None = None) -> Any:
        """Gives the response, or None where responses stream. Raises `grpc.FutureTimeoutError` after `timeout` seconds,
        `grpc.FutureCancelledError` where `cancel()` ended the call, and `CallError` for any other status but OK."""
        error = self.exception(timeout)
        if error is not None:
            raise error
        return None

    def exception(self, timeout: float | None = None) -> CallError | None:
        outcome = self._outcome(timeout)
        if outcome is CANCELLED:
            raise grpc.FutureCancelledError
        return None if outcome.code is grpc.StatusCode.OK else self._error()

    def traceback(self, timeout: float | None = None) -> TracebackType | None:
        """Gives that of the exception's cause, where it has one: there is no other."""
        error = self.exception(timeout)
        return None if error is None or error.__cause__ is None else error.__cause__.__traceback__

    def cancelled(self) -> bool:
        return self._answer.outcome is CANCELLED

    def running(self) -> bool:
        return not self._is_over()

    def done(self) -> bool:
        return self._is_over()

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        if not self._exchange.add_end_callback(partial(fn, self)):
            fn(self)


class StreamingCall(ClientCall, Iterator[Any]):
    """A call whose responses are given one by one."""

    def __next__(self) -> Any:
        while True:
            self._exchange.wait_for(lambda: self._answer.has_message or self._is_over())
            if self._answer.outcome is CANCELLED:
                raise self._error()
            try:
                return self._exchange.take_message()
            except IndexError:  # it was the end; or another thread has taken it
                if not self._is_over():
                    continue
            if self.code() is grpc.StatusCode.OK:
                raise StopIteration
            raise self._error()


class CallFuture(ClientCall):
    """A call with one response."""

    def result(self, timeout: float | None = None) -> Any:
        super().result(timeout)
        return self._answer.response

    def response(self) -> Any:
        """Waits for the end and gives the response. Raises `CallError` for any status but OK."""
        if self.code() is not grpc.StatusCode.OK:
            raise self._error()
        return self._answer.response


class CallError(grpc.RpcError, grpc.Call, grpc.Future):  # type: ignore[type-arg]
    """What a failed call raises: the call that it was, as with grpcio."""

    def __init__(self, outcome: Outcome, initial_metadata: tuple[Metadatum, ...]) -> None:
        super().__init__(outcome.code, outcome.details)
        self._outcome = outcome
        self._initial_metadata = initial_metadata

    def __str__(self) -> str:
        return f"{self._outcome.code.name}: {self._outcome.details}"

    def code(self) -> grpc.StatusCode:
        return self._outcome.code

    def details(self) -> str:
        return self._outcome.details

    def debug_error_string(self) -> str:
        """Gives the status as text."""
        return str(self)

    def initial_metadata(self) -> tuple[Metadatum, ...]:
        return self._initial_metadata

    def trailing_metadata(self) -> tuple[Metadatum, ...]:  # type: ignore[override]
        return self._outcome.trailing_metadata

    def result(self, timeout: float | None = None) -> NoReturn:
        raise self

    def exception(self, timeout: float | None = None) -> CallError:
        return self

    def traceback(self, timeout: float | None = None) -> TracebackType | None:
        return self.__traceback__

    def is_active(self) -> bool:
        return False

    def time_remaining(self) -> None:  # type: ignore[override]
        return None

    def cancel(self) -> bool:
        return False

    def cancelled(self) -> bool:
        return False

    def running(self) -> bool:
        return False

    def done(self) -> bool:
        return True

    def add_callback(self, callback: Callable[[], None]) -> bool:
        return False

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        fn(self)
