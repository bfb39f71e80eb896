"""Handlers of one kind as handlers of the other, and of one arity as of another, for the interceptors between them.

An interceptor wraps a handler in its own kind: `def` around `def`, `async def` around `async def`. Where the kinds of
interceptor and handler differ it gets a stand-in of its own kind, which runs the handler where that belongs:

    to_def      the `async def` handler runs on the call's event loop, the thread of the `def` wrapper waits for it
    to_async    the `def` handler runs in a thread of the pool, the task of the `async def` wrapper waits for it

A thread that waits for the loop runs what the same call has to do in a thread, `sync_to_async` included: one call holds
one thread, however often it crosses, so calls cannot starve each other of threads, and what it does with the database
is done by one connection.

A stand-in gives the handler the call's context of the handler's kind, not an object that a wrapper made around the
context of its own. An interceptor that hands a stand-in back unwrapped costs nothing: the handler itself runs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from contextvars import Context, ContextVar, copy_context
from functools import partial
from typing import Any, TypeVar

import grpc

from grpc_bridge.arity import handler_of
from grpc_bridge.call import Call
from grpc_bridge.channels import LoopMessages, ServingThread
from grpc_bridge.context import AsyncContext, SyncContext, view
from grpc_bridge.dispatch import Requests, async_requests, give_responses, readable
from grpc_bridge.executors import begin_in_call_thread, in_call_thread
from grpc_bridge.lifecycle import leave_thread, sync_code_in
from grpc_bridge.loops import CallersThread, LoopTask, Outcome, callers_thread, outcome, settle, wait_for
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.registry import Handler, Method

T = TypeVar("T")

_END = object()

_serving: ContextVar[ServingThread | None] = ContextVar("grpc_bridge_serving_thread", default=None)
"""The thread that waits for the current task, if one does."""


def original(behavior: Callable[..., Any]) -> Method | None:
    """Gives the method that a behavior is a stand-in for, None if it is none."""
    return getattr(behavior, "stands_in_for", None)


class Crossing:
    """Makes the stand-ins of one call. `loop` is where its `async def` handlers run."""

    def __init__(self, call: Call, loop: asyncio.AbstractEventLoop) -> None:
        self._call = call
        self._loop = loop
        self._context = view(call.context, SyncContext)

    def to_def(self, method: Method) -> Handler:
        """Gives an `async def` handler as a `def` one."""

        def unary(request: Any, _: Any) -> Any:
            context = view(self._context, AsyncContext)
            argument = self._for_async(method, request, context)
            return self.wait_for(lambda: method.behavior(argument, context))

        def stream(request: Any, _: Any) -> Iterator[Any]:
            context = view(self._context, AsyncContext)
            argument = self._for_async(method, request, context)
            thread, task = self._start(lambda thread: give_responses(method, argument, context, thread.send))
            responses = thread.serve()
            try:
                for response in responses:  # noqa: UP028 - `yield from` would close it, and the handler has not ended
                    yield response
                self._result(task)
            finally:
                task.cancel()
                deque(responses, maxlen=0)  # what the handler does at its end may need this thread

        return self._stand_in(method, stream if method.response_streaming else unary)

    def to_async(self, method: Method) -> Handler:
        """Gives a `def` handler as an `async def` one."""

        async def unary(request: Any, _: Any) -> Any:
            argument, context = self._for_def(method, request), view(self._context, SyncContext)
            return await self.in_thread(lambda: method.behavior(argument, context))

        async def stream(request: Any, _: Any) -> AsyncIterator[Any]:
            argument, context = self._for_def(method, request), view(self._context, SyncContext)
            variables = copy_context()
            async with self._thread() as thread:
                responses = await thread.run(variables, lambda: iter(method.behavior(argument, context)))
                close = partial(variables.run, _close, responses)
                thread.at_end(close)  # who iterates here may leave it to the garbage collection, in whatever thread
                try:
                    while (response := await thread.run(variables, next, responses, _END)) is not _END:
                        yield response
                finally:
                    with suppress(RuntimeError):  # the thread has gone already
                        thread.submit(close)

        return self._stand_in(method, stream if method.response_streaming else unary)

    def _stand_in(self, method: Method, behavior: Any) -> Handler:
        behavior.stands_in_for = method
        return handler_of(method, behavior)

    def wait_for(self, run: Callable[[], Awaitable[T]]) -> T:
        """From a thread: gives the result of what runs on the loop. Raises `grpc.RpcError` if the call ends before."""
        thread, task = self._start(lambda _: run())
        deque(thread.serve(), maxlen=0)
        return self._result(task)

    def _result(self, task: LoopTask[T]) -> T:
        try:
            return wait_for(task.ended, self._loop)
        except grpc.RpcError:
            if task.ended.cancelled():  # by the handler itself, if the call is not over
                self._context.reject(StatusError(StatusCode.CANCELLED, "Cancelled on the server side"))
            raise

    async def in_thread(self, run: Callable[[], T]) -> T:
        """From the loop: gives the result of what runs in the thread of this call."""
        thread = _serving.get()
        if thread is None:
            return await in_call_thread(run, self._call.settings)
        return await thread.run(copy_context(), run)

    # What a `def` stand-in does, in its thread.

    def _start(self, run: Callable[[ServingThread], Awaitable[T]]) -> tuple[ServingThread, LoopTask[T]]:
        """Starts on the loop what this thread will wait for. It is given up when the call ends."""
        thread = ServingThread(self._loop)
        token = _serving.set(thread)
        try:
            task = LoopTask(_on_loop(run, thread), self._loop)
        finally:
            _serving.reset(token)
        task.ended.add_done_callback(lambda _: thread.end())
        if not self._context.at_end(task.cancel):
            task.cancel()
        return thread, task

    def _for_async(self, method: Method, request: Any, context: AsyncContext) -> Any:
        if not method.request_streaming:
            return request
        messages = request.messages if isinstance(request, Requests) else request
        if not isinstance(messages, LoopMessages) or messages.loop is not self._loop:
            return readable(context, self._puller(iter(request)))
        # No interceptor has replaced them: they are on the loop already.
        if messages is request:
            return readable(context, messages.next)
        return async_requests(self._call, context, messages)

    def _puller(self, requests: Iterator[Any]) -> Callable[[], Coroutine[Any, Any, Any]]:
        """Gives the requests of an iterator that an interceptor has made, from a thread for nothing else."""
        variables = copy_context()
        executor: ThreadPoolExecutor | None = None

        def close() -> None:
            if executor is not None:
                executor.submit(leave_thread)
                executor.shutdown(wait=False)

        async def next_request() -> Any:
            nonlocal executor
            if executor is None:
                executor = ThreadPoolExecutor(1, thread_name_prefix="grpc_bridge_requests")
                if not self._context.at_end(close):
                    raise asyncio.CancelledError
            settled: asyncio.Future[Outcome[Any]] = self._loop.create_future()
            executor.submit(settle, self._loop, settled, variables, next, requests, None)
            return outcome(await settled)

        return next_request

    # What an `async def` stand-in does, in its task.

    def _for_def(self, method: Method, request: Any) -> Any:
        return LoopMessages(partial(anext, request, None), self._loop) if method.request_streaming else request

    @asynccontextmanager
    async def _thread(self) -> AsyncIterator[ServingThread | _CallersSteps]:
        """Gives the thread that waits for this task, or else that of the caller, or else one of the pool."""
        waiting, caller = _serving.get(), callers_thread.get()
        if waiting is not None or caller is not None:
            yield waiting or _CallersSteps(caller, self._call)
            return
        thread = ServingThread(self._loop)

        def serve() -> None:
            deque(thread.serve(), maxlen=0)

        lease, _ = begin_in_call_thread(serve, self._call.settings)
        self._context.at_end(thread.end)
        try:
            yield thread
        finally:
            thread.end()
            lease.cancel()  # in case it waits for a thread still; if not, the thread ends by itself


class _CallersSteps:
    """The thread of a caller in this process, which is not to be kept between two steps."""

    def __init__(self, thread: CallersThread | None, call: Call) -> None:
        assert thread is not None
        self._thread = thread
        self._call = call

    async def run(self, context: Context, function: Callable[..., T], *arguments: Any) -> T:
        """Runs `function` in the thread."""
        return await in_call_thread(partial(context.run, function, *arguments), self._call.settings)

    def submit(self, function: Callable[[], Any]) -> None:
        """Has the thread run `function`."""
        self._thread.submit(function)

    def at_end(self, function: Callable[[], Any]) -> None:
        """Has the thread run `function` at the end of the call."""
        self._call.context.at_end(partial(self._thread.submit, function))


async def _on_loop(run: Callable[[ServingThread], Awaitable[T]], thread: ServingThread) -> T:
    with sync_code_in(thread):
        return await run(thread)


def _close(responses: Any) -> None:
    """A generator sees GeneratorExit where it stands. What it makes of that is too late for the call."""
    with suppress(Exception):
        getattr(responses, "close", lambda: None)()
