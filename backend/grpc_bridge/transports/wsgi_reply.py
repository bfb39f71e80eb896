"""The response of the WSGI transport: status line, headers, and trailers where the server has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Any

from grpc_bridge.call import Call
from grpc_bridge.protocol.negotiation import HttpAnswer
from grpc_bridge.transports.wsgi_body import WsgiBody

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Pairs = Sequence[tuple[str, str]]

OK = "200 OK"
_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


SHORT_BYTES = 1024
"""Bodies shorter than this have their header ready."""


def content_length(length: int) -> tuple[str, str]:
    """Gives the header that says how long a body is."""
    return "content-length", str(length)


READY = [content_length(length) for length in range(SHORT_BYTES)]
"""Those headers, by the lengths."""


def trailers_sender(environ: Environ) -> Callable[[Pairs], Any] | None:
    """Gives what a server offers for trailers, None where it offers nothing: gunicorn's name for it, then pyvoy's."""
    return environ.get("gunicorn.http2.send_trailers") or environ.get("wsgi.ext.http.send_trailers")


class Reply:
    """One response, and the request body that has to be read to its end before the next request can come."""

    __slots__ = ("_start_response", "_started", "body", "environ")

    def __init__(self, environ: Environ, start_response: StartResponse, *, is_read: bool = False) -> None:
        """`is_read` says that somebody else has read the body to its end."""
        self.body = WsgiBody(environ, is_read=is_read)
        self.environ = environ
        self._start_response = start_response
        self._started = False

    def start(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Gives the server the status and the headers, which it holds until there is a body."""
        self._started = True
        self._start_response(_STATUS_LINES[status], list(headers))

    def start_stream(self, call: Call, *, now: bool = False) -> None:
        """Gives the server the headers of a stream, once. `now` asks it not to hold them; not every server listens."""
        if self._started:
            return
        self._started = True
        write = self._start_response(_STATUS_LINES[200], call.headers())
        if now:
            write(b"")

    def end(self, trailers: Pairs) -> None:
        """To be called when the last byte has been given to the server.

        Over HTTP/2 a caller may send on without harm, and may do so until it sees the answer end.
        """
        if trailers:
            sender = trailers_sender(self.environ)
            assert sender is not None  # or the call had not been admitted
            sender(list(trailers))
        elif self.environ.get("SERVER_PROTOCOL", "HTTP/1.1").startswith("HTTP/1"):
            self.body.discard()

    def whole(self, answer: HttpAnswer) -> Iterable[bytes]:
        """Gives the bytes of a whole answer."""
        if answer.trailers:
            self.start(answer.status, answer.headers)
        else:
            self.start(answer.status, [*answer.headers, content_length(len(answer.body))])
            if self.body.ended:
                return [answer.body]
        return self._and_then_end(answer)

    def _and_then_end(self, answer: HttpAnswer) -> Iterator[bytes]:
        yield answer.body
        self.end(answer.trailers)
