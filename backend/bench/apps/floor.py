"""The least that can be behind a server: an application that gives the request's message back as it came.

What it answers is a valid gRPC-Web answer, but nothing is looked at, parsed or looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bench.wire import CONTENT_TYPE, HEADER, TRAILER_FLAG, frame
from generated.echo.v1.echo_pb2 import ServerStreamingEchoRequest, ServerStreamingEchoResponse

TRAILERS = frame(b"grpc-status: 0\r\n", TRAILER_FLAG)


def _stream_request(body: bytes) -> ServerStreamingEchoRequest:
    return ServerStreamingEchoRequest.FromString(body[HEADER.size :])


def _message(request: ServerStreamingEchoRequest, sequence: int = 1) -> bytes:
    return frame(ServerStreamingEchoResponse(message=request.message, sequence=sequence).SerializeToString())


def wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Echoes, or streams one and the same message."""
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    if environ["PATH_INFO"].endswith("/Stream"):
        start_response("200 OK", [("content-type", CONTENT_TYPE)])
        return _frames(body)
    answer = body + TRAILERS
    start_response("200 OK", [("content-type", CONTENT_TYPE), ("content-length", str(len(answer)))])
    return [answer]


def _frames(body: bytes) -> Iterator[bytes]:
    request = _stream_request(body)
    message = _message(request)
    for _ in range(request.message_count):
        yield message
    yield TRAILERS


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Echoes, or streams one and the same message, or gives one and holds the stream."""
    body, more = b"", True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    headers = [(b"content-type", CONTENT_TYPE.encode())]
    if scope["path"].endswith("/Echo"):
        answer = body + TRAILERS
        headers.append((b"content-length", b"%d" % len(answer)))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
        return
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    request = _stream_request(body)
    message = _message(request)
    if scope["path"].endswith("/Hold"):
        await send({"type": "http.response.body", "body": message, "more_body": True})
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                return
    for _ in range(request.message_count):
        await send({"type": "http.response.body", "body": message, "more_body": True})
    await send({"type": "http.response.body", "body": TRAILERS})
