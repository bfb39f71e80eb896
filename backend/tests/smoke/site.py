"""Where a site is, and how it is called: pages by HTTP, RPCs by gRPC-Web and by native gRPC."""

from __future__ import annotations

import contextlib
import http.cookiejar
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import grpc
from google.protobuf.message import Message

from tests.contract.envoy import EnvoyReply
from tests.contract.grpc_web import MODES, Mode, Reply
from tests.contract.http_client import Connection

SECONDS = 15.0
"""How long any answer, or the next piece of one, may take."""

BINARY, TEXT = MODES

Headers = Sequence[tuple[str, str]]


class Skipped(Exception):  # noqa: N818 - not an error
    """There is nothing to check here; the text says why."""


@dataclass(frozen=True)
class Server:
    """An address that speaks HTTP/1.1, with TLS or without."""

    url: str
    """Without a path and without a slash at its end."""
    host: str
    port: int
    tls: ssl.SSLContext | None

    @classmethod
    def at(cls, url: str) -> Server:
        """Reads an address such as `http://127.0.0.1:8000`. Raises ValueError for anything else."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError(f"{url!r} is no address such as http://127.0.0.1:8000")
        tls = ssl.create_default_context() if parts.scheme == "https" else None
        return cls(f"{parts.scheme}://{parts.netloc}", parts.hostname, parts.port or (443 if tls else 80), tls)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, as `socket.create_connection` takes them."""
        return self.host, self.port

    @property
    def authority(self) -> str:
        """Host and port as text."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Page:
    """The answer to GET or POST."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


@dataclass
class Visitor:
    """Somebody with a browser's cookies, who asks no proxy."""

    server: Server
    cookies: http.cookiejar.CookieJar = field(default_factory=http.cookiejar.CookieJar)

    def get(self, path: str, headers: Headers = ()) -> Page:
        """Gives a page, or the answer that there is none."""
        return self._open(urllib.request.Request(self.server.url + path, headers=dict(headers)))  # noqa: S310

    def post_form(self, path: str, **fields: str) -> Page:
        """Sends a form of this site and follows where it leads."""
        headers = {"origin": self.server.url, "referer": f"{self.server.url}/"}
        data = urllib.parse.urlencode(fields).encode()
        return self._open(urllib.request.Request(self.server.url + path, data, headers))  # noqa: S310

    def _open(self, request: urllib.request.Request) -> Page:
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies)
        )
        try:
            response = opener.open(request, timeout=SECONDS)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Page(response.status, headers, response.read())

    def sign_in_as_demo(self) -> Headers:
        """Signs in by the button of the page, and gives the headers that make a call theirs.

        Raises Skipped where there is no such button.
        """
        form = self.get("/sign-in/").body.decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        assert token, "the page for signing in has no form"
        if "/sign-in/demo/" not in form:
            raise Skipped("there are no demo users here")
        answer = self.post_form("/sign-in/demo/", csrfmiddlewaretoken=token[1], account="customer")
        assert answer.status == 200, f"signing in was answered with {answer.status}"
        sessions = [cookie for cookie in self.cookies if cookie.name.endswith("sessionid")]
        assert sessions, "signing in has given no session"
        return [("cookie", f"{sessions[0].name}={sessions[0].value}")]


@contextlib.contextmanager
def opened(
    server: Server, mode: Mode, path: str, request: Message, response_type: type[Message], headers: Headers = ()
) -> Iterator[Reply]:
    """The answer to a gRPC-Web call, which is read as it arrives. Ends the call with the block.

    It may have gone through an Envoy or not: an address does not tell.
    """
    with Connection(server, SECONDS) as connection:
        response = connection.request("POST", path, [*mode.headers(), *headers], mode.request_body([request]))
        yield EnvoyReply(response, response_type, mode)


def call(
    server: Server, mode: Mode, path: str, request: Message, response_type: type[Message], headers: Headers = ()
) -> Message:
    """Makes a unary gRPC-Web call and gives its message. Raises AssertionError for any status but OK."""
    with opened(server, mode, path, request, response_type, headers) as reply:
        answer = reply.answer()
    assert answer.code is grpc.StatusCode.OK, f"{path} ended with {answer.code.name}: {answer.details}"
    (message,) = answer.messages
    return message
