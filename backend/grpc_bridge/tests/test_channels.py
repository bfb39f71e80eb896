"""Frames from a thread to an event loop, requests from an event loop to a thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

import grpc
import pytest

from grpc_bridge import loops
from grpc_bridge.channels import FrameQueue, LoopMessages, ServingThread
from grpc_bridge.loops import in_context, run_on_loop, wait_for
from grpc_bridge.protocol.status import StatusCode, StatusError

T = TypeVar("T")


@pytest.fixture
async def queue() -> FrameQueue:
    """A queue that holds ten bytes, and one frame more."""
    return FrameQueue(asyncio.get_running_loop(), max_bytes=10)


def in_thread(run: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
    """Runs something in a thread of its own. If that never ends, it does not keep the tests from ending."""
    future: concurrent.futures.Future[T] = concurrent.futures.Future()

    def settle() -> None:
        try:
            future.set_result(run(*arguments))
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=settle, daemon=True).start()
    return asyncio.wrap_future(future)


class WatchedCondition(threading.Condition):
    """Tells the event loop that a thread waits, with the lock still held: whoever gets it next finds it waiting."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.loop = loop
        self.waits = asyncio.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.loop.call_soon_threadsafe(self.waits.set)
        return super().wait(timeout)


@pytest.fixture
async def watched(queue: FrameQueue) -> WatchedCondition:
    """The condition on which a thread of `queue` waits."""
    condition = WatchedCondition(asyncio.get_running_loop())
    queue._changed = condition
    return condition


async def test_frames_are_taken_in_order_and_joined(queue: FrameQueue) -> None:
    assert [queue.put(frame) for frame in (b"one ", b"two ", b"three")] == [True, True, True]
    assert await queue.take() == b"one two three"
    assert queue.put(b"four") is True
    assert await queue.take() == b"four"


async def test_take_waits_for_a_frame(queue: FrameQueue) -> None:
    taking = asyncio.ensure_future(queue.take())
    await asyncio.sleep(0)
    assert not taking.done()
    assert await in_thread(queue.put, b"late") is True
    assert await taking == b"late"


async def test_take_waits_for_the_end(queue: FrameQueue) -> None:
    taking = asyncio.ensure_future(queue.take())
    await asyncio.sleep(0)
    queue.end()
    assert await taking == b""
    assert await queue.take() == b""


async def test_what_was_put_before_the_end_comes_first(queue: FrameQueue) -> None:
    queue.put(b"last")
    queue.end()
    assert await queue.take() == b"last"
    assert await queue.take() == b""


async def test_a_take_that_is_given_up_loses_nothing(queue: FrameQueue) -> None:
    taking = asyncio.ensure_future(queue.take())
    await asyncio.sleep(0)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    queue.put(b"kept")
    await asyncio.sleep(0)
    assert await queue.take() == b"kept"
    queue.end()


async def test_a_thread_that_is_too_far_ahead_waits_until_frames_are_taken(
    queue: FrameQueue, watched: WatchedCondition
) -> None:
    assert queue.put(b"x" * 10) is True
    assert queue.put(b"y") is True  # ten bytes are not above the bound yet
    putting = in_thread(queue.put, b"z")
    await watched.waits.wait()
    assert not putting.done()
    assert await queue.take() == b"x" * 10 + b"y"
    assert await putting is True
    assert await queue.take() == b"z"


async def test_a_thread_that_waits_is_released_when_nobody_takes_any_more(
    queue: FrameQueue, watched: WatchedCondition
) -> None:
    queue.put(b"x" * 11)
    putting = in_thread(queue.put, b"y")
    await watched.waits.wait()
    queue.close()
    assert await putting is False
    assert queue.put(b"z") is False
    assert await queue.take() == b"x" * 11


async def test_a_frame_above_the_bound_passes_alone(queue: FrameQueue) -> None:
    assert queue.put(b"x" * 1000) is True
    assert len(await queue.take()) == 1000


async def test_no_frame_is_lost_or_swapped_under_load(queue: FrameQueue) -> None:
    frames = [f"{number:05};".encode() for number in range(2000)]
    loop, most = asyncio.get_running_loop(), 0

    def produce() -> None:
        for frame in frames:
            assert queue.put(frame)
        loop.call_soon_threadsafe(queue.end)

    producing, taken = in_thread(produce), b""
    while part := await queue.take():
        taken += part
        most = max(most, len(part))
    await producing
    assert taken == b"".join(frames)
    assert most <= 10 + len(frames[0])


class Stream:
    """Messages that an event loop has, and an error or a wait after them."""

    def __init__(self, *messages: bytes | None, error: BaseException | None = None) -> None:
        self.messages = list(messages)
        self.error = error
        self.asked_in: set[int] = set()

    async def next(self) -> bytes | None:
        self.asked_in.add(threading.get_ident())
        await asyncio.sleep(0)
        if self.messages:
            return self.messages.pop(0)
        if self.error is not None:
            raise self.error
        return None


async def test_a_thread_gets_the_messages_of_a_loop() -> None:
    loop, stream = asyncio.get_running_loop(), Stream(b"one", b"", b"two")
    assert await in_thread(list, LoopMessages(stream.next, loop)) == [b"one", b"", b"two"]
    assert stream.asked_in == {threading.get_ident()}


async def test_a_message_is_asked_for_only_when_the_thread_wants_it() -> None:
    loop, stream = asyncio.get_running_loop(), Stream(b"one", b"two")
    messages = LoopMessages(stream.next, loop)
    assert stream.asked_in == set()
    assert await in_thread(next, messages) == b"one"
    assert stream.messages == [b"two"]


async def test_bad_input_reaches_the_thread_after_the_messages_before_it() -> None:
    loop, stream = asyncio.get_running_loop(), Stream(b"one", error=StatusError(StatusCode.INTERNAL, "bad"))
    messages = LoopMessages(stream.next, loop)
    assert await in_thread(next, messages) == b"one"
    with pytest.raises(StatusError, match="bad"):
        await in_thread(next, messages)


async def test_a_call_that_is_given_up_is_an_rpc_error_in_the_thread() -> None:
    loop, stream = asyncio.get_running_loop(), Stream(error=asyncio.CancelledError())
    with pytest.raises(grpc.RpcError):
        await in_thread(list, LoopMessages(stream.next, loop))


def closed_loop() -> asyncio.AbstractEventLoop:
    """Gives the loop of a server that has ended."""
    loop = asyncio.new_event_loop()
    loop.close()
    return loop


async def test_a_thread_that_asks_a_closed_loop_for_a_message_is_told_that_the_call_is_over() -> None:
    messages = LoopMessages(Stream(b"one").next, closed_loop())
    with pytest.raises(grpc.RpcError):
        await in_thread(next, messages)


async def test_a_thread_that_waits_for_a_loop_which_is_closed_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "LOOP_CHECK_SECONDS", 0.01)
    future: concurrent.futures.Future[None] = concurrent.futures.Future()
    with pytest.raises(grpc.RpcError):
        await in_thread(wait_for, future, closed_loop())


async def test_a_timeout_error_of_a_coroutine_is_its_own() -> None:
    async def fail() -> None:
        raise TimeoutError("mine")

    loop = asyncio.get_running_loop()
    with pytest.raises(TimeoutError, match="mine"):
        await in_thread(lambda: wait_for(run_on_loop(fail(), loop), loop))


async def test_frames_for_a_closed_loop_are_not_wanted() -> None:
    assert FrameQueue(closed_loop()).put(b"frame") is False


async def test_a_thread_that_serves_a_closed_loop_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "LOOP_CHECK_SECONDS", 0.01)
    assert await in_thread(list, ServingThread(closed_loop()).serve()) == []


async def test_a_serving_thread_gives_what_is_sent_and_runs_what_is_submitted_in_order() -> None:
    thread, ran = ServingThread(asyncio.get_running_loop()), []
    serving = in_thread(lambda: [ran.append(item) or item for item in thread.serve()])
    await thread.send("one")
    assert await thread.run(copy_context(), lambda: ran.append("job") or threading.get_ident()) != threading.get_ident()
    await thread.send("two")
    thread.end()
    assert await serving == ["one", "two"]
    assert ran == ["one", "job", "two"]


async def test_what_a_serving_thread_does_not_run_any_more_is_cancelled() -> None:
    thread = ServingThread(asyncio.get_running_loop())
    thread.end()
    left_over = thread.submit(lambda: None)
    assert await in_thread(list, thread.serve()) == []
    assert left_over.cancelled()
    with pytest.raises(RuntimeError):
        thread.submit(lambda: None)


async def test_an_error_of_a_job_is_raised_where_it_is_awaited() -> None:
    thread = ServingThread(asyncio.get_running_loop())
    serving = in_thread(list, thread.serve())
    with pytest.raises(KeyError, match="mine"):
        await thread.run(copy_context(), {}.__getitem__, "mine")
    thread.end()
    assert await serving == []


variable: ContextVar[str] = ContextVar("variable", default="unset")


async def test_a_coroutine_has_context_variables_of_its_own() -> None:
    async def run() -> list[object]:
        seen = [variable.get()]
        variable.set("inside")
        await asyncio.sleep(0)
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0.001)
        except TimeoutError:
            seen.append("timeout")
        return [*seen, variable.get(), asyncio.current_task() is task]

    task = asyncio.current_task()
    variable.set("outside")
    assert await in_context(run(), copy_context()) == ["outside", "timeout", "inside", True]
    assert variable.get() == "outside"


async def test_a_cancellation_reaches_a_coroutine_in_its_context() -> None:
    seen: list[str] = []
    waits = asyncio.Event()

    async def run() -> None:
        variable.set("inside")
        try:
            waits.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append(variable.get())
            raise

    task = asyncio.ensure_future(in_context_of(run()))
    await waits.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["inside"]


async def in_context_of(coroutine: Any) -> None:
    """Runs a coroutine in a context of its own, as a coroutine."""
    await in_context(coroutine, copy_context())
