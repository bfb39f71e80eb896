"""Runs handlers: messages in, messages out, whatever kind the handler is and wherever it has to run.

    run_unary, run_stream                    a `def` handler, in this thread
    run_unary_async, run_stream_async        an `async def` handler, in this task; a `def` handler, in a pool's thread

Nothing here raises what a handler raised: the call's context has the status afterwards. No bytes move to a peer here.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import aclosing
from typing import Any, TypeVar

import grpc

from grpc_bridge.call import Call
from grpc_bridge.channels import FrameQueue, MessageStream, iterate_from_thread
from grpc_bridge.context import AsyncContext
from grpc_bridge.executors import sync_threads
from grpc_bridge.lifecycle import call_finished, call_started
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.registry import Method

logger = logging.getLogger("grpc_bridge")

T = TypeVar("T")
Write = Callable[[bytes], Awaitable[None]]


def _deserialize(method: Method, message: bytes) -> Any:
    try:
        return method.deserialize(message)
    except Exception:  # protobuf raises DecodeError, another codec may raise anything
        raise StatusError(StatusCode.INTERNAL, "Exception deserializing request!") from None


def _serialize(call: Call, response: Any) -> bytes:
    try:
        message = call.method.serialize(response)
    except Exception:  # as above; None, above all, is no message
        logger.exception(
            "%s gave a response that cannot be serialized (call %s)", call.method.path, call.context.call_id
        )
        raise StatusError(StatusCode.INTERNAL, "Failed to serialize response!") from None
    limit = call.settings.max_send_message_bytes
    if len(message) > limit:
        raise StatusError(StatusCode.RESOURCE_EXHAUSTED, f"Sent message larger than max ({len(message)} vs. {limit})")
    return message


def run_unary(call: Call, request: bytes | Iterator[bytes]) -> bytes | None:
    """Runs a `def` handler with one response and gives its bytes, or None.

    `request` is the one message, or an iterator of messages where they stream.
    """
    method, context = call.method, call.context
    try:
        argument = _deserialize(method, request) if isinstance(request, bytes) else _requests(call, request)
        return _serialize(call, method.behavior(argument, context))
    except Exception as error:
        context.fail(error)
        return None


def run_stream(call: Call, request: bytes | Iterator[bytes]) -> Generator[bytes, None, None]:
    """Runs a `def` handler with a stream of responses and gives the frame of each. `request` is as in `run_unary`."""
    method, context, frame = call.method, call.context, call.message
    try:
        argument = _deserialize(method, request) if isinstance(request, bytes) else _requests(call, request)
        for response in method.behavior(argument, context):
            if not context.active:
                break
            context.first_message_given()  # whoever sends it may be in another thread, and later
            yield frame(_serialize(call, response))
    except Exception as error:
        context.fail(error)


def _requests(call: Call, messages: Iterator[bytes]) -> Iterator[Any]:
    """Gives a `def` handler the requests of a stream of messages.

    Bad input ends the call whatever the handler makes of the error. After the end of the call it raises
    `grpc.RpcError`, as grpcio's iterator does.
    """
    while True:
        if not call.context.active:
            raise grpc.RpcError
        try:
            message = next(messages, None)
            if message is None:
                return
            request = _deserialize(call.method, message)
        except StatusError as error:
            if not call.context.reject(error):
                raise grpc.RpcError from None  # the caller has gone
            raise
        yield request


async def run_unary_async(call: Call, request: bytes | MessageStream) -> bytes | None:
    """Runs a handler with one response and gives its bytes, or None.

    `request` is the one message, or the stream of messages where they stream.
    """
    method, context = call.method, call.context
    try:
        if not isinstance(context, AsyncContext):
            messages = _for_thread(request)
            return await _in_thread(call, lambda: run_unary(call, messages))
        argument = (
            _deserialize(method, request) if isinstance(request, bytes) else _async_requests(call, context, request)
        )
        response = await method.behavior(argument, context)
        return None if context.aborted else _serialize(call, response)
    except Exception as error:
        context.fail(error)
        return None


async def run_stream_async(call: Call, request: bytes | MessageStream, write: Write) -> None:
    """Runs a handler with a stream of responses; `write` gets the frame of each, or several that are ready at once.

    `request` is as in `run_unary_async`.
    """
    method, context, frame = call.method, call.context, call.message

    async def respond(response: Any) -> None:
        if context.aborted:  # and the exception was swallowed; for `def` handlers grpcio goes on all the same
            return
        await write(frame(_serialize(call, response)))

    try:
        if not isinstance(context, AsyncContext):
            await _stream_from_thread(call, _for_thread(request), write)
            return
        argument = (
            _deserialize(method, request) if isinstance(request, bytes) else _async_requests(call, context, request)
        )
        if method.is_async_generator:
            async with aclosing(method.behavior(argument, context)) as responses:
                async for response in responses:
                    await respond(response)
        else:
            context.writer = respond
            await method.behavior(argument, context)
    except Exception as error:
        context.fail(error)


def _async_requests(call: Call, context: AsyncContext, messages: MessageStream) -> AsyncIterator[Any]:
    """Gives an `async def` handler its requests, by iteration or by `context.read()`. Bad input ends the call."""

    async def read() -> Any:
        try:
            message = await messages.next()
            return grpc.aio.EOF if message is None else _deserialize(call.method, message)
        except StatusError as error:
            context.reject(error)
            raise

    async def iterate() -> AsyncIterator[Any]:
        while (request := await read()) is not grpc.aio.EOF:
            yield request

    context.reader = read
    return iterate()


def _for_thread(request: bytes | MessageStream) -> bytes | Iterator[bytes]:
    return request if isinstance(request, bytes) else iterate_from_thread(request.next, asyncio.get_running_loop())


async def _in_thread(call: Call, run: Callable[[], T]) -> T:
    """Runs a `def` handler in a thread of the pool, with this task's context variables and Django's signals around it.

    When the call ends early this task stops waiting. The handler learns of it by its context; if it had not begun yet
    it never does.
    """

    def around() -> T:
        call_started()
        try:
            return run()
        finally:
            call_finished()

    loop = asyncio.get_running_loop()
    settled: asyncio.Future[tuple[T | None, BaseException | None]] = loop.create_future()
    job = sync_threads(call.settings).submit(_settle, loop, settled, contextvars.copy_context(), around)
    try:
        result, error = await settled
    except asyncio.CancelledError:
        job.cancel()
        raise
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def _settle(
    loop: asyncio.AbstractEventLoop,
    settled: asyncio.Future[tuple[T | None, BaseException | None]],
    context: contextvars.Context,
    run: Callable[[], T],
) -> None:
    """In a thread: runs something and tells the loop, if there still is one, what became of it."""
    outcome: tuple[T | None, BaseException | None]
    try:
        outcome = context.run(run), None
    except BaseException as error:
        outcome = None, error
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(lambda: None if settled.done() else settled.set_result(outcome))


async def _stream_from_thread(call: Call, request: bytes | Iterator[bytes], write: Write) -> None:
    queue = FrameQueue(asyncio.get_running_loop())

    def produce() -> None:
        frames = run_stream(call, request)
        try:
            for frame in frames:
                if not queue.put(frame):
                    break
        finally:
            frames.close()  # the handler sees GeneratorExit where it stands

    producer = asyncio.ensure_future(_in_thread(call, produce))
    producer.add_done_callback(lambda _: queue.end())
    try:
        while frames := await queue.take():
            await write(frames)
        await producer
    finally:
        queue.close()
        producer.cancel()
