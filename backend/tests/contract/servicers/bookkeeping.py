"""What handlers note down and what they wait for, and the methods by which a test in another process gets at it."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, defaultdict
from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import ListValue
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

WAIT_SECONDS = 20.0
"""How long a handler waits for its gate. Longer than any test waits for an answer, so that its end proves something."""

events: dict[str, list[str]] = defaultdict(list)
"""What happened to calls, in its order, by a key that the test makes up."""

invocations: Counter[str] = Counter()
"""How often a handler has begun, by `<flavour>/<method>`. Only handlers that bad input is sent to count themselves."""


class Gate:
    """Holds handlers of both kinds until it is opened by another call."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._lock = threading.Lock()
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def open(self) -> None:
        """Lets everybody go on, also who comes later."""
        with self._lock:
            self._open.set()
            for loop, waiter in self._waiters:
                loop.call_soon_threadsafe(waiter.set)

    def wait(self) -> bool:
        """Waits in a thread. Gives False if nobody has opened."""
        return self._open.wait(WAIT_SECONDS)

    async def wait_async(self) -> bool:
        """Waits in a task. Gives False if nobody has opened."""
        waiter = asyncio.Event()
        with self._lock:
            if self._open.is_set():
                return True
            self._waiters.append((asyncio.get_running_loop(), waiter))
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await waiter.wait()
        except TimeoutError:
            return False
        return True


gates: dict[str, Gate] = defaultdict(Gate)
"""The gates by the key that the test makes up."""


def _list_of(texts: list[str]) -> ListValue:
    message = ListValue()
    message.extend(texts)
    return message


class Sync:
    """As `def` handlers."""

    def OpenGate(self, request: StringValue, context: Any) -> Empty:
        gates[request.value].open()
        return Empty()

    def Events(self, request: StringValue, context: Any) -> ListValue:
        return _list_of(events[request.value])

    def Invocations(self, request: StringValue, context: Any) -> Int32Value:
        return Int32Value(value=invocations[request.value])


class Async:
    """As `async def` handlers."""

    async def OpenGate(self, request: StringValue, context: Any) -> Empty:
        gates[request.value].open()
        return Empty()

    async def Events(self, request: StringValue, context: Any) -> ListValue:
        return _list_of(events[request.value])

    async def Invocations(self, request: StringValue, context: Any) -> Int32Value:
        return Int32Value(value=invocations[request.value])
