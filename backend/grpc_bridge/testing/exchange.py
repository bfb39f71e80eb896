"""What carries a call of the sync test client: one request through the WSGI application, no further than it has been
asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from typing import Any

from grpc_bridge.calling.answer import Answer, Outcome, call_all, request_failed
from grpc_bridge.calling.sync_exchange import SyncExchange
from grpc_bridge.loops import callers_thread
from grpc_bridge.testing.bridge import failures
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


class Exchange(SyncExchange):
    """One request through the WSGI application, in the test's own thread."""

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        environ: dict[str, Any],
        body: RequestBody,
        answer: Answer,
        keep_cookie: Callable[[str], object],
    ) -> None:
        super().__init__(answer)
        self._application = application
        self._environ = environ
        self._body = body
        self._keep_cookie = keep_cookie
        self._on_end: list[Callable[[], object]] = []
        self._context = copy_context()
        self._context.run(failures.set, answer.failures)
        self._thread = WaitingThread()
        self._context.run(callers_thread.set, self._thread)
        self._result: Iterable[bytes] = ()
        self._pieces: Iterator[bytes] | None = None

    def begin(self, *, to_the_end: bool) -> None:
        """Makes a call with one response at once: there is no other thread to make it in."""
        if to_the_end:
            self.wait_until_over()

    def wait_for(self, condition: Callable[[], bool], timeout: float | None = None) -> bool:
        """Makes the answer, until the condition holds."""
        while not condition():
            self._advance()
        return True

    def add_end_callback(self, callback: Callable[[], object]) -> bool:
        if self.answer.outcome is not None:
            return False
        self._on_end.append(callback)
        return True

    def end(self, outcome: Outcome) -> bool:
        """Ends the exchange as a server does when it finds that nobody reads on."""
        if not self.answer.end(outcome):
            return False
        self._close()
        return True

    def _advance(self) -> None:
        """Takes the next piece of the answer. Raises what the application raises, which is an error of the bridge."""
        piece = None if self._body.error is not None else self._context.run(self._next_piece)
        if self._body.error is not None:
            self.end(request_failed(self._body.error))
        elif piece is None:
            self.answer.end_of_body()
            self._close()
        else:
            self.answer.receive_data(piece)
            if self.answer.is_complete:
                self._finish()

    def _finish(self) -> None:
        if self.answer.has_status:  # the handler is through; what a server does after the last byte is left
            while self._context.run(self._next_piece) is not None:
                pass
        self._close()

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

    def _close(self) -> None:
        """Lets go of the application, when nothing more is taken from it."""
        close = getattr(self._result, "close", None)
        if close is not None:
            self._context.run(close)
        self._context.run(self._thread.wait)
        if self.answer.outcome is not None:
            self.call_back()

    def call_back(self) -> None:
        callbacks, self._on_end = self._on_end, []
        call_all(callbacks)

    def __del__(self) -> None:
        self._thread.leave()
