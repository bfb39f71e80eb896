"""What happens between interceptors of one kind and handlers of the other: ends, errors, threads, contexts."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import grpc
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser

from grpc_bridge import executors
from grpc_bridge.caller import get_user, set_user
from grpc_bridge.conf import BridgeSettings, Interceptor
from grpc_bridge.tests.in_memory import TRANSPORTS, WSGI, Answer, Request, answers, registry_of
from grpc_bridge.tests.interception import (
    ARITIES,
    ASYNC,
    BEHAVIORS,
    REQUESTS,
    RESPONSES,
    SYNC,
    AioWrapping,
    AsyncMarking,
    Marking,
    Wrapping,
    arity_of,
    handler,
    wrapped,
)
from grpc_bridge.threads import SyncThreads

NOT_REACHED_SECONDS = 30
"""How long handlers wait that are to be stopped."""


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """ASGI and WSGI."""
    return request.param


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> SyncThreads:
    """The pool has one thread only."""
    pool = SyncThreads(1, 100)
    monkeypatch.setattr(executors, "_threads", pool)
    return pool


def call(
    transport: str, behavior: Any, *interceptors: Interceptor, arity: str = "unary_unary", **request: Any
) -> Answer:
    """Makes one call of a handler through interceptors."""
    settings = BridgeSettings(interceptors=interceptors)
    what = Request(f"/test.Service/{arity}", REQUESTS[arity], **request)
    return answers(transport, registry_of(**{arity: handler(arity, behavior)}), settings, what)[0]


class Around(grpc.ServerInterceptor):
    """Notes what a `def` around the handler sees of its end."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.ended = threading.Event()

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        found = continuation(details)
        inner = getattr(found, arity_of(found))

        def note(error: BaseException | None, context: Any) -> None:
            self.seen.append((type(error).__name__ if error else None, context.code(), context.is_active()))
            self.ended.set()

        def one(request: Any, context: Any) -> Any:
            try:
                response = inner(request, context)
            except BaseException as error:
                note(error, context)
                raise
            note(None, context)
            return response

        def many(request: Any, context: Any) -> Any:
            try:
                yield from inner(request, context)
            except BaseException as error:
                note(error, context)
                raise
            note(None, context)

        return wrapped(found, many if found.response_streaming else one)


class AsyncAround(grpc.aio.ServerInterceptor):
    """The same for an `async def` around it."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.ended = threading.Event()

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        found = await continuation(details)
        inner = getattr(found, arity_of(found))

        def note(error: BaseException | None, context: Any) -> None:
            self.seen.append((type(error).__name__ if error else None, context.code(), not context.done()))
            self.ended.set()

        async def one(request: Any, context: Any) -> Any:
            try:
                response = await inner(request, context)
            except BaseException as error:
                note(error, context)
                raise
            note(None, context)
            return response

        async def many(request: Any, context: Any) -> Any:
            try:
                async for response in inner(request, context):
                    yield response
            except BaseException as error:
                note(error, context)
                raise
            note(None, context)

        return wrapped(found, many if found.response_streaming else one)


AROUND = (Around, AsyncAround)


def abort(request: Any, context: Any) -> None:
    context.set_trailing_metadata((("key", "value"),))
    context.abort(grpc.StatusCode.NOT_FOUND, "nothing here")


async def abort_async(request: Any, context: Any) -> None:
    context.set_trailing_metadata((("key", "value"),))
    await context.abort(grpc.StatusCode.NOT_FOUND, "nothing here")


def abort_in_stream(request: Any, context: Any) -> Any:
    yield b"one"
    context.abort(grpc.StatusCode.NOT_FOUND, "nothing here")


async def abort_in_stream_async(request: Any, context: Any) -> Any:
    yield b"one"
    await context.abort(grpc.StatusCode.NOT_FOUND, "nothing here")


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("behavior", [abort, abort_async])
def test_a_wrapper_sees_an_abort_and_its_status(transport: str, around: Any, behavior: Any) -> None:
    looking = around()
    assert call(transport, behavior, looking) == Answer([], grpc.StatusCode.NOT_FOUND, "nothing here")
    assert looking.seen == [("AbortError", grpc.StatusCode.NOT_FOUND, True)]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("behavior", [abort_in_stream, abort_in_stream_async])
def test_a_wrapper_sees_an_abort_in_a_stream(transport: str, around: Any, behavior: Any) -> None:
    looking = around()
    answer = call(transport, behavior, looking, arity="unary_stream")
    assert answer == Answer([b"one"], grpc.StatusCode.NOT_FOUND, "nothing here")
    assert looking.seen == [("AbortError", grpc.StatusCode.NOT_FOUND, True)]


def fail(request: Any, context: Any) -> Any:
    raise ValueError("swordfish")


async def fail_async(request: Any, context: Any) -> Any:
    raise ValueError("swordfish")


def stop(request: Any, context: Any) -> Any:
    raise StopIteration


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(
    ("behavior", "name"), [(fail, "ValueError"), (fail_async, "ValueError"), (stop, "StopIteration")]
)
def test_a_wrapper_sees_the_exception_of_a_handler(transport: str, around: Any, behavior: Any, name: str) -> None:
    looking = around()
    answer = call(transport, behavior, looking)
    assert answer.code is grpc.StatusCode.UNKNOWN
    assert "swordfish" not in answer.details
    # A coroutine cannot raise StopIteration.
    assert looking.seen in ([(name, None, True)], [("RuntimeError", None, True)])


def wait(request: Any, context: Any) -> bytes:
    """A handler that waits until its call ends."""
    ended = threading.Event()
    context.add_callback(ended.set)
    ended.wait(NOT_REACHED_SECONDS)
    return b""


async def wait_async(request: Any, context: Any) -> bytes:
    await asyncio.sleep(NOT_REACHED_SECONDS)
    return b""


def wait_in_stream(request: Any, context: Any) -> Any:
    yield b"one"
    wait(request, context)


async def wait_in_stream_async(request: Any, context: Any) -> Any:
    yield b"one"
    await asyncio.sleep(NOT_REACHED_SECONDS)


async def wait_and_write(request: Any, context: Any) -> Any:
    await context.write(b"one")
    await asyncio.sleep(NOT_REACHED_SECONDS)


EXPIRED = (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
TIMEOUT = [("grpc-timeout", "200m")]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("behavior", [wait, wait_async])
def test_a_deadline_ends_handler_and_wrapper(transport: str, around: Any, behavior: Any) -> None:
    looking = around()
    assert call(transport, behavior, looking, headers=TIMEOUT) == Answer([], *EXPIRED)
    assert looking.ended.wait(NOT_REACHED_SECONDS)
    assert not any(active for _, _, active in looking.seen)


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("behavior", [wait_in_stream, wait_in_stream_async, wait_and_write])
def test_a_deadline_ends_a_stream_and_its_wrapper(transport: str, around: Any, behavior: Any) -> None:
    if around is AsyncAround and behavior is wait_and_write:
        pytest.skip("such a handler is no iterator to an `async def`, as in grpcio")
    looking = around()
    answer = call(transport, behavior, looking, arity="unary_stream", headers=TIMEOUT)
    assert answer == Answer([b"one"], *EXPIRED)
    assert looking.ended.wait(NOT_REACHED_SECONDS)


class Slow(grpc.ServerInterceptor):
    """Takes longer than the deadline to find a handler."""

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        self.released.wait(NOT_REACHED_SECONDS)
        return continuation(details)

    released = threading.Event()


@pytest.mark.parametrize("flavour", [SYNC, ASYNC])
def test_no_handler_runs_whose_call_has_ended_meanwhile(transport: str, flavour: str, one_thread: SyncThreads) -> None:
    ran: list[str] = []
    slow, done = Slow(), threading.Event()
    slow.released = threading.Event()

    class Last(grpc.ServerInterceptor):
        def intercept_service(self, continuation: Any, details: Any) -> Any:
            found = continuation(details)
            done.set()
            return found

    async def run_async(request: Any, context: Any) -> bytes:
        ran.append("handler")
        return b""

    behavior = run_async if flavour is ASYNC else lambda *_: ran.append("handler") or b""
    assert call(transport, behavior, slow, Last(), headers=TIMEOUT) == Answer([], *EXPIRED)
    slow.released.set()
    assert done.wait(NOT_REACHED_SECONDS)
    # When the only thread takes another job, it has passed the place where the handler would run.
    next_job = threading.Event()
    one_thread.submit(next_job.set)
    assert next_job.wait(NOT_REACHED_SECONDS)
    assert ran == []


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("arity", ARITIES)
@pytest.mark.parametrize("flavour", [SYNC, ASYNC])
@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize("first", [Marking, AsyncMarking])
def test_a_call_crosses_often_with_one_thread(
    transport: str, flavour: str, arity: str, first: Any, *, replaces: bool
) -> None:
    kinds = [Marking, AsyncMarking] * 3 if first is Marking else [AsyncMarking, Marking] * 3
    chain = [kind(b"m", replaces_requests=replaces) for kind in kinds]
    answer = call(transport, BEHAVIORS[flavour][arity], *chain, arity=arity)
    assert answer.code is grpc.StatusCode.OK
    assert [message[-6:] for message in answer.messages] == [b"M" * 6] * len(RESPONSES[arity])


def test_a_handler_and_its_wrapper_run_in_one_thread_of_the_pool() -> None:
    """Connections of Django belong to threads: those of an interceptor are those of its handler."""
    threads: list[int] = []

    class Noting(grpc.ServerInterceptor):
        def intercept_service(self, continuation: Any, details: Any) -> Any:
            found = continuation(details)

            def many(request: Any, context: Any) -> Any:
                threads.append(threading.get_ident())
                for response in found.unary_stream(request, context):
                    threads.append(threading.get_ident())
                    yield response

            return wrapped(found, many)

    def behavior(request: Any, context: Any) -> Any:
        threads.append(threading.get_ident())
        yield b"one"
        threads.append(threading.get_ident())

    chain = [Noting(), AsyncMarking(), Noting()]
    assert call("asgi", behavior, *chain, arity="unary_stream") == Answer([b"oneA"])
    assert len(threads) == 6
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


@pytest.mark.parametrize("arity", ["unary_unary", "unary_stream"])
def test_sync_code_of_an_async_handler_runs_in_the_thread_of_its_wrapper(transport: str, arity: str) -> None:
    """So does all that it asks the database: a transaction of the wrapper is one around the handler."""
    threads: list[int] = []

    class Noting(Around):
        def intercept_service(self, continuation: Any, details: Any) -> Any:
            found = super().intercept_service(continuation, details)
            inner = getattr(found, arity)

            def one(request: Any, context: Any) -> Any:
                threads.append(threading.get_ident())
                return inner(request, context)

            return wrapped(found, one)

    async def unary(request: Any, context: Any) -> bytes:
        threads.append(await sync_to_async(threading.get_ident)())
        return b""

    async def stream(request: Any, context: Any) -> Any:
        yield await unary(request, context)
        yield await unary(request, context)

    answer = call(transport, stream if arity == "unary_stream" else unary, Noting(), arity=arity)
    assert answer.code is grpc.StatusCode.OK
    assert len(threads) == {"unary_unary": 2, "unary_stream": 3}[arity]
    assert len(set(threads)) == 1


@pytest.mark.parametrize("flavour", [SYNC, ASYNC])
@pytest.mark.parametrize("kinds", ["s", "a", "sa", "as", "sas", "asa"])
def test_a_handler_that_is_stopped_ends_in_its_thread(flavour: str, kinds: str) -> None:
    """Not where the garbage collection finds it, and with a thread for the sync code of its end."""
    began: list[int] = []
    ended: list[int] = []
    done = threading.Event()

    def begin() -> bytes:
        began.append(threading.get_ident())
        return b"one"

    def end() -> None:
        ended.append(threading.get_ident())
        done.set()

    def stream(request: Any, context: Any) -> Any:
        try:
            yield begin()
            wait(request, context)
            yield b"two"
        finally:
            end()

    async def stream_async(request: Any, context: Any) -> Any:
        try:
            yield await sync_to_async(begin)()
            await asyncio.sleep(NOT_REACHED_SECONDS)
        finally:
            await sync_to_async(end)()

    chain = [Wrapping() if kind == "s" else AioWrapping() for kind in kinds]
    behavior = stream if flavour is SYNC else stream_async
    answer = call(WSGI, behavior, *chain, arity="unary_stream", headers=TIMEOUT)
    assert answer == Answer([b"one"], *EXPIRED)
    assert done.wait(NOT_REACHED_SECONDS)
    assert ended == began


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("flavour", [SYNC, ASYNC])
def test_what_an_interceptor_sets_in_its_context_the_handler_finds_in_its_own(
    transport: str, around: Any, flavour: str
) -> None:
    user = AnonymousUser()
    found: list[Any] = []

    def knowing(base: Any) -> Any:
        if base is Around:

            class Sync(grpc.ServerInterceptor):
                def intercept_service(self, continuation: Any, details: Any) -> Any:
                    inner = continuation(details)

                    def one(request: Any, context: Any) -> Any:
                        set_user(context, user)
                        context.set_trailing_metadata((("key", "value"),))
                        return inner.unary_unary(request, context)

                    return wrapped(inner, one)

            return Sync()

        class Async(grpc.aio.ServerInterceptor):
            async def intercept_service(self, continuation: Any, details: Any) -> Any:
                inner = await continuation(details)

                async def one(request: Any, context: Any) -> Any:
                    set_user(context, user)
                    context.set_trailing_metadata((("key", "value"),))
                    return await inner.unary_unary(request, context)

                return wrapped(inner, one)

        return Async()

    def look(request: Any, context: Any) -> bytes:
        found.extend((get_user(context), context.trailing_metadata()))
        return b""

    async def look_async(request: Any, context: Any) -> bytes:
        return look(request, context)

    answer = call(transport, look if flavour is SYNC else look_async, knowing(around))
    assert answer.code is grpc.StatusCode.OK
    assert found == [user, (("key", "value"),)]
