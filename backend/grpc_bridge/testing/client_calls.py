"""Calls of the sync test client: one request through the WSGI application, no further than it has been asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from types import TracebackType
from typing import Any, NoReturn

import grpc

from grpc_bridge.loops import callers_thread
from grpc_bridge.protocol.metadata import Metadatum
from grpc_bridge.testing.bridge import failures
from grpc_bridge.testing.calls import CANCELLED, Answer, Outcome, request_failed
from grpc_bridge.testing.threads import WaitingThread


class RequestBody:
    """The request's body as `wsgi.input`: asks for the next message when the bridge reads."""

    def __init__(self, frames: Iterator[bytes]) -> None:
        self._frames = frames
        self._rest = memoryview(b"")
        self.error: Exception | None = None
        """What kept the next message from being made."""

    def make(self) -> int:
        """Makes the next message now. Gives the length of its frame in bytes, 0 if it could not be made."""
        try:
            self._rest = memoryview(next(self._frames, b""))
        except Exception as error:
            self.error = error
        return len(self._rest)

    def read(self, size: int = -1) -> bytes:
        """Gives up to `size` bytes, b"" after the last message. Raises what keeps the next message from being made."""
        if not self._rest and not self.make() and self.error is not None:
            raise self.error
        size = len(self._rest) if size < 0 else size
        data, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return data


class Exchange:
    """One request through the WSGI application."""

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        environ: dict[str, Any],
        body: RequestBody,
        answer: Answer,
        keep_cookie: Callable[[str], object],
    ) -> None:
        self._application = application
        self._environ = environ
        self._body = body
        self._keep_cookie = keep_cookie
        self._context = copy_context()
        self._context.run(failures.set, answer.failures)
        self._thread = WaitingThread()
        self._context.run(callers_thread.set, self._thread)
        self._result: Iterable[bytes] = ()
        self._pieces: Iterator[bytes] | None = None
        self.answer = answer

    def advance(self) -> None:
        """Takes the next piece of the answer. Raises what the application raises, which is an error of the bridge."""
        piece = None if self._body.error is not None else self._context.run(self._next_piece)
        if self._body.error is not None:
            self.close(request_failed(self._body.error))
        elif piece is None:
            self.close(None)
        else:
            self.answer.receive_data(piece)
            if self.answer.outcome is not None:
                self._finish()

    def _finish(self) -> None:
        if self.answer.has_status:  # the handler is through; what a server does after the last byte is left
            while self._context.run(self._next_piece) is not None:
                pass
        self.close(None)

    def _next_piece(self) -> bytes | None:
        if self._pieces is None:
            self._result = self._application(self._environ, self._start_response)
            self._pieces = iter(self._result)
        return next(self._pieces, None)

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        self.answer.start(int(status.partition(" ")[0]), headers)
        for cookie in self.answer.cookies:
            self._keep_cookie(cookie)
        return self.answer.receive_data

    def close(self, outcome: Outcome | None) -> None:
        """Ends the exchange as a server does, with `outcome` if the answer has no other."""
        self.answer.end(outcome)
        close = getattr(self._result, "close", None)
        if close is not None:
            self._context.run(close)
        self._context.run(self._thread.wait)

    def __del__(self) -> None:
        self._thread.leave()


class ClientCall(grpc.Call):
    """A call. Each method makes it as far as needed: to the head of the answer, to the next message, to the end."""

    def __init__(self, exchange: Exchange, timeout: float | None) -> None:
        self._exchange = exchange
        self._answer = exchange.answer
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._callbacks: list[Callable[[], None]] = []

    def __del__(self) -> None:
        if self._answer.outcome is None:
            self._exchange.close(CANCELLED)  # as a server does when it finds that nobody reads on

    def _advance(self) -> None:
        self._exchange.advance()
        if self._answer.outcome is not None:
            self._end()

    def _end(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def _outcome(self) -> Outcome:
        while self._answer.outcome is None:
            self._advance()
        return self._answer.outcome

    def _error(self) -> CallError:
        error = CallError(self._outcome(), self._answer.initial_metadata or ())
        error.__cause__ = self._outcome().cause
        return error

    def initial_metadata(self) -> tuple[Metadatum, ...]:
        while self._answer.initial_metadata is None:
            self._advance()
        return self._answer.initial_metadata

    def trailing_metadata(self) -> tuple[Metadatum, ...]:
        return self._outcome().trailing_metadata

    def code(self) -> grpc.StatusCode:
        return self._outcome().code

    def details(self) -> str:
        return self._outcome().details

    def is_active(self) -> bool:
        return self._answer.outcome is None

    def time_remaining(self) -> float | None:  # type: ignore[override]
        return None if self._deadline is None else max(self._deadline - time.monotonic(), 0.0)

    def cancel(self) -> bool:
        if self._answer.outcome is not None:
            return False
        self._exchange.close(CANCELLED)
        self._end()
        return True

    def add_callback(self, callback: Callable[[], None]) -> bool:
        if self._answer.outcome is not None:
            return False
        self._callbacks.append(callback)
        return True


class StreamingCall(ClientCall, Iterator[Any]):
    """A call whose responses are given, and made, one by one."""

    def __next__(self) -> Any:
        while not self._answer.messages and self._answer.outcome is None:
            self._advance()
        if self._answer.messages:
            return self._answer.take_message()
        if self.code() is grpc.StatusCode.OK:
            raise StopIteration
        raise self._error()


class CallFuture(ClientCall, grpc.Future):  # type: ignore[type-arg]
    """A call with one response, which is over as soon as it exists."""

    def __init__(self, exchange: Exchange, timeout: float | None) -> None:
        super().__init__(exchange, timeout)
        self._outcome()

    def result(self, timeout: float | None = None) -> Any:
        if self.code() is not grpc.StatusCode.OK:
            raise self._error()
        return self._answer.messages[0]

    def exception(self, timeout: float | None = None) -> CallError | None:
        return None if self.code() is grpc.StatusCode.OK else self._error()

    def traceback(self, timeout: float | None = None) -> None:
        """Gives None: what the handler raised is the cause of the exception and has a traceback of its own."""

    def cancelled(self) -> bool:
        return False

    def running(self) -> bool:
        return False

    def done(self) -> bool:
        return True

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        fn(self)


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
