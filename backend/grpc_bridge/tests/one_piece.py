"""A bridge with one unary method, and which of its calls are not served in one piece.

What belongs here: what several test modules need to tell the two ways of a unary call apart.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from grpc_bridge.admission import Admission
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.protocol.frames import encode_frame
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.tests.raw import ASGI, WSGI, environ, registry_of, scope
from grpc_bridge.transports.asgi import asgi_bridge
from grpc_bridge.transports.wsgi import wsgi_bridge

MAX_SEND_BYTES = 5_000
UNREADABLE = b"unreadable"
REFUSED, ENCODED_TO_NONE = object(), object()
"""What a handler gives that `serialize` refuses, and what it makes no message of."""

Behavior = Callable[[bytes, Any], Any]


def deserialize(message: bytes) -> bytes:
    if message == UNREADABLE:
        raise ValueError("unreadable")
    return message


def serialize(response: Any) -> Any:
    if response is REFUSED:
        raise StatusError(StatusCode.DATA_LOSS, "for nobody else to know")
    if response is None:
        raise TypeError("None is no message")
    return None if response is ENCODED_TO_NONE else response


def as_async(behavior: Behavior, *, waits: bool) -> Any:
    async def behave(request: bytes, context: Any) -> Any:
        if waits:
            await asyncio.sleep(0)
        return behavior(request, context)

    return behave


KINDS = {
    "def under WSGI": (WSGI, lambda behavior: behavior),
    "async def": (ASGI, lambda behavior: as_async(behavior, waits=False)),
    "async def that waits": (ASGI, lambda behavior: as_async(behavior, waits=True)),
}


async def no_delay() -> None:
    """The rule."""


class Site:
    """A bridge with one method. Under ASGI its requests can be made to wait."""

    def __init__(self, transport: str, behavior: Any, *, logs: bool) -> None:
        self._transport = transport
        handler = grpc.unary_unary_rpc_method_handler(behavior, deserialize, serialize)
        bridge: Any = asgi_bridge if transport == ASGI else wsgi_bridge
        settings = BridgeSettings(log_calls=logs, max_send_message_bytes=MAX_SEND_BYTES)
        self._application = bridge(None, registry_of(Do=handler), settings)

    async def ask(self, message: bytes, *headers: tuple[str, str]) -> tuple[Any, ...]:
        """Gives the answer: status, headers and body, without the id of the call."""
        request = encode_frame(message), (*headers, ("grpc-accept-encoding", "gzip"))
        status, fields, body = await self._asgi(*request) if self._transport == ASGI else self._wsgi(*request)
        return status, fields, re.sub(rb"call [0-9a-f]{32}", b"call ...", body)

    before_request: Callable[[], Awaitable[None]] = staticmethod(no_delay)

    async def _asgi(self, body: bytes, headers: Any) -> tuple[Any, ...]:
        sent: list[dict[str, Any]] = []
        pieces = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            await self.before_request()
            return pieces.pop() if pieces else await asyncio.get_running_loop().create_future()

        async def send(event: dict[str, Any]) -> None:
            sent.append(event)

        await self._application(scope("Do", headers), receive, send)
        return sent[0]["status"], sent[0]["headers"], b"".join(event["body"] for event in sent[1:])

    def _wsgi(self, body: bytes, headers: Any) -> tuple[Any, ...]:
        started: list[Any] = []
        answer = b"".join(self._application(environ("Do", headers, body), lambda *start: started.extend(start)))
        return (*started, answer)


def site_of(kind: str, behavior: Behavior, *, logs: bool) -> Site:
    """Gives a bridge with a method of this kind."""
    transport, of_kind = KINDS[kind]
    return Site(transport, of_kind(behavior), logs=logs)


def no_matter(**_: Any) -> None:
    """What a receiver does."""


@contextmanager
def somebody_listens(listen: Callable[..., None] = no_matter) -> Iterator[None]:
    """Somebody besides Django listens to a signal that is sent around each call.

    As with Django's test client no database connection of the test's thread is closed.
    """
    request_started.connect(listen)
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        request_started.disconnect(listen)
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


def recorded_steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Gives a list that gets the paths of calls that are served step by step."""
    made: list[str] = []
    make_call = Admission.make_call

    def recorded(admission: Any, plan: Any, source: Any, timeout: Any) -> Any:
        made.append(plan.path)
        return make_call(admission, plan, source, timeout)

    monkeypatch.setattr(Admission, "make_call", recorded)
    return made
