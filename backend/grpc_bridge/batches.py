"""Messages of a stream that are ready together are sent together, and none of them waits for another.

The handler's generator runs in a coroutine that gathers the frames of what it gives. That coroutine is driven by hand:
whenever it waits, for whatever it may be, the frames that are there go out first. One write for many messages costs
little more than one for each, and a stream of small messages costs next to nothing beside its writes.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from typing import Any

MAX_BATCH_BYTES = 16 * 1024
MAX_BATCH_MESSAGES = 128
"""How much is gathered at most. Then it goes out, and the event loop gets a turn: other calls go on, and the deadline
and the disconnect of this one are noticed."""

Frame = Callable[[Any], bytes | None]
Write = Callable[[bytes], Awaitable[None]]


def write_in_batches(responses: AsyncGenerator[Any, None], frame: Frame, write: Write) -> Awaitable[None]:
    """When awaited, writes the frames of all that a generator gives, and closes it.

    `frame` may give None, for what is not to be sent.

    Raises what they raise; what was ready before is written then, unless it is `write` that failed.
    """
    frames: list[bytes] = []
    return _flushed_before_waiting(_gather(responses, frame, frames), frames, write)


async def _gather(responses: AsyncGenerator[Any, None], frame: Frame, frames: list[bytes]) -> None:
    size = 0
    try:
        async for response in responses:
            made = frame(response)
            if made is None:
                continue
            frames.append(made)
            size += len(made)
            if size >= MAX_BATCH_BYTES or len(frames) >= MAX_BATCH_MESSAGES:
                size = 0
                await asyncio.sleep(0)
    finally:
        await responses.aclose()


@types.coroutine
def _flushed_before_waiting(
    work: Coroutine[Any, Any, None], frames: list[bytes], write: Write
) -> Generator[Any, Any, None]:
    step: Callable[..., Any] = work.send
    argument: Any = None
    while True:
        try:
            awaited = step(argument)
        except StopIteration:
            break
        except Exception:
            yield from _flush(frames, write)
            raise
        finally:
            argument = None  # an error's traceback has this frame: they would keep each other, and all that it has
        try:
            yield from _flush(frames, write)
            step, argument = work.send, (yield awaited)
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:  # also of a write: whoever waits has to hear of it, or could not be closed
            step, argument = work.throw, error
    yield from _flush(frames, write)


def _flush(frames: list[bytes], write: Write) -> Generator[Any, Any, None]:
    if frames:
        batch = b"".join(frames)
        frames.clear()
        yield from write(batch).__await__()
