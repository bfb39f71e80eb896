"""Requests and answers in turns, where one thread has to see to both, and where a server loses patience.

A `def` handler with a deadline that had sent initial metadata once hung: the WSGI server's thread waited for the next
request, and the answer to the last waited for the thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import pytest

from grpc_bridge.channels import FrameQueue
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.protocol.frames import encode_frame
from grpc_bridge.protocol.status import StatusCode
from grpc_bridge.tests.raw import environ, not_django, registry_of, scope, status_of
from grpc_bridge.transports import asgi_request
from grpc_bridge.transports.asgi import asgi_bridge
from grpc_bridge.transports.wsgi import wsgi_bridge

WORDS = (b"one", b"two", b"three")
FRAMES = [encode_frame(word) for word in WORDS]


def chat(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
    context.send_initial_metadata((("first", "1"),))
    yield from requests


async def chat_async(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    await context.send_initial_metadata((("first", "1"),))
    async for request in requests:
        yield request


BEHAVIORS = pytest.mark.parametrize("behavior", [chat, chat_async])


class Dialogue:
    """A caller that sends a word when it has been answered. It is `wsgi.input` and takes the answer."""

    def __init__(self) -> None:
        self.answered = b""
        self._unread = b""
        self._sent = 0

    def read(self, size: int) -> bytes:
        if not self._unread and self._sent < len(FRAMES):
            assert self.answered == b"".join(FRAMES[: self._sent]), "asked for more before the answer was given"
            self._unread = FRAMES[self._sent]
            self._sent += 1
        data, self._unread = self._unread[:size], self._unread[size:]
        return data


@BEHAVIORS
@pytest.mark.parametrize("headers", [[], [("grpc-timeout", "60S")]], ids=["", "deadline"])
def test_an_answer_is_given_before_the_next_request_is_read(
    behavior: Callable[..., Any], headers: list[tuple[str, str]]
) -> None:
    dialogue = Dialogue()
    bridge = wsgi_bridge(
        not_django, registry_of(Chat=grpc.stream_stream_rpc_method_handler(behavior)), BridgeSettings()
    )
    request = environ("Chat", headers, dialogue) | {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    for piece in bridge(request, lambda status, headers: lambda piece: None):
        dialogue.answered += piece
    assert dialogue.answered.startswith(b"".join(FRAMES))
    assert status_of(dialogue.answered) == (StatusCode.OK, "")


async def test_what_is_put_is_sent_when_more_is_asked_for() -> None:
    queue = FrameQueue(asyncio.get_running_loop())
    taking = asyncio.ensure_future(queue.take())
    await asyncio.sleep(0)
    await queue.sent()  # nothing to wait for
    queue.put(b"frame")
    sent = asyncio.ensure_future(queue.sent())
    assert await taking == b"frame"
    await asyncio.sleep(0)
    assert not sent.done()  # whoever has it may still be at it
    taking = asyncio.ensure_future(queue.take())
    await sent
    queue.end()
    assert await taking == b""


async def test_nobody_waits_for_what_is_not_wanted_any_more() -> None:
    queue = FrameQueue(asyncio.get_running_loop())
    queue.put(b"frame")
    sent = asyncio.ensure_future(queue.sent())
    await asyncio.sleep(0)
    assert not sent.done()
    queue.close()
    await sent
    await queue.sent()


class ImpatientServer:
    """A server that takes a silent caller for gone, as gunicorn's ASGI worker does, unless it is asked anew."""

    def __init__(self, *pieces: bytes, pause: float, patience: float) -> None:
        self._pieces = [*pieces]
        self._pause = pause
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._next = self._loop.time()
        self.answer = b""

    async def receive(self) -> dict[str, Any]:
        if not self._pieces:
            return await self._loop.create_future()  # type: ignore[no-any-return]
        left = self._next - self._loop.time()
        if left > self._patience:
            await asyncio.sleep(self._patience)
            return {"type": "http.disconnect"}
        await asyncio.sleep(left)
        self._next = self._loop.time() + self._pause
        piece = self._pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self._pieces)}

    async def send(self, event: dict[str, Any]) -> None:
        self.answer += event.get("body", b"")


@BEHAVIORS
@pytest.mark.parametrize("module", ["gunicorn.asgi.protocol", "another.server"])
async def test_gunicorn_is_asked_again_for_what_takes_its_time(
    behavior: Callable[..., Any], module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other server is: it may lose what arrives while the question is taken back."""
    monkeypatch.setattr(asgi_request, "ASK_AGAIN_SECONDS", 0.05)
    server = ImpatientServer(*FRAMES, pause=0.5, patience=0.2)

    async def receive() -> dict[str, Any]:
        return await server.receive()

    receive.__module__ = module
    registry = registry_of(Chat=grpc.stream_stream_rpc_method_handler(behavior))
    await asgi_bridge(not_django, registry, BridgeSettings())(scope("Chat"), receive, server.send)
    if module.startswith("gunicorn"):
        assert server.answer.startswith(b"".join(FRAMES))
        assert status_of(server.answer) == (StatusCode.OK, "")
    else:
        assert status_of(server.answer) == (StatusCode.CANCELLED, "The caller has disconnected")
