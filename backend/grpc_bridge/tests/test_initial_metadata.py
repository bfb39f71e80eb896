"""Initial metadata of a stream is handed to the server before the handler goes on, and the headers only once."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import pytest

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.protocol.frames import encode_frame
from grpc_bridge.protocol.status import StatusCode
from grpc_bridge.protocol.trailers import encode_trailers
from grpc_bridge.tests.in_memory import CONTENT_TYPE, HOST, registry_of
from grpc_bridge.transports.asgi import asgi_bridge
from grpc_bridge.transports.wsgi import wsgi_bridge

WAIT_SECONDS = 10.0
BODY = encode_frame(b"request")
OK = encode_trailers(StatusCode.OK)
PAIR = ("contract-initial", "one")

seen = threading.Event()
"""Set by the server under test when it has been given the headers and a piece of the body, also an empty one."""


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    """Begins anew."""
    seen.clear()


def sync_stream(request: bytes, context: Any) -> Iterator[bytes]:
    context.send_initial_metadata((PAIR,))
    yield b"seen" if seen.wait(WAIT_SECONDS) else b"not seen"
    yield b"second"


async def async_stream(request: bytes, context: Any) -> AsyncIterator[bytes]:
    await context.send_initial_metadata((PAIR,))
    yield b"seen" if await asyncio.to_thread(seen.wait, WAIT_SECONDS) else b"not seen"
    yield b"second"


def sync_abort(request: bytes, context: Any) -> Iterator[bytes]:
    context.send_initial_metadata((PAIR,))
    context.abort(grpc.StatusCode.ABORTED, "at once")
    yield b"never"


async def async_abort(request: bytes, context: Any) -> AsyncIterator[bytes]:
    await context.send_initial_metadata((PAIR,))
    await context.abort(grpc.StatusCode.ABORTED, "at once")
    yield b"never"


STREAMS = pytest.mark.parametrize("behavior", [sync_stream, async_stream])
ABORTS = pytest.mark.parametrize("behavior", [sync_abort, async_abort])
ANSWER = encode_frame(b"seen") + encode_frame(b"second") + OK
ABORTED = encode_trailers(StatusCode.ABORTED, "at once")


def on_asgi(behavior: Callable[..., Any], *, slow: bool = False) -> list[Any]:
    """Gives the events that a server is sent. A slow one takes its time to accept each."""
    requests, events = [{"type": "http.request", "body": BODY, "more_body": False}], []

    async def receive() -> Any:
        return requests.pop() if requests else await asyncio.get_running_loop().create_future()

    async def send(event: Any) -> None:
        if slow:
            await asyncio.sleep(0.01)
        events.append(event)
        if event["type"] == "http.response.body":
            seen.set()

    async def serve() -> None:
        handler = grpc.unary_stream_rpc_method_handler(behavior)
        bridge = asgi_bridge(lambda *_: None, registry_of(Stream=handler), BridgeSettings())  # type: ignore[arg-type, return-value]
        headers = [(b"host", HOST.encode()), (b"content-type", CONTENT_TYPE.encode())]
        await bridge(
            {"type": "http", "method": "POST", "path": "/test.Service/Stream", "headers": headers}, receive, send
        )

    asyncio.run(serve())
    return events


def on_wsgi(behavior: Callable[..., Any]) -> tuple[list[Any], list[bytes]]:
    """Gives the headers that a server is given, each time that it is given any, and the pieces of the body."""
    starts: list[Any] = []
    pieces: list[bytes] = []

    def write(piece: bytes) -> None:
        assert starts
        pieces.append(piece)
        seen.set()

    def start_response(status: str, headers: Any) -> Callable[[bytes], None]:
        starts.append(dict(headers))
        return write

    handler = grpc.unary_stream_rpc_method_handler(behavior)
    bridge = wsgi_bridge(lambda *_: [], registry_of(Stream=handler), BridgeSettings())
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/test.Service/Stream",
        "CONTENT_TYPE": CONTENT_TYPE,
        "CONTENT_LENGTH": str(len(BODY)),
        "HTTP_HOST": HOST,
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(BODY),
    }
    for piece in bridge(environ, start_response):
        write(piece)
    return starts, pieces


@STREAMS
@pytest.mark.parametrize("slow", [False, True])
def test_an_asgi_server_is_told_before_the_handler_goes_on(behavior: Callable[..., Any], slow: bool) -> None:
    start, *bodies = on_asgi(behavior, slow=slow)
    assert start["type"] == "http.response.start"
    assert (PAIR[0].encode(), PAIR[1].encode()) in start["headers"]
    assert {event["type"] for event in bodies} == {"http.response.body"}
    assert bodies[0]["body"] == b""
    assert b"".join(event["body"] for event in bodies) == ANSWER


@ABORTS
@pytest.mark.parametrize("slow", [False, True])
def test_an_asgi_server_is_told_once_also_if_nothing_follows(behavior: Callable[..., Any], slow: bool) -> None:
    start, *bodies = on_asgi(behavior, slow=slow)
    assert start["type"] == "http.response.start"
    assert {event["type"] for event in bodies} == {"http.response.body"}
    assert b"".join(event["body"] for event in bodies) == ABORTED
    assert [event["more_body"] for event in bodies][-1] is False


@STREAMS
def test_a_wsgi_server_is_told_before_the_handler_goes_on(behavior: Callable[..., Any]) -> None:
    (headers,), (first, *pieces) = on_wsgi(behavior)
    assert headers[PAIR[0]] == PAIR[1]
    assert first == b""
    assert b"".join(pieces) == ANSWER


@ABORTS
def test_a_wsgi_server_is_told_once_also_if_nothing_follows(behavior: Callable[..., Any]) -> None:
    (headers,), pieces = on_wsgi(behavior)
    assert headers[PAIR[0]] == PAIR[1]
    assert b"".join(pieces) == ABORTED


def test_without_initial_metadata_headers_wait_for_the_first_message() -> None:
    def behavior(request: bytes, context: Any) -> Iterator[bytes]:
        yield b"one"

    _, *bodies = on_asgi(behavior)
    assert [event["body"] for event in bodies] == [encode_frame(b"one"), OK]
    assert on_wsgi(behavior)[1] == [encode_frame(b"one"), OK]
