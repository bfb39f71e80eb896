"""Messages of a stream that are ready together are sent together, and none of them waits for another.

An asynchronous generator is asked for its next message by hand: as long as it gives one without waiting for anything,
the frames are gathered. As soon as it waits, they go out. One write for many messages costs little more than one for
each, and a stream of small messages costs next to nothing beside its writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Any

from grpc_bridge.loops import continued, interrupted

MAX_BATCH_BYTES = 16 * 1024
MAX_BATCH_MESSAGES = 128
"""How much is gathered at most. Then it goes out, and the event loop gets a turn: other calls go on, and the deadline
and the disconnect of this one are noticed."""

Frame = Callable[[Any], bytes | None]
Write = Callable[[bytes], Awaitable[None]]


async def write_in_batches(responses: AsyncGenerator[Any, None], frame: Frame, write: Write) -> None:
    """Writes the frames of all that a generator gives. `frame` may give None, for what is not to be sent.

    Raises what they raise; what was ready before is written then, unless it is `write` that failed.
    """
    batch = _Batch(write)
    try:
        while True:
            step = responses.__anext__()
            try:
                awaited = step.send(None)
            except StopIteration as ready:
                response = ready.value
            else:
                try:
                    await batch.flush()
                except BaseException as error:
                    with suppress(StopAsyncIteration):
                        await interrupted(step, error)  # or the generator could not be closed
                    raise
                response = await continued(step, awaited)
            made = frame(response)
            if made is not None and batch.add(made):
                await batch.flush()
                await asyncio.sleep(0)
    except StopAsyncIteration:
        await batch.flush()
    except Exception:
        await batch.flush()
        raise


class _Batch:
    """Frames that wait for nothing but each other."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._frames: list[bytes] = []
        self._bytes = 0

    def add(self, frame: bytes) -> bool:
        """Takes a frame. Gives whether it is time to flush."""
        self._frames.append(frame)
        self._bytes += len(frame)
        return self._bytes >= MAX_BATCH_BYTES or len(self._frames) >= MAX_BATCH_MESSAGES

    async def flush(self) -> None:
        """Writes what was taken."""
        if self._frames:
            frames, self._frames, self._bytes = b"".join(self._frames), [], 0
            await self._write(frames)
