"""However a call ends, it is let go: thousands of each end, over both transports, and none is left open."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from grpc_bridge import admission, heads
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.context import AsyncContext, SyncContext
from grpc_bridge.limits import open_calls
from grpc_bridge.plan import Plan
from grpc_bridge.registry import Registry
from grpc_bridge.tests.raw import BODY, Headers, environ, not_django, registry_of, scope
from grpc_bridge.transports import asgi
from grpc_bridge.transports.asgi import Application as AsgiApplication
from grpc_bridge.transports.asgi import asgi_bridge
from grpc_bridge.transports.wsgi import Application as WsgiApplication
from grpc_bridge.transports.wsgi import wsgi_bridge

TIMES = 30
"""How often each end is gone through with each handler; there are 34 ends and 4 methods."""

WAIT_SECONDS = 5.0

DEFAULTS = BridgeSettings()

Json = dict[str, Any]


class Handlers:
    """Handlers of each kind that answer, fail, and wait until their call is over."""

    def __init__(self) -> None:
        self.waits = threading.Event()
        """Set when a handler waits."""

    def registry(self) -> Registry:
        """Gives the methods `SyncUnaryEcho`, `AsyncStreamWait` and so on."""
        kinds = {
            "Unary": grpc.unary_unary_rpc_method_handler,
            "Stream": grpc.unary_stream_rpc_method_handler,
        }
        named = {
            f"{flavour}{kind}{what}": make(getattr(self, f"{flavour}_{kind}_{what}".lower()))
            for flavour in ("Sync", "Async")
            for kind, make in kinds.items()
            for what in ("Echo", "Fail", "Wait")
        }
        return registry_of(**named)

    def sync_unary_echo(self, request: bytes, context: Any) -> bytes:
        return request

    def sync_unary_fail(self, request: bytes, context: Any) -> bytes:
        context.abort(grpc.StatusCode.ABORTED, "as it should")

    def sync_unary_wait(self, request: bytes, context: Any) -> bytes:
        over = threading.Event()
        if context.add_callback(over.set):
            self.waits.set()
            over.wait(WAIT_SECONDS)
        return request

    def sync_stream_echo(self, request: bytes, context: Any) -> Iterator[bytes]:
        yield request
        yield request

    def sync_stream_fail(self, request: bytes, context: Any) -> Iterator[bytes]:
        yield request
        context.abort(grpc.StatusCode.ABORTED, "as it should")

    def sync_stream_wait(self, request: bytes, context: Any) -> Iterator[bytes]:
        yield self.sync_unary_wait(request, context)

    async def async_unary_echo(self, request: bytes, context: Any) -> bytes:
        return request

    async def async_unary_fail(self, request: bytes, context: Any) -> None:
        await context.abort(grpc.StatusCode.ABORTED, "as it should")

    async def async_unary_wait(self, request: bytes, context: Any) -> None:
        self.waits.set()
        await asyncio.sleep(WAIT_SECONDS)

    async def async_stream_echo(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield request
        yield request

    async def async_stream_fail(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield request
        await context.abort(grpc.StatusCode.ABORTED, "as it should")

    async def async_stream_wait(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        self.waits.set()
        await asyncio.sleep(WAIT_SECONDS)
        yield request


METHODS = [f"{flavour}{kind}" for flavour in ("Sync", "Async") for kind in ("Unary", "Stream")]

WHOLE = {"type": "http.request", "body": BODY, "more_body": False}
PART = {"type": "http.request", "body": BODY[:3], "more_body": True}
BAD = {"type": "http.request", "body": b"\x02\x00\x00\x00\x00", "more_body": False}
GONE = {"type": "http.disconnect"}


@dataclass(frozen=True)
class AsgiEnd:
    """What a server does to a call of `<method><handler>`. After the events nothing more happens."""

    name: str
    handler: str
    events: tuple[Json, ...] = (WHOLE,)
    headers: Headers = ()
    send_fails: bool = False
    cancelled: bool = False
    settings: BridgeSettings = DEFAULTS


ASGI_ENDS = [
    AsgiEnd("answered", "Echo"),
    AsgiEnd("failed", "Fail"),
    AsgiEnd("bad request", "Echo", (BAD,)),
    AsgiEnd("no request at all", "Echo", (GONE,)),
    AsgiEnd("half a request", "Echo", (PART, GONE)),
    AsgiEnd("gone while the handler runs", "Wait", (WHOLE, GONE)),
    AsgiEnd("nobody there for the answer", "Echo", send_fails=True),
    AsgiEnd("nobody there for the failure", "Fail", send_fails=True),
    AsgiEnd("deadline", "Wait", headers=[("grpc-timeout", "2m")]),
    AsgiEnd("in time", "Echo", headers=[("grpc-timeout", "9S")]),
    AsgiEnd("deadline before", "Echo", headers=[("grpc-timeout", "0n")]),
    AsgiEnd("server ends the task", "Wait", cancelled=True),
    AsgiEnd("server ends the task before the request", "Echo", (), cancelled=True),
    AsgiEnd("request too late", "Echo", (PART, GONE), settings=BridgeSettings(request_body_seconds=0.001)),
    AsgiEnd("no metadata fits", "Echo", settings=BridgeSettings(max_metadata_bytes=1)),
    AsgiEnd("stream too long", "Wait", (WHOLE, GONE), settings=BridgeSettings(max_stream_seconds=0.001)),
]


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():  # noqa: ASYNC110 - it comes true in other threads
            await asyncio.sleep(0)


@pytest.fixture
def in_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[weakref.WeakSet[Any]]:
    """The contexts of this test's calls that something still has. There is no garbage collection: be it only they
    themselves."""
    contexts: weakref.WeakSet[Any] = weakref.WeakSet()

    def noting(begin: Callable[..., None]) -> Callable[..., None]:
        def begin_and_note(self: Any, *arguments: Any) -> None:
            begin(self, *arguments)
            contexts.add(self)

        return begin_and_note

    for kind in (SyncContext, AsyncContext):
        monkeypatch.setattr(kind, "__init__", noting(kind.__init__))
    gc.disable()
    yield contexts
    gc.enable()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("end", ASGI_ENDS, ids=lambda end: end.name)
async def test_asgi(in_memory: weakref.WeakSet[Any], end: AsgiEnd, method: str) -> None:
    handlers = Handlers()
    application = asgi_bridge(not_django, handlers.registry(), end.settings)
    for _ in range(TIMES):
        handlers.waits.clear()
        await _over_asgi(application, end, f"{method}{end.handler}", handlers.waits.is_set)
        assert open_calls() == (0, 0)
    if not end.send_fails:  # the error of `send` is the server's, and has the frames of the call
        await _until(lambda: not in_memory)


async def _over_asgi(application: AsgiApplication, end: AsgiEnd, name: str, handler_waits: Callable[[], bool]) -> None:
    events = list(end.events)
    blocked = asyncio.Event()

    async def receive() -> Json:
        if events:
            if events[0] is GONE and end.handler == "Wait":
                await _until(lambda: handler_waits() or open_calls() == (0, 0))
            return events.pop(0)
        blocked.set()
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def send(event: Json) -> None:
        if end.send_fails:
            raise OSError("nobody there")

    task = asyncio.ensure_future(application(scope(name, end.headers), receive, send))
    if end.cancelled:
        await blocked.wait()
        await _until(lambda: end.handler != "Wait" or handler_waits())
        task.cancel()
    try:
        await task
    except (OSError, asyncio.CancelledError):
        pass
    finally:
        del task  # whose error has this frame


class Input:
    """A request body that breaks off in its own way."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, size: int) -> bytes:
        raise type(self._error)


@dataclass(frozen=True)
class WsgiEnd:
    """What a server does to a call of `<method><handler>`."""

    name: str
    handler: str
    body: Any = BODY
    headers: Headers = ()
    start_fails: bool = False
    taken: int = 100
    closed: bool = True
    settings: BridgeSettings = DEFAULTS


WSGI_ENDS = [
    WsgiEnd("answered", "Echo"),
    WsgiEnd("failed", "Fail"),
    WsgiEnd("bad request", "Echo", b"\x02\x00\x00\x00\x00"),
    WsgiEnd("half a request", "Echo", BODY[:3]),
    WsgiEnd("request too late", "Echo", Input(TimeoutError())),
    WsgiEnd("request breaks off", "Echo", Input(OSError())),
    WsgiEnd("reading fails in some other way", "Echo", Input(KeyError())),
    WsgiEnd("start_response fails", "Echo", start_fails=True),
    WsgiEnd("start_response fails after a failure", "Fail", start_fails=True),
    WsgiEnd("answer not begun", "Echo", taken=0),
    WsgiEnd("answer neither begun nor closed", "Echo", taken=0, closed=False),
    WsgiEnd("answer closed within", "Echo", taken=1),
    WsgiEnd("answer dropped within", "Echo", taken=1, closed=False),
    WsgiEnd("deadline", "Wait", headers=[("grpc-timeout", "2m")]),
    WsgiEnd("deadline before", "Echo", headers=[("grpc-timeout", "0n")]),
    WsgiEnd("with a deadline, and closed within", "Echo", headers=[("grpc-timeout", "9S")], taken=1),
    WsgiEnd("with a deadline, and start_response fails", "Echo", headers=[("grpc-timeout", "9S")], start_fails=True),
    WsgiEnd("no metadata fits", "Echo", settings=BridgeSettings(max_metadata_bytes=1)),
    WsgiEnd("stream with a time", "Echo", settings=BridgeSettings(max_stream_seconds=9)),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("end", WSGI_ENDS, ids=lambda end: end.name)
async def test_wsgi(in_memory: weakref.WeakSet[Any], end: WsgiEnd, method: str) -> None:
    application = wsgi_bridge(not_django, Handlers().registry(), end.settings)

    def in_the_servers_thread() -> None:
        for _ in range(TIMES):
            _over_wsgi(application, end, f"{method}{end.handler}")

    await asyncio.to_thread(in_the_servers_thread)
    await _until(lambda: open_calls() == (0, 0))  # the background loop lets go of its calls by itself
    if end.taken:  # an answer that no server ever asks for stays with its call
        await _until(lambda: not in_memory)


def _over_wsgi(application: WsgiApplication, end: WsgiEnd, name: str) -> None:
    def start_response(*_: Any) -> None:
        if end.start_fails:
            raise OSError("nobody there")

    try:
        answer = application(environ(name, end.headers, end.body), start_response)
        for _, _ in zip(range(end.taken), answer, strict=False):
            pass
    except OSError:
        return
    if end.closed and hasattr(answer, "close"):
        answer.close()


@pytest.mark.parametrize("has_rest", [False, True])
@pytest.mark.parametrize("name", ["Unary", "WaitingUnary", "CancelledUnary", "Stream", "WaitingStream"])
async def test_a_call_goes_without_a_garbage_collection(name: str, has_rest: bool) -> None:
    seen: list[weakref.ref[Any]] = []

    async def unary(request: Any, context: Any) -> bytes:
        seen.append(weakref.ref(context))
        if name == "WaitingUnary":
            await asyncio.sleep(0.001)
        if name == "CancelledUnary":
            raise asyncio.CancelledError
        return b"response"

    async def stream(request: Any, context: Any) -> AsyncIterator[bytes]:
        yield await unary(request, context)
        if name == "WaitingStream":
            await asyncio.sleep(0.001)

    if name.endswith("Stream"):
        handler: Any = grpc.unary_stream_rpc_method_handler(stream)
    else:
        handler = grpc.unary_unary_rpc_method_handler(unary)
    bridge = asgi_bridge(not_django, registry_of(**{name: handler}), DEFAULTS)
    pieces = [{"type": "http.request", "body": BODY, "more_body": has_rest}]
    if has_rest:
        pieces.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Json:
        return pieces.pop(0) if pieces else await asyncio.get_running_loop().create_future()

    async def send(event: Json) -> None:
        """Takes it."""

    gc.disable()
    try:
        await bridge(scope(name), receive, send)
        await asyncio.sleep(0.01)  # for what was cancelled
        assert [reference() for reference in seen] == [None]
    finally:
        gc.enable()


@pytest.mark.parametrize("transport", ["asgi", "wsgi"])
async def test_what_is_known_of_a_head_that_is_not_kept_goes_with_its_call(
    transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[weakref.ref[Plan]] = []

    class WatchedPlan(Plan):
        __slots__ = ("__weakref__",)

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            plans.append(weakref.ref(self))

    async def echo(request: bytes, context: Any) -> bytes:
        return request

    async def receive() -> Json:
        return WHOLE

    async def send(event: Json) -> None:
        """Takes it."""

    monkeypatch.setattr(admission, "Plan", WatchedPlan)
    monkeypatch.setattr(asgi, "Plan", WatchedPlan)
    monkeypatch.setattr(heads, "MAX_PLANS", 0)
    behavior = echo if transport == "asgi" else lambda request, context: request
    registry = registry_of(Unary=grpc.unary_unary_rpc_method_handler(behavior))
    gc.disable()
    try:
        if transport == "asgi":
            await asgi_bridge(not_django, registry, DEFAULTS)(scope("Unary"), receive, send)
        else:
            list(wsgi_bridge(not_django, registry, DEFAULTS)(environ("Unary", (), BODY), lambda *_: None))
        assert [plan() for plan in plans] == [None]
    finally:
        gc.enable()
