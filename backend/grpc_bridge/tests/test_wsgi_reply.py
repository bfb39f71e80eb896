"""When the WSGI transport waits for what is left of a request."""

from __future__ import annotations

import pytest

from grpc_bridge.transports.wsgi_reply import Reply


class Caller:
    """`wsgi.input` and `gunicorn.socket` of a request whose body is not there yet."""

    reads = 0

    def read(self, size: int) -> bytes:
        self.reads += 1
        return b""

    def gettimeout(self) -> None:
        return None

    def settimeout(self, seconds: float | None) -> None:
        pass


@pytest.mark.parametrize(("protocol", "reads"), [("HTTP/1.0", 1), ("HTTP/1.1", 1), ("HTTP/2.0", 0)])
def test_only_over_http_1_is_the_rest_of_a_request_awaited(protocol: str, reads: int) -> None:
    caller = Caller()
    environ = {
        "SERVER_PROTOCOL": protocol,
        "gunicorn.socket": caller,
        "wsgi.input": caller,
        "wsgi.input_terminated": True,
    }
    Reply(environ, lambda status, headers: None).end(())
    assert caller.reads == reads
