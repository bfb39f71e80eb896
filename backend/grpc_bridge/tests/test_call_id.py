"""Which call a log record belongs to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import grpc
import pytest
from asgiref.sync import sync_to_async

from grpc_bridge import call_id
from grpc_bridge.call_id import CallIdFilter
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.tests.in_memory import TRANSPORTS, Request, answers, registry_of
from grpc_bridge.tests.one_piece import somebody_listens
from grpc_bridge.tests.raw import BODY, scope
from grpc_bridge.transports.asgi import asgi_bridge

logger = logging.getLogger("shop")

FLAVOURS = ("def", "async def")
ARITIES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
DEADLINE = [("grpc-timeout", "50S")]


class Records(logging.Handler):
    """Keeps what is logged: of which logger, and of which call."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[str, str | None]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps it."""
        call = record.msg["call"] if isinstance(record.msg, dict) else None
        self.kept.append((record.name, getattr(record, "call", call)))


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    """What all loggers write, with a filter as a project sets it."""
    monkeypatch.setattr(call_id, "is_wanted", False)
    records, root = Records(), logging.getLogger()
    records.addFilter(CallIdFilter())
    caplog.set_level(logging.INFO)
    root.addHandler(records)
    yield records
    root.removeHandler(records)


def log(context: Any = None, **_: Any) -> None:
    """What a handler and what it calls does."""
    logger.warning("something")


def unary(request: Any, context: Any) -> bytes:
    log()
    return b"response"


def stream(request: Any, context: Any) -> Iterator[bytes]:
    log()
    yield b"first"
    log()
    yield b"second"


async def unary_async(request: Any, context: Any) -> bytes:
    log()
    await asyncio.create_task(asyncio.to_thread(log))
    await sync_to_async(log)()
    return b"response"


async def stream_async(request: Any, context: Any) -> Any:
    log()
    yield b"first"
    await asyncio.sleep(0)
    log()
    yield b"second"


def handler_of(flavour: str, arity: str) -> Any:
    behaviors = (unary, stream) if flavour == "def" else (unary_async, stream_async)
    return getattr(grpc, f"{arity}_rpc_method_handler")(behaviors[arity.endswith("_stream")])


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("arity", ARITIES)
@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize(
    ("headers", "around"),
    [([], nullcontext), (DEADLINE, nullcontext), ([], somebody_listens)],
    ids=["", "deadline", "step by step"],
)
def test_records_of_a_call_have_its_id(
    transport: str, arity: str, flavour: str, headers: Any, around: Any, records: Records
) -> None:
    registry = registry_of(Method=handler_of(flavour, arity))
    with around():
        answers(transport, registry, BridgeSettings(), *[Request("/test.Service/Method", headers=headers)] * 2)
    ids = [call for name, call in records.kept if name == "grpc_bridge.calls"]
    assert len(set(ids)) == 2
    for one in ids:
        logged = [name for name, call in records.kept if call == one and name == "shop"]
        assert len(logged) == (2 if arity.endswith("_stream") else 3 if flavour == "async def" else 1)
    assert {call for _, call in records.kept} == set(ids)


@pytest.mark.parametrize("headers", [[], DEADLINE], ids=["", "deadline"])
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_records_of_receivers_have_the_id_of_their_call(
    transport: str, flavour: str, headers: Any, records: Records
) -> None:
    with somebody_listens(log):
        registry = registry_of(Method=handler_of(flavour, "unary_unary"))
        answers(transport, registry, BridgeSettings(), Request("/test.Service/Method", headers=headers))
    (line,) = [call for name, call in records.kept if name == "grpc_bridge.calls"]
    assert {call for name, call in records.kept if name == "shop"} == {line}


def fail(request: Any, context: Any) -> bytes:
    raise ValueError("swordfish")


async def fail_async(request: Any, context: Any) -> bytes:
    raise ValueError("swordfish")


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("behavior", [fail, fail_async])
def test_an_exception_is_logged_under_the_id_that_the_caller_is_told(
    transport: str, behavior: Any, records: Records
) -> None:
    registry = registry_of(Method=grpc.unary_unary_rpc_method_handler(behavior))
    (answer,) = answers(transport, registry, BridgeSettings(), Request("/test.Service/Method"))
    told = answer.details.removeprefix("Exception calling application (call ").removesuffix(")")
    assert records.kept == [("grpc_bridge", told), ("grpc_bridge.calls", told)]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_interceptors_are_part_of_the_call(transport: str, flavour: str, records: Records) -> None:
    class Sync(grpc.ServerInterceptor):
        def intercept_service(self, continuation: Any, details: Any) -> Any:
            log()
            return continuation(details)

    class Async(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            log()
            return await continuation(details)

    settings = BridgeSettings(interceptors=(Sync(), Async()))
    registry = registry_of(Method=handler_of(flavour, "unary_unary"))
    answers(transport, registry, settings, Request("/test.Service/Method"))
    (call,) = {call for _, call in records.kept}
    assert call is not None


@pytest.mark.parametrize("headers", [[], DEADLINE], ids=["", "deadline"])
async def test_a_call_within_a_call_has_its_own(headers: Any, records: Records) -> None:
    async def receive() -> Any:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(event: Any) -> None:
        pass

    async def outer(request: Any, context: Any) -> bytes:
        log()
        for _ in range(2):  # the second one is known
            await bridge(scope("Inner"), receive, send)
            log()
        return b"response"

    async def inner(request: Any, context: Any) -> bytes:
        log()
        return b"response"

    handlers = {"Outer": outer, "Inner": inner}
    registry = registry_of(**{name: grpc.unary_unary_rpc_method_handler(each) for name, each in handlers.items()})
    bridge = asgi_bridge(None, registry, BridgeSettings())  # type: ignore[arg-type]
    await bridge(scope("Outer", headers), receive, send)
    first, second, whole = (call for name, call in records.kept if name == "grpc_bridge.calls")
    assert len({first, second, whole}) == 3
    assert [call for name, call in records.kept if name == "shop"] == [whole, first, whole, second, whole]


def test_other_records_have_none(records: Records) -> None:
    log()
    assert records.kept == [("shop", None)]


def test_what_a_record_says_of_itself_counts(records: Records) -> None:
    registry = registry_of(
        Method=grpc.unary_unary_rpc_method_handler(lambda *_: logger.info("", extra={"call": "mine"}))
    )
    answers("wsgi", registry, BridgeSettings(), Request("/test.Service/Method"))
    assert ("shop", "mine") in records.kept


def test_nothing_is_kept_track_of_where_nobody_wants_to_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_id, "is_wanted", False)
    seen: list[object] = []
    registry = registry_of(Method=grpc.unary_unary_rpc_method_handler(lambda *_: seen.append(call_id.current.get())))
    for transport in TRANSPORTS:
        answers(transport, registry, BridgeSettings(), Request("/test.Service/Method"))
    assert seen == [None, None]
