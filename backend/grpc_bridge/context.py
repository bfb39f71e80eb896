"""The `context` of a handler: everything of grpcio's `ServicerContext`, for sync and for async servicers.

Where these classes differ from the published types, they do what grpcio does when it runs.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NoReturn, TypeVar

import grpc

from grpc_bridge.call_state import CallContext
from grpc_bridge.codes import GRPC_CODES, GRPCIO_CODES
from grpc_bridge.errors import AbortError
from grpc_bridge.protocol.metadata import Metadata
from grpc_bridge.protocol.status import StatusCode


class SyncContext(CallContext, grpc.ServicerContext):  # type: ignore[misc]
    """The context of a `def` handler; `grpc.ServicerContext` says what each method does."""

    def is_active(self) -> bool:
        return self._active

    def time_remaining(self) -> float:
        return float("inf") if self.deadline is None else max(self.deadline - time.monotonic(), 0.0)

    def cancel(self) -> None:  # type: ignore[override]
        self.terminate(StatusCode.CANCELLED, "Cancelled on the server side")

    def add_callback(self, callback: Callable[[], Any]) -> bool:
        return self.at_end(callback)

    def send_initial_metadata(self, initial_metadata: Metadata) -> None:
        if self._early_end is not None:
            raise grpc.RpcError
        if self._initial_sent:
            raise ValueError("Initial metadata no longer allowed!")
        self._set_initial_metadata(initial_metadata or ())

    def trailing_metadata(self) -> Metadata | None:  # type: ignore[override]
        return self._given_trailing

    def code(self) -> grpc.StatusCode | None:
        return None if self._code is None else GRPCIO_CODES[self._code]

    def details(self) -> bytes | None:
        return None if self._details is None else self._details.encode()

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        self._set_abort(code, details)
        raise AbortError

    def abort_with_status(self, status: grpc.Status) -> NoReturn:
        self.set_trailing_metadata(status.trailing_metadata)  # also none, instead of what was set before
        self.abort(status.code, status.details)

    @staticmethod
    def _code_of(code: object) -> StatusCode | None:
        return None if code is None else CallContext._code_of(code)


class AsyncContext(CallContext, grpc.aio.ServicerContext[Any, Any]):  # type: ignore[misc]
    """The context of an `async def` handler; `grpc.aio.ServicerContext` says what each method does.

    `reader` and `writer` are set for methods that stream: they carry `read()` and `write()`. They are slots, beside the
    state that contexts of one call share, because each handler behind an interceptor has its own.
    """

    __slots__ = ("reader", "writer")

    reader: Callable[[], Awaitable[Any]]
    writer: Callable[[Any], Awaitable[None]]

    def time_remaining(self) -> float | None:  # type: ignore[override]
        return None if self.deadline is None else max(self.deadline - time.monotonic(), 0.0)

    def done(self) -> bool:
        return not self._active

    def cancelled(self) -> bool:
        return self._early_end is not None

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        if not self.at_end(lambda: callback(self)):
            callback(self)

    async def send_initial_metadata(self, initial_metadata: Metadata) -> None:
        if self._initial_sent:
            raise grpc.aio.UsageError("Send initial metadata failed: already sent")
        self._set_initial_metadata(initial_metadata)

    def trailing_metadata(self) -> Metadata:  # type: ignore[override]
        return () if self._given_trailing is None else self._given_trailing

    def code(self) -> grpc.StatusCode | None:  # type: ignore[override]
        return None if self._code is None else GRPCIO_CODES[self._code]

    def details(self) -> str:
        return self._details or ""

    async def abort(  # type: ignore[override]
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Sequence[tuple[str, Any]] = ()
    ) -> NoReturn:
        if self.aborted:
            raise grpc.aio.UsageError("Abort already called!")
        if trailing_metadata:
            self.set_trailing_metadata(trailing_metadata)
        self._set_abort(code, details or "")
        raise grpc.aio.AbortError(f"{code} {details}")

    async def abort_with_status(self, status: grpc.Status) -> NoReturn:
        await self.abort(status.code, status.details, status.trailing_metadata)

    # An abort is the end of the call: what a handler sets that swallows its exception comes too late.

    def set_code(self, code: grpc.StatusCode) -> None:
        if not self.aborted:
            super().set_code(code)

    def set_details(self, details: str) -> None:
        if not self.aborted:
            super().set_details(details)

    def set_trailing_metadata(self, trailing_metadata: Metadata) -> None:
        if not self.aborted:
            super().set_trailing_metadata(trailing_metadata)

    def set_compression(self, compression: grpc.Compression) -> None:
        if self._initial_sent:
            raise RuntimeError("Compression setting must be specified before sending initial metadata")
        super().set_compression(compression)

    @property
    def drops_message(self) -> bool:
        return self.aborted or self.has_code

    @staticmethod
    def _code_of(code: object) -> StatusCode | None:
        """Takes the numbers of the codes as well."""
        if isinstance(code, grpc.StatusCode):
            return GRPC_CODES[code]
        try:
            return StatusCode(code)  # type: ignore[arg-type]
        except ValueError:
            return StatusCode.UNKNOWN

    async def read(self) -> Any:
        reader = getattr(self, "reader", None)
        if reader is None:
            raise grpc.aio.UsageError("read() is for methods whose requests stream")
        return await reader()

    async def write(self, message: Any) -> None:
        writer = getattr(self, "writer", None)
        if writer is None:
            raise grpc.aio.UsageError("write() is for methods whose responses stream")
        await writer(message)


ContextT = TypeVar("ContextT", SyncContext, AsyncContext)


def view(context: CallContext, kind: type[ContextT]) -> ContextT:
    """Gives a context of the other kind, or another one of the same, for the same call: they share their state."""
    other = kind.__new__(kind)
    other.__dict__ = context.__dict__
    return other
