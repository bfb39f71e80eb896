"""How long a call lasts: deadlines, callers that go away, callbacks, and what handlers notice of it.

What happens to a call is noted under the key that its request names: see `bookkeeping.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import BoolValue, DoubleValue, StringValue

from tests.contract.servicers.bookkeeping import WAIT_SECONDS, events, gates
from tests.contract.servicers.metadata import INITIAL

TICK_SECONDS = 0.02
MAX_TICKS = int(WAIT_SECONDS / TICK_SECONDS)

NO_DEADLINE = -1.0
"""Stands for no deadline; grpcio's two kinds of context have a number beyond all clocks and None for it."""

FAR_AWAY_SECONDS = 1e9

CALLBACK = "callback"
CANCELLED = "cancelled"
CLOSED = "closed"
INACTIVE = "inactive"
OPENED = "gate opened"
RPC_ERROR = "RpcError"
STARTED = "started"


def _remaining(seconds: float | None) -> DoubleValue:
    return DoubleValue(value=NO_DEADLINE if seconds is None or seconds > FAR_AWAY_SECONDS else seconds)


def _at_end(context: grpc.ServicerContext, callback: Callable[[], Any]) -> None:
    """Has `callback` called at the end of the call: now, where its caller had gone before the handler began."""
    if not context.add_callback(callback):
        callback()


class Sync:
    """As `def` handlers. They learn of the end by a callback, by `is_active()` and at their next `yield`."""

    def TimeRemaining(self, request: Empty, context: Any) -> DoubleValue:
        return _remaining(context.time_remaining())

    def Sleep(self, request: Empty, context: Any) -> StringValue:
        _sleep_while_active(context)
        return StringValue(value="slept")

    def SleepInStream(self, request: Empty, context: Any) -> Iterator[StringValue]:
        yield StringValue(value="before")
        _sleep_while_active(context)
        yield StringValue(value="after")

    def Rush(self, request: Empty, context: Any) -> Iterator[StringValue]:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            yield StringValue(value="no pause")

    def Wait(self, request: StringValue, context: Any) -> StringValue:
        log = events[request.value]
        _at_end(context, lambda: (log.append(CALLBACK), gates[request.value].open()))
        log.append(STARTED)
        gates[request.value].wait()
        log.append(OPENED if context.is_active() else INACTIVE)
        return StringValue(value="waited")

    def WaitInStream(self, request: StringValue, context: Any) -> Iterator[StringValue]:
        log = events[request.value]
        _at_end(context, lambda: (log.append(CALLBACK), gates[request.value].open()))
        log.append(STARTED)
        try:
            yield StringValue(value="before")
            gates[request.value].wait()
            log.append(OPENED if context.is_active() else INACTIVE)
            yield StringValue(value="after")
        except GeneratorExit:
            log.append(CLOSED)
            raise

    def SendInitialAndWait(self, request: StringValue, context: Any) -> Iterator[StringValue]:
        context.send_initial_metadata(INITIAL)
        gates[request.value].wait()
        yield StringValue(value="after")

    def Tick(self, request: StringValue, context: Any) -> Iterator[StringValue]:
        log, pause = events[request.value], threading.Event()
        context.add_callback(lambda: log.append(CALLBACK))
        log.append(STARTED)
        try:
            for number in range(MAX_TICKS):
                yield StringValue(value=str(number))
                pause.wait(TICK_SECONDS)
        finally:
            log.append("ended" if context.is_active() else INACTIVE)

    def TakeOneAndWait(self, requests: Iterator[StringValue], context: Any) -> StringValue:
        key = next(requests).value
        events[key].append(STARTED)
        gates[key].wait()
        return StringValue(value="waited")

    def ChatAndWait(self, requests: Iterator[StringValue], context: Any) -> Iterator[StringValue]:
        """Reads in a thread of its own, as grpcio allows."""
        key = next(requests).value
        events[key].append(STARTED)
        read: queue.SimpleQueue[str | None] = queue.SimpleQueue()

        def read_all() -> None:
            with contextlib.suppress(grpc.RpcError):
                for request in requests:
                    read.put(request.value)
            read.put(None)

        threading.Thread(target=read_all, daemon=True).start()
        gates[key].wait()
        yield StringValue(value=OPENED)
        while (text := read.get()) is not None:
            yield StringValue(value=text)

    def Drain(self, requests: Iterator[StringValue], context: Any) -> StringValue:
        key = next(requests).value
        log = events[key]
        context.add_callback(lambda: log.append(CALLBACK))
        log.append(STARTED)
        try:
            for request in requests:
                log.append(request.value)
        except grpc.RpcError:
            log.append(RPC_ERROR)
            raise
        log.append("end of requests")
        return StringValue(value="drained")

    def IsActive(self, request: Empty, context: Any) -> BoolValue:
        return BoolValue(value=context.is_active())

    def Callbacks(self, request: StringValue, context: Any) -> StringValue:
        log = events[request.value]

        def fail() -> None:
            raise ValueError("a callback that fails")

        added = [
            context.add_callback(lambda: log.append("first")),
            context.add_callback(fail),
            context.add_callback(lambda: log.append(f"last, active: {context.is_active()}")),
        ]
        return StringValue(value=str(added))

    def Cancel(self, request: StringValue, context: Any) -> StringValue:
        context.add_callback(lambda: events[request.value].append(CALLBACK))
        context.cancel()
        return StringValue(value="never seen")


class Async:
    """As `async def` handlers. They are cancelled."""

    async def TimeRemaining(self, request: Empty, context: Any) -> DoubleValue:
        return _remaining(context.time_remaining())

    async def Sleep(self, request: Empty, context: Any) -> StringValue:
        await asyncio.sleep(WAIT_SECONDS)
        return StringValue(value="slept")

    async def SleepInStream(self, request: Empty, context: Any) -> AsyncIterator[StringValue]:
        yield StringValue(value="before")
        await asyncio.sleep(WAIT_SECONDS)
        yield StringValue(value="after")

    async def Rush(self, request: Empty, context: Any) -> AsyncIterator[StringValue]:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            yield StringValue(value="no pause")

    async def Wait(self, request: StringValue, context: Any) -> StringValue:
        log = events[request.value]
        context.add_done_callback(lambda _: log.append(CALLBACK))
        log.append(STARTED)
        with _noting_cancellation(log):
            await gates[request.value].wait_async()
        log.append(OPENED)
        return StringValue(value="waited")

    async def WaitInStream(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        log = events[request.value]
        context.add_done_callback(lambda _: log.append(CALLBACK))
        log.append(STARTED)
        try:
            with _noting_cancellation(log):
                yield StringValue(value="before")
                await gates[request.value].wait_async()
                log.append(OPENED)
                yield StringValue(value="after")
        except GeneratorExit:
            log.append(CLOSED)
            raise

    async def SendInitialAndWait(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        await context.send_initial_metadata(INITIAL)
        await gates[request.value].wait_async()
        yield StringValue(value="after")

    async def Tick(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        log = events[request.value]
        context.add_done_callback(lambda _: log.append(CALLBACK))
        log.append(STARTED)
        try:
            for number in range(MAX_TICKS):
                yield StringValue(value=str(number))
                await asyncio.sleep(TICK_SECONDS)
        finally:
            log.append(INACTIVE if context.done() else "ended")

    async def TakeOneAndWait(self, requests: AsyncIterator[StringValue], context: Any) -> StringValue:
        key = (await anext(aiter(requests))).value
        events[key].append(STARTED)
        await gates[key].wait_async()
        return StringValue(value="waited")

    async def ChatAndWait(self, requests: AsyncIterator[StringValue], context: Any) -> AsyncIterator[StringValue]:
        iterator = aiter(requests)
        key = (await anext(iterator)).value
        events[key].append(STARTED)
        reading = asyncio.ensure_future(anext(iterator, None))
        try:
            await gates[key].wait_async()
            yield StringValue(value=OPENED)
            while (request := await reading) is not None:
                yield StringValue(value=request.value)
                reading = asyncio.ensure_future(anext(iterator, None))
        finally:
            reading.cancel()

    async def Drain(self, requests: AsyncIterator[StringValue], context: Any) -> StringValue:
        iterator = aiter(requests)
        log = events[(await anext(iterator)).value]
        context.add_done_callback(lambda _: log.append(CALLBACK))
        log.append(STARTED)
        with _noting_cancellation(log):
            async for request in iterator:
                log.append(request.value)
        log.append("end of requests")
        return StringValue(value="drained")

    async def IsActive(self, request: Empty, context: Any) -> BoolValue:
        return BoolValue(value=not context.done() and not context.cancelled())

    async def Callbacks(self, request: StringValue, context: Any) -> StringValue:
        log = events[request.value]

        def fail(_: Any) -> None:
            raise ValueError("a callback that fails")

        context.add_done_callback(lambda _: log.append("first"))
        context.add_done_callback(fail)
        context.add_done_callback(
            lambda its_own: log.append(f"last, active: {its_own is context and not its_own.done()}")
        )
        return StringValue(value=str([True, True, True]))

    async def Cancel(self, request: StringValue, context: Any) -> StringValue:
        context.add_done_callback(lambda _: events[request.value].append(CALLBACK))
        part = asyncio.ensure_future(asyncio.sleep(WAIT_SECONDS))
        part.cancel()  # an async handler has no `context.cancel()`, but what it waits for may be cancelled
        await part
        return StringValue(value="never seen")


def _sleep_while_active(context: Any) -> None:
    """As every `def` handler should that may run long: a thread cannot be cancelled, so it listens for the end."""
    over = threading.Event()
    context.add_callback(over.set)
    over.wait(WAIT_SECONDS)


@contextlib.contextmanager
def _noting_cancellation(log: list[str]) -> Iterator[None]:
    try:
        yield
    except asyncio.CancelledError:
        log.append(CANCELLED)
        raise
