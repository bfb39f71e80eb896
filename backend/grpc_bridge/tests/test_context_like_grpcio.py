"""The same handlers on a real grpcio server and on the bridge: their context answers alike, their calls end alike.

What differs on purpose is not here: the bridge does not tell a caller the text of an exception.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple

import grpc
import pytest

from grpc_bridge.codes import GRPCIO_CODES
from grpc_bridge.dispatch import run_unary, run_unary_async
from grpc_bridge.protocol.metadata import decode_metadata
from grpc_bridge.tests.calls import PATH, Status, admitted

WAIT_SECONDS = 30
Step = Callable[[Any], Any]


def setting(name: str, value: Any, getter: str) -> Step:
    def step(context: Any) -> Any:
        getattr(context, f"set_{name}")(value)
        return getattr(context, getter)()

    return step


# What a handler can ask of its context.
ANSWERS: dict[str, Step] = {
    "code": lambda context: context.code(),
    "code that was set": setting("code", grpc.StatusCode.NOT_FOUND, "code"),
    "details": lambda context: context.details(),
    "details that were set": setting("details", "caf\u00e9", "details"),
    "trailing metadata": lambda context: context.trailing_metadata(),
    "trailing metadata that was set": setting("trailing_metadata", (("k", "v"),), "trailing_metadata"),
    "type of the metadata": lambda context: type(context.invocation_metadata()),
    "peer identities": lambda context: context.peer_identities(),
    "peer identity key": lambda context: context.peer_identity_key(),
    "set_compression": lambda context: context.set_compression(grpc.Compression.NoCompression),
    "disable_next_message_compression": lambda context: context.disable_next_message_compression(),
    "kind of the peer": lambda context: context.peer().partition(":")[0],
}
SYNC_ANSWERS: dict[str, Step] = {
    "is_active": lambda context: context.is_active(),
    "add_callback": lambda context: context.add_callback(lambda: None),
}
ASYNC_ANSWERS: dict[str, Step] = {
    "time_remaining": lambda context: context.time_remaining(),
    "done": lambda context: context.done(),
    "cancelled": lambda context: context.cancelled(),
    "add_done_callback": lambda context: context.add_done_callback(lambda _: None),
}


def steps(*each: Step) -> Step:
    def step(context: Any) -> Any:
        return [one(context) for one in each][-1]

    return step


def then(*each: Step) -> Step:
    """One after the other, also where each has to be awaited."""

    async def wait(context: Any) -> None:
        for one in each:
            outcome = one(context)
            if inspect.isawaitable(outcome):
                await outcome

    return lambda context: wait(context) if hasattr(context, "add_done_callback") else steps(*each)(context)


def swallowing(step: Step) -> Step:
    """Aborts as `step` does and goes on as if nothing were."""

    def swallow(context: Any) -> Any:
        try:
            outcome = step(context)
        except Exception:
            return None

        async def wait() -> None:
            with suppress(grpc.aio.AbortError, grpc.aio.UsageError):
                await outcome

        return wait()

    return swallow


def code(value: Any) -> Step:
    return lambda context: context.set_code(value)


def details(value: Any) -> Step:
    return lambda context: context.set_details(value)


def trailing_metadata(*entries: tuple[str, str | bytes]) -> Step:
    return lambda context: context.set_trailing_metadata(entries)


DATA_LOST = Status(grpc.StatusCode.DATA_LOSS, "lost", (("k", "v"), ("k-bin", b"\0\xff"), ("k", "v")))
abort = lambda context: context.abort(grpc.StatusCode.ABORTED, "50 % caf\u00e9\n")  # noqa: E731

# How a call can end. The response is that of the echo, if the handler gets that far.
ENDS: dict[str, Step] = {
    "nothing set": lambda context: None,
    "a code and details": steps(code(grpc.StatusCode.NOT_FOUND), details("50 % caf\u00e9\n")),
    "a code that is none": code("NOT_FOUND"),
    "a number": code(5),
    "a number that is no code": code(99),
    "no code": steps(code(grpc.StatusCode.NOT_FOUND), code(None)),
    "a code taken back": steps(code(grpc.StatusCode.NOT_FOUND), code(grpc.StatusCode.OK)),
    "trailing metadata": trailing_metadata(("k", "v"), ("k-bin", b"\0\xff"), ("k", "v")),
    "initial metadata": lambda context: context.send_initial_metadata((("k", "v"),)),
    "abort": abort,
    "abort after a code": steps(code(grpc.StatusCode.NOT_FOUND), details("before"), abort),
    "abort with a status": lambda context: context.abort_with_status(DATA_LOST),
    "abort swallowed": swallowing(abort),
    "abort swallowed, then a status": then(
        swallowing(abort), code(grpc.StatusCode.DATA_LOSS), details("later"), trailing_metadata(("k", "later"))
    ),
    "abort swallowed, then another": then(
        swallowing(abort), swallowing(lambda context: context.abort(grpc.StatusCode.NOT_FOUND, "later"))
    ),
    "abort with a status without metadata": steps(
        trailing_metadata(("k", "before")),
        lambda context: context.abort_with_status(Status(grpc.StatusCode.ABORTED, "why", ())),
    ),
}
SYNC_ENDS: dict[str, Step] = {
    "abort with OK": lambda context: context.abort(grpc.StatusCode.OK, "fine"),
}
ASYNC_ENDS: dict[str, Step] = {
    "abort with metadata": lambda context: context.abort(grpc.StatusCode.ABORTED, "why", (("k", "v"),)),
    "abort without details": lambda context: context.abort(grpc.StatusCode.ABORTED),
}


class End(NamedTuple):
    """How a call ended, as its caller sees it."""

    response: bytes | None
    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


class Server(grpc.GenericRpcHandler):
    """A real grpcio server with one method, whose behavior is another one in each test."""

    behavior: Callable[..., Any]
    port = 0

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return grpc.unary_unary_rpc_method_handler(self.behavior)

    def end_of(self, behavior: Callable[..., Any]) -> End:
        """Calls the method with this behavior."""
        self.behavior = behavior
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            try:
                response, call = channel.unary_unary(PATH).with_call(b"echo")
            except grpc.RpcError as error:
                response, call = None, error
            return End(response, call.code(), call.details(), tuple(map(tuple, call.trailing_metadata())))


@pytest.fixture(scope="module")
def sync_server() -> Iterator[Server]:
    """A grpcio server for `def` handlers."""
    handler = Server()
    server = grpc.server(ThreadPoolExecutor(1), handlers=(handler,))
    handler.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield handler
    server.stop(None).wait()


@pytest.fixture(scope="module")
def async_server() -> Iterator[Server]:
    """A grpcio server for `async def` handlers, on an event loop in a thread of its own."""
    handler, started, loop = Server(), threading.Event(), asyncio.new_event_loop()
    ended = asyncio.Event()

    async def serve() -> None:
        server = grpc.aio.server(handlers=(handler,))
        handler.port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        started.set()
        await ended.wait()
        await server.stop(None)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(WAIT_SECONDS)
    yield handler
    loop.call_soon_threadsafe(ended.set)
    thread.join()
    loop.close()


def sync_behavior(step: Step) -> Callable[..., Any]:
    def behavior(request: bytes, context: grpc.ServicerContext) -> bytes:
        step(context)
        return request

    return behavior


def async_behavior(step: Step) -> Callable[..., Any]:
    async def behavior(request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        outcome = step(context)
        if inspect.isawaitable(outcome):
            await outcome
        return request

    return behavior


async def end_on_the_bridge(behavior: Callable[..., Any]) -> End:
    call = admitted(grpc.unary_unary_rpc_method_handler(behavior))
    payload = await run_unary_async(call, b"echo") if call.method.is_async else run_unary(call, b"echo")
    assert call.unary_answer(payload).body
    code, details = call.context.status()
    response = payload if code == 0 else None  # a client gives no response next to an error
    return End(response, GRPCIO_CODES[code], details, decode_metadata(call.context.trailing_pairs))


def recording(step: Step, answers: list[Any]) -> Step:
    def record(context: Any) -> None:
        try:
            answers.append(step(context))
        except Exception as error:
            answers.append(type(error))

    return record


@pytest.mark.parametrize("name", [*ANSWERS, *SYNC_ANSWERS])
async def test_a_sync_context_answers_alike(sync_server: Server, name: str) -> None:
    answers: list[Any] = []
    behavior = sync_behavior(recording((ANSWERS | SYNC_ANSWERS)[name], answers))
    sync_server.end_of(behavior)
    await end_on_the_bridge(behavior)
    assert answers[1:] == answers[:1]


@pytest.mark.parametrize("name", [*ANSWERS, *ASYNC_ANSWERS])
async def test_an_async_context_answers_alike(async_server: Server, name: str) -> None:
    answers: list[Any] = []
    behavior = async_behavior(recording((ANSWERS | ASYNC_ANSWERS)[name], answers))
    async_server.end_of(behavior)
    await end_on_the_bridge(behavior)
    assert answers[1:] == answers[:1]


@pytest.mark.parametrize("name", [*ENDS, *SYNC_ENDS])
async def test_a_sync_call_ends_alike(sync_server: Server, name: str) -> None:
    behavior = sync_behavior((ENDS | SYNC_ENDS)[name])
    assert await end_on_the_bridge(behavior) == sync_server.end_of(behavior)


@pytest.mark.parametrize("name", [*ENDS, *ASYNC_ENDS])
async def test_an_async_call_ends_alike(async_server: Server, name: str) -> None:
    behavior = async_behavior((ENDS | ASYNC_ENDS)[name])
    assert await end_on_the_bridge(behavior) == async_server.end_of(behavior)
