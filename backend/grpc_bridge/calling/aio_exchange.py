"""What carries an asyncio call: requests that wait to be sent, the answer as it arrives, and who waits for either."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import NamedTuple

from grpc_bridge.calling.answer import Answer, Outcome, call_all

UNREAD_BYTES = 64 * 1024
"""While so many bytes of responses have not been read, no more are taken from the server."""

UNSENT_FRAMES = 16
"""While so many requests have not been sent, a write waits."""


class Piece(NamedTuple):
    """A piece of the request's body, and whether another follows for sure or perhaps."""

    data: bytes
    more: bool


class AioExchange(ABC):
    """One request on its way, and the answer that comes back. Whoever inherits moves the bytes, in `run`."""

    def __init__(self, answer: Answer, context: Context | None = None) -> None:
        self.answer = answer
        self._context = context
        self.is_held = False
        """Whether it is perhaps waited for somebody to read responses. Set before looking how many there are."""
        self.sent_frames = 0
        """How many pieces of the request are on their way."""
        self._frames: deque[bytes] = deque()
        self._has_last_frame = False
        self._is_on_its_way = False
        self._is_sent = False
        self._changed = asyncio.Event()
        self._on_end: list[Callable[[], object]] = []
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def run(self) -> None:
        """Sends the request and receives the answer. The call is over when this ends, at the latest."""

    def start(self) -> asyncio.Task[None]:
        """Starts to run, in a task that it gives."""
        self._task = asyncio.get_running_loop().create_task(self.run(), context=self._context)
        return self._task

    @property
    def is_open(self) -> bool:
        """Whether the answer is not complete. Nothing is sent or received any more when it is."""
        return not self.answer.is_complete

    def end(self, outcome: Outcome) -> bool:
        """Ends the call, unless it is over already: then this gives False. What the answer still brings is dropped."""
        is_new = self.answer.end(outcome)
        self.notify()
        return is_new

    def add_end_callback(self, callback: Callable[[], object]) -> None:
        """Calls `callback` as soon as the call has its outcome."""
        self._on_end.append(callback)

    def notify(self) -> None:
        """Wakes whoever waits for a change, and nobody who comes later."""
        self._changed.set()
        self._changed.clear()
        if self.answer.outcome is not None:
            callbacks, self._on_end = self._on_end, []
            call_all(callbacks)

    async def change(self) -> None:
        """Waits for a change of the answer, or of the requests that wait."""
        await self._changed.wait()

    async def finished(self) -> None:
        """Waits for the end of the call."""
        while not self.answer.settle():
            await self.change()
        self.notify()

    async def connected(self) -> None:
        """Waits until the request is on its way, or the call is over."""
        while not self._is_on_its_way and self.answer.initial_metadata is None and self.is_open:
            await self.change()

    async def room_for_responses(self) -> None:
        """Waits while too many responses have not been read."""
        self.is_held = True
        while self.has_too_much and self.is_open:
            await self.change()
        self.is_held = False

    @property
    def has_too_much(self) -> bool:
        """Whether too many responses have not been read."""
        return self.answer.waiting_bytes > UNREAD_BYTES

    def put(self, frame: bytes) -> None:
        """Sends a piece of the request, where the answer is not complete."""
        if self.is_open:
            self._frames.append(frame)
            self.notify()

    async def write(self, frame: bytes) -> None:
        """Sends a piece of the request, and waits until there is room for another."""
        self.put(frame)
        while len(self._frames) >= UNSENT_FRAMES and self.is_open:
            await self.change()

    def write_last(self, frame: bytes | None = None) -> None:
        """Ends the request, with a last piece of it if there is one."""
        if frame is not None:
            self._frames.append(frame)
        self._has_last_frame = True
        self.notify()

    def whole_request(self) -> bytes | None:
        """Gives the request if it is there as a whole, in one piece or none, and None if more of it is to come."""
        if len(self._frames) > 1 or not self._has_last_frame:
            return None
        return self._frames[0] if self._frames else b""

    async def next_piece(self) -> Piece | None:
        """Waits for the next piece of the request. After the last it waits until nothing is open, and gives None."""
        if not self._is_on_its_way:
            self._is_on_its_way = True
            self.notify()
        while self.is_open and not self._frames and (self._is_sent or not self._has_last_frame):
            await self.change()
        if not self.is_open:
            return None
        data = self._frames.popleft() if self._frames else b""
        self.sent_frames += 1
        self._is_sent = self._has_last_frame and not self._frames
        self.notify()
        return Piece(data, more=not self._is_sent)
