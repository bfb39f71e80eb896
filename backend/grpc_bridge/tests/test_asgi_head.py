"""What the ASGI transport makes of headers that come several times, and of what a server may leave out."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.registry import Registry
from grpc_bridge.tests.raw import not_django
from grpc_bridge.transports.asgi import asgi_bridge
from grpc_bridge.transports.asgi_request import asgi_request

HELLO = b"\x00\x00\x00\x00\x05hello"
HOST = (b"host", b"testserver")
TYPE = (b"content-type", b"application/grpc-web+proto")
PAGE = (b"origin", b"https://evil.example.org")


async def status(headers: list[tuple[bytes, bytes]], **scope: Any) -> int:
    """Makes a call and gives the HTTP status of its answer."""
    registry = Registry()
    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: request)
    registry.add_registered_method_handlers("test.v1.TestService", {"Method": handler})
    events: list[Any] = []

    body = iter([{"type": "http.request", "body": HELLO}])

    async def receive() -> Any:
        return next(body, None) or await asyncio.Event().wait()  # nobody leaves

    async def send(event: Any) -> None:
        events.append(event)

    bridge = asgi_bridge(None, registry, BridgeSettings())  # type: ignore[arg-type]
    request = {"type": "http", "method": "POST", "path": "/test.v1.TestService/Method", "headers": headers}
    await bridge(request | scope, receive, send)
    found: int = events[0]["status"]
    return found


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([HOST, TYPE], 200),
        ([TYPE], 400),
        ([HOST, (b"host", b"testserver"), TYPE], 400),
        ([(b"host", b"evil.example.org"), HOST, TYPE], 400),
        ([HOST, TYPE, TYPE], 415),
        ([HOST, TYPE, PAGE, (b"cookie", b"sessionid=abc"), (b"cookie", b"theme=dark")], 403),
        ([HOST, TYPE, PAGE, (b"cookie", b"theme=dark"), (b"cookie", b"sessionid=abc")], 403),
        ([HOST, TYPE, PAGE, (b"cookie", b"theme=dark"), (b"cookie", b"colour=green")], 200),
        ([HOST, TYPE, PAGE, (b"origin", b"http://testserver"), (b"cookie", b"sessionid=abc")], 403),
        ([HOST, TYPE, (b"x-many", b"1"), (b"x-many", b"2")], 200),
    ],
)
async def test_no_value_hides_behind_another(headers: list[tuple[bytes, bytes]], expected: int) -> None:
    assert await status(headers) == expected


async def test_without_a_host_the_server_s_address_counts() -> None:
    assert await status([TYPE], server=("testserver", 80)) == 200
    assert await status([TYPE], server=("10.0.0.1", 8000)) == 400
    assert await status([TYPE], server=None) == 400


def test_what_a_request_says_of_itself() -> None:
    request = asgi_request({"headers": [(b"x-forwarded-proto", b"https"), (b"x-forwarded-proto", b"http")]}, not_django)
    assert request.meta("HTTP_X_FORWARDED_PROTO") == "https,http"
    assert request.meta("HTTP_X_FORWARDED_HOST") is None
    assert (request.meta("SERVER_NAME"), request.meta("SERVER_PORT")) == ("unknown", "0")
    assert request.meta("REMOTE_USER") is None
    assert request.scheme() == "http"
    assert asgi_request({"scheme": "https"}, not_django).scheme() == "https"
