"""Runs handlers: messages in, messages out, whatever kind the handler is and wherever it has to run.

    run_unary, run_stream                    a `def` handler, in this thread
    run_unary_async, run_stream_async        an `async def` handler, in this task; a `def` handler, in a pool's thread

Nothing here raises what a handler raised: the call's context has the status afterwards. No bytes move to a peer here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import aclosing
from contextvars import copy_context
from functools import partial
from typing import Any

import grpc

from grpc_bridge.batches import write_in_batches
from grpc_bridge.call import Call
from grpc_bridge.channels import FrameQueue, LoopMessages, MessageStream
from grpc_bridge.context import AsyncContext
from grpc_bridge.errors import HANDLER_ERRORS
from grpc_bridge.executors import begin_in_call_thread, in_call_thread
from grpc_bridge.loops import callers_thread, in_context
from grpc_bridge.protocol.status import StatusError
from grpc_bridge.registry import Method

Write = Callable[[bytes], Awaitable[None]]
Respond = Callable[[Any], Awaitable[None]]


def run_unary(call: Call, request: bytes | Iterator[bytes]) -> bytes | None:
    """Runs a `def` handler with one response and gives its bytes, or None.

    `request` is the one message, or an iterator of messages where they stream.
    """
    if call.method.interceptors is not None and not call.method.interceptors.find_handler(call):
        return None
    context = call.context
    try:
        argument = call.decode(request) if isinstance(request, bytes) else Requests(call, request)
        return call.encode(call.method.behavior(argument, context))
    except HANDLER_ERRORS as error:
        context.fail(error)
        return None


def run_stream(call: Call, request: bytes | Iterator[bytes]) -> Generator[bytes, None, None]:
    """Runs a `def` handler with a stream of responses and gives the frame of each. `request` is as in `run_unary`."""
    if call.method.interceptors is not None and not call.method.interceptors.find_handler(call):
        return
    context, frame, encode = call.context, call.message, call.encode
    try:
        argument = call.decode(request) if isinstance(request, bytes) else Requests(call, request)
        for response in call.method.behavior(argument, context):
            if not context.active:
                break
            context.first_message_given()  # whoever sends it may be in another thread, and later
            yield frame(encode(response))
    except HANDLER_ERRORS as error:
        context.fail(error)


class Requests:
    """The requests of a stream of messages, for a `def` handler.

    Bad input ends the call whatever the handler makes of the error. After the end of the call `grpc.RpcError` is
    raised, as by grpcio's iterator.
    """

    def __init__(self, call: Call, messages: Iterator[bytes]) -> None:
        self._call = call
        self.messages = messages

    def __iter__(self) -> Requests:
        return self

    def __next__(self) -> Any:
        """Gives the next request."""
        call = self._call
        if not call.context.active:
            raise grpc.RpcError
        try:
            return call.decode(next(self.messages))
        except StatusError as error:
            if not call.context.reject(error):
                raise grpc.RpcError from None  # the caller has gone
            raise


async def run_unary_async(call: Call, request: bytes | MessageStream) -> bytes | None:
    """Runs a handler with one response and gives its bytes, or None.

    `request` is the one message, or the stream of messages where they stream.
    """
    context = call.context
    try:
        if not isinstance(context, AsyncContext):
            messages = _for_thread(request)
            return await in_call_thread(lambda: run_unary(call, messages), call.settings)
        if call.method.interceptors is not None:
            return await in_context(_run_unary_intercepted(call, request), copy_context())
        argument = call.decode(request) if isinstance(request, bytes) else async_requests(call, context, request)
        response = await call.method.behavior(argument, context)
        return None if context.drops_message else call.encode(response)
    except Exception as error:
        context.fail(error)
        return None


async def run_stream_async(call: Call, request: bytes | MessageStream, write: Write) -> None:
    """Runs a handler with a stream of responses; `write` gets the frame of each, or several that are ready at once.

    `request` is as in `run_unary_async`.
    """
    context, encode, plain_frame = call.context, call.encode, call.wire.plain_message
    is_first = True

    def framed(response: Any) -> bytes | None:
        nonlocal is_first
        if context.aborted:  # and the exception was swallowed; for `def` handlers grpcio goes on all the same
            return None
        if is_first:
            is_first = False
            context.first_message_given()
        message = encode(response)
        return plain_frame(message) if context.response_encoding is None else call.message(message)

    try:
        if not isinstance(context, AsyncContext):
            await _stream_from_thread(call, _for_thread(request), write)
        elif call.method.interceptors is not None:
            await in_context(_run_stream_intercepted(call, request, write), copy_context())
        else:
            argument = call.decode(request) if isinstance(request, bytes) else async_requests(call, context, request)
            if _may_batch(call.method):
                await write_in_batches(call.method.behavior(argument, context), framed, write)
            else:
                await give_responses(call.method, argument, context, partial(_respond, framed, write))
    except Exception as error:
        context.fail(error)


def _may_batch(method: Method) -> bool:
    # Who asks for a request hears first what was said to the one before. A caller in this process asks for each answer.
    return method.is_async_generator and not method.request_streaming and callers_thread.get() is None


async def _respond(framed: Callable[[Any], bytes | None], write: Write, response: Any) -> None:
    frame = framed(response)
    if frame is not None:
        await write(frame)


async def give_responses(method: Method, argument: Any, context: AsyncContext, respond: Respond) -> None:
    """Runs an `async def` handler with a stream of responses, in whichever way it gives them."""
    if method.is_async_generator:
        async with aclosing(method.behavior(argument, context)) as responses:
            async for response in responses:
                await respond(response)
    else:
        context.writer = respond
        await method.behavior(argument, context)


async def _run_unary_intercepted(call: Call, request: bytes | MessageStream) -> bytes | None:
    interceptors = call.method.interceptors
    found = interceptors is None or await interceptors.find_handler_async(call)
    return await run_unary_async(call, request) if found else None


async def _run_stream_intercepted(call: Call, request: bytes | MessageStream, write: Write) -> None:
    interceptors = call.method.interceptors
    if interceptors is None or await interceptors.find_handler_async(call):
        await run_stream_async(call, request, write)


def async_requests(call: Call, context: AsyncContext, messages: MessageStream) -> AsyncIterator[Any]:
    """Gives an `async def` handler the requests of a stream of messages. Bad input ends the call."""

    async def next_request() -> Any:
        try:
            message = await messages.next()
            return None if message is None else call.decode(message)
        except StatusError as error:
            if not context.reject(error):
                raise asyncio.CancelledError from None  # the caller has gone
            raise

    return readable(context, next_request)


def readable(context: AsyncContext, next_request: Callable[[], Awaitable[Any]]) -> AsyncIterator[Any]:
    """Gives an `async def` handler its requests, by iteration or by `context.read()`. None is the end of them."""

    async def read() -> Any:
        request = await next_request()
        return grpc.aio.EOF if request is None else request

    async def iterate() -> AsyncIterator[Any]:
        while (request := await next_request()) is not None:
            yield request

    context.reader = read
    return iterate()


def _for_thread(request: bytes | MessageStream) -> bytes | Iterator[bytes]:
    return request if isinstance(request, bytes) else LoopMessages(request.next, asyncio.get_running_loop())


async def _stream_from_thread(call: Call, request: bytes | Iterator[bytes], write: Write) -> None:
    if callers_thread.get() is not None:
        await _stream_in_steps(call, request, write)
        return
    queue = FrameQueue(asyncio.get_running_loop())
    requests = request

    if isinstance(request, LoopMessages):

        async def next_message() -> Any:
            # As on grpcio, where a response is sent before the handler goes on. Under WSGI it has to be: the thread
            # that sends is also the one that waits for the request.
            await queue.sent()
            return await request.next()

        requests = LoopMessages(next_message, request.loop)

    def produce() -> None:
        frames = run_stream(call, requests)
        try:
            for frame in frames:
                if not queue.put(frame):
                    break
        finally:
            frames.close()  # the handler sees GeneratorExit where it stands

    producer = asyncio.ensure_future(in_call_thread(produce, call.settings))
    producer.add_done_callback(lambda _: queue.end())
    try:
        while frames := await queue.take():
            await write(frames)
        await producer
    finally:
        queue.close()
        producer.cancel()


async def _stream_in_steps(call: Call, request: bytes | Iterator[bytes], write: Write) -> None:
    """The same in the thread of a caller, which has to be free for the caller between two messages."""
    variables, frames = copy_context(), run_stream(call, request)
    try:
        while frame := await in_call_thread(partial(variables.run, next, frames, b""), call.settings):
            await write(frame)
    finally:
        begin_in_call_thread(partial(variables.run, frames.close), call.settings)
