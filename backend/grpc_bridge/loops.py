"""How threads and event loops work for each other. Nothing here knows a protocol, a message or a handler.

A loop may be closed while threads still work for it: they are told so by `grpc.RpcError`, as a handler is told of any
other end of its call.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import CancelledError, Executor, Future
from contextvars import Context, ContextVar
from typing import Any, Generic, TypeVar

import grpc

T = TypeVar("T")

LOOP_CHECK_SECONDS = 1.0
"""How often a thread that waits for an event loop looks whether there still is one."""


class CallersThread(Executor):
    """The thread of a caller in this process: sync code of the call runs there, step by step, and nowhere else."""

    def waits(
        self,
        put: Callable[[Callable[[], None]], None],
        rest: Callable[[], None],
        serve: Callable[[Future[Any]], None],
    ) -> None:
        """The thread waits for a call on an event loop, and runs what `put` is given meanwhile.

        `rest` waits for the end of a call whose answer is not wanted any more, `serve` as `serve_until` does.
        """

    def serve_until(self, future: Future[Any]) -> None:
        """From sync code in this thread, which waits for `future`: does meanwhile what the call asks of the thread."""


callers_thread: ContextVar[CallersThread | None] = ContextVar("grpc_bridge_callers_thread", default=None)
"""Set by the test clients in the context of a call."""


def run_on_loop(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> Future[T]:
    """From a thread: starts a coroutine, with this thread's context variables.

    Raises `grpc.RpcError` where the loop is closed.
    """
    try:
        return asyncio.run_coroutine_threadsafe(coroutine, loop)
    except RuntimeError:
        coroutine.close()
        raise grpc.RpcError from None


class LoopTask(Generic[T]):
    """A task on a loop as the thread that has started it sees it. `ended` is done when it is over, cancelled or not."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> None:
        """Starts it, with this thread's context variables. Raises `grpc.RpcError` where the loop is closed."""
        self.ended: Future[T] = Future()
        self._coroutine = coroutine
        self._loop = loop
        self._task: asyncio.Task[T] | None = None
        self._is_cancelled = False
        if not tell_loop(loop, self._start):
            coroutine.close()
            raise grpc.RpcError

    def cancel(self) -> None:
        """From anywhere: cancels the task, once, because it may still wait for what it does at its end."""
        tell_loop(self._loop, self._cancel)

    def _start(self) -> None:
        self._task = self._loop.create_task(self._coroutine)
        self._task.add_done_callback(self._end)
        if self._is_cancelled:
            self._task.cancel()

    def _cancel(self) -> None:
        if not self._is_cancelled and self._task is not None:
            self._task.cancel()
        self._is_cancelled = True

    def _end(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self.ended.cancel()
        elif (error := task.exception()) is not None:
            self.ended.set_exception(error)
        else:
            self.ended.set_result(task.result())


def wait_for(future: Future[T], loop: asyncio.AbstractEventLoop) -> T:
    """From a thread: gives the result of what runs on `loop`. Raises `grpc.RpcError` when the loop has given it up."""
    caller = callers_thread.get()
    if caller is not None:
        caller.serve_until(future)
    while True:
        try:
            return future.result(LOOP_CHECK_SECONDS)
        except CancelledError:
            raise grpc.RpcError from None
        except TimeoutError:
            if future.done():
                return future.result()  # or the error of the coroutine, which may be a TimeoutError
            if loop.is_closed():
                raise grpc.RpcError from None


@types.coroutine
def in_context(coroutine: Coroutine[Any, Any, T], context: Context) -> Generator[Any, Any, T]:
    """Awaits `coroutine` in this task, with context variables of its own: what it sets, it sets in `context` only."""
    step: Callable[..., Any] = coroutine.send
    argument: Any = None
    while True:
        try:
            awaited = context.run(step, argument)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            argument = None  # an error's traceback has this frame: they would keep each other, and all that it has
        try:
            step, argument = coroutine.send, (yield awaited)
        except GeneratorExit:
            context.run(coroutine.close)
            raise
        except BaseException as error:  # above all, the cancellation of the task
            step, argument = coroutine.throw, error


@types.coroutine
def continued(coroutine: Coroutine[Any, Any, T], awaited: Any) -> Generator[Any, Any, T]:
    """Awaits the rest of a coroutine that was begun by hand. `awaited` is what its first step gave."""
    while True:
        try:
            step, argument = coroutine.send, (yield awaited)
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:  # above all, the cancellation of the task
            step, argument = coroutine.throw, error
        try:
            awaited = step(argument)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            argument = None  # as above


def tell_loop(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *arguments: Any) -> bool:
    """From a thread: has the loop call `callback`. Gives False after the loop's end."""
    try:
        loop.call_soon_threadsafe(callback, *arguments)
    except RuntimeError:
        return False
    return True


Outcome = tuple[T | None, BaseException | None]
"""What a function gave or raised. A future cannot carry a StopIteration as its error."""


def settle(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[Outcome[T]],
    context: Context,
    function: Callable[..., T],
    *arguments: Any,
) -> None:
    """In a thread: runs `function` in `context` and tells the loop its outcome. Never raises."""
    tell_loop(loop, set_result, future, attempted(context.run, function, *arguments))


def attempted(function: Callable[..., T], *arguments: Any) -> Outcome[T]:
    """Gives the outcome of a function. Never raises."""
    try:
        return function(*arguments), None
    except BaseException as error:
        return None, error


def outcome(settled: Outcome[T]) -> T:
    """Gives the result of a function, or raises its error."""
    result, error = settled
    if error is not None:
        try:
            raise error
        finally:
            del error, settled  # or the traceback would keep this frame, and this frame the traceback
    return result  # type: ignore[return-value]


def set_result(future: asyncio.Future[T], result: T) -> None:
    """On the loop: gives a future its result, unless nobody waits for it any more."""
    if not future.done():
        future.set_result(result)
