"""Messages that are ready together are sent together, and none waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import pytest

from grpc_bridge.batches import MAX_BATCH_BYTES, MAX_BATCH_MESSAGES, write_in_batches

Make = Callable[[], AsyncGenerator[bytes, None]]


class HandlerError(Exception):
    pass


class Caller:
    """What is written, in pieces."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.fails_with: BaseException | None = None
        self.is_slow = False
        self.has_some = asyncio.Event()

    async def write(self, piece: bytes) -> None:
        if self.is_slow:
            await asyncio.sleep(0)
        if self.fails_with is not None:
            raise self.fails_with
        self.pieces.append(piece)
        self.has_some.set()


def as_it_is(message: bytes) -> bytes:
    return message


async def run(make: Make, caller: Caller, frame: Any = as_it_is) -> None:
    async with aclosing(make()) as messages:
        await write_in_batches(messages, frame, caller.write)


@pytest.fixture(params=[False, True], ids=["at once", "slowly"])
def caller(request: pytest.FixtureRequest) -> Caller:
    """A caller that takes what is sent at once, or a turn later."""
    made = Caller()
    made.is_slow = request.param
    return made


async def test_what_is_ready_goes_out_in_one_piece(caller: Caller) -> None:
    async def messages() -> AsyncGenerator[bytes, None]:
        for message in (b"a", b"b", b"c"):
            yield message

    await run(messages, caller)
    assert caller.pieces == [b"abc"]


async def test_nothing_waits_for_the_next_message(caller: Caller) -> None:
    goes_on, seen = asyncio.Event(), []

    async def messages() -> AsyncGenerator[bytes, None]:
        yield b"a"
        yield b"b"
        await goes_on.wait()
        yield b"c"
        await asyncio.sleep(0)
        yield b"d"

    async def look() -> None:
        await caller.has_some.wait()
        seen.extend(caller.pieces)
        goes_on.set()

    await asyncio.gather(run(messages, caller), look())
    assert seen == [b"ab"]
    assert caller.pieces == [b"ab", b"c", b"d"]


async def test_nothing_at_all_is_nothing(caller: Caller) -> None:
    async def messages() -> AsyncGenerator[bytes, None]:
        await asyncio.sleep(0)
        return
        yield b""

    await run(messages, caller)
    assert caller.pieces == []


@pytest.mark.parametrize("waits", [False, True])
async def test_what_was_ready_before_an_error_is_sent(caller: Caller, waits: bool) -> None:
    async def messages() -> AsyncGenerator[bytes, None]:
        yield b"a"
        if waits:
            await asyncio.sleep(0)
        yield b"b"
        raise HandlerError

    with pytest.raises(HandlerError):
        await run(messages, caller)
    assert b"".join(caller.pieces) == b"ab"


async def test_what_was_ready_before_a_message_that_cannot_be_sent_is_sent(caller: Caller) -> None:
    async def messages() -> AsyncGenerator[bytes, None]:
        yield b"a"
        yield b"b"

    def frame(message: bytes) -> bytes:
        if message == b"b":
            raise HandlerError
        return message

    with pytest.raises(HandlerError):
        await run(messages, caller, frame)
    assert caller.pieces == [b"a"]


async def test_what_is_not_to_be_sent_is_left_out(caller: Caller) -> None:
    async def messages() -> AsyncGenerator[bytes, None]:
        for message in (b"a", b"b", b"c"):
            yield message

    await run(messages, caller, lambda message: None if message == b"b" else message)
    assert caller.pieces == [b"ac"]


@pytest.mark.parametrize(("size", "pieces"), [(1, 1000 // MAX_BATCH_MESSAGES + 1), (MAX_BATCH_BYTES // 2, 500)])
async def test_a_generator_that_never_waits_lets_others_have_their_turn(size: int, pieces: int, caller: Caller) -> None:
    turns = 0

    async def messages() -> AsyncGenerator[bytes, None]:
        for _ in range(1000):
            yield b"x" * size

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count_turns())
    await run(messages, caller)
    counting.cancel()
    assert len(caller.pieces) == pieces
    assert turns >= pieces - 1


@pytest.mark.parametrize("swallows", [False, True])
async def test_a_generator_ends_where_it_waits_when_its_caller_has_gone(caller: Caller, swallows: bool) -> None:
    """Its messages are to be sent while it waits already for what will be the next."""
    found: list[BaseException] = []

    async def messages() -> AsyncGenerator[bytes, None]:
        yield b"a"
        try:
            await asyncio.get_running_loop().create_future()
        except BaseException as error:
            found.append(error)
            await asyncio.sleep(0)  # what it has to do at its end may take a while
            found.append(error)
            if not swallows:
                raise
        yield b"b"

    caller.fails_with = asyncio.CancelledError("gone")
    with pytest.raises(asyncio.CancelledError, match="gone"):
        await run(messages, caller)
    assert found == [caller.fails_with] * 2


async def test_a_cancelled_task_ends_the_generator_where_it_waits(caller: Caller) -> None:
    ended = []

    async def messages() -> AsyncGenerator[bytes, None]:
        try:
            yield b"a"
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    task = asyncio.ensure_future(run(messages, caller))
    await caller.has_some.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]
