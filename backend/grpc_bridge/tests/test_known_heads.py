"""What is found out about a head is kept for the next one like it. Nobody may notice, whatever came before."""

from __future__ import annotations

import asyncio
import gzip
import inspect
import itertools
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from django.test import override_settings

from grpc_bridge import heads
from grpc_bridge.admission import Admission
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.protocol.frames import FLAG_COMPRESSED, encode_frame
from grpc_bridge.registry import Registry
from grpc_bridge.tests.raw import ASGI, BODY, WSGI, environ, registry_of, scope, status_of
from grpc_bridge.transports.asgi import asgi_bridge
from grpc_bridge.transports.wsgi import wsgi_bridge

PAGE = ("origin", "http://testserver")
FOREIGN = ("origin", "https://evil.example.org")
COOKIE = ("cookie", "sessionid=abc")
SQUEEZED = encode_frame(gzip.compress(b"request"), FLAG_COMPRESSED)

REQUESTS: dict[str, tuple[str, list[tuple[str, str]], bytes, dict[str, Any]]] = {
    "plain": ("Unary", [], BODY, {}),
    "of a page": ("Unary", [PAGE, ("sec-fetch-site", "same-origin")], BODY, {}),
    "of a page of another site": ("Unary", [FOREIGN], BODY, {}),
    "of a page of another site with a cookie": ("Unary", [FOREIGN, COOKIE], BODY, {}),
    "of a page of another site with another cookie": ("Unary", [FOREIGN, ("cookie", "theme=dark")], BODY, {}),
    "with a cookie": ("Unary", [COOKIE], BODY, {}),
    "of an unnamed page with a cookie": ("Unary", [("sec-fetch-site", "cross-site"), COOKIE], BODY, {}),
    "of an unnamed page with another cookie": (
        "Unary",
        [("sec-fetch-site", "cross-site"), ("cookie", "theme=dark")],
        BODY,
        {},
    ),
    "from another page with a cookie": ("Unary", [PAGE, ("sec-fetch-site", "cross-site"), COOKIE], BODY, {}),
    "that wants text": ("Unary", [("accept", "application/grpc-web-text")], BODY, {}),
    "that does not": ("Unary", [("accept", "application/grpc-web+proto")], BODY, {}),
    "compressed": ("Unary", [("grpc-encoding", "gzip")], SQUEEZED, {}),
    "compressed without a word": ("Unary", [("x-encoding", "gzip")], SQUEEZED, {}),
    "compressed by nobody knows what": ("Unary", [("grpc-encoding", "br")], BODY, {}),
    "to be answered compressed": ("Compress", [("grpc-accept-encoding", "gzip")], BODY, {}),
    "to be answered in a way that nobody knows": ("Compress", [("grpc-accept-encoding", "br")], BODY, {}),
    "with a deadline": ("Remaining", [("grpc-timeout", "1H")], BODY, {}),
    "with no deadline that one can read": ("Remaining", [("grpc-timeout", "soon")], BODY, {}),
    "without a deadline": ("Remaining", [("x-timeout", "soon")], BODY, {}),
    "for another method": ("Remaining", [], BODY, {}),
    "for a stream": ("Stream", [], BODY, {}),
    "for none": ("None", [], BODY, {}),
    "with two messages": ("Unary", [], BODY + BODY, {}),
    "with half a message": ("Unary", [], BODY[:-1], {}),
    "with less than a header": ("Unary", [], BODY[:3], {}),
    "without a body": ("Unary", [], b"", {}),
    "with large metadata": ("Unary", [("x-large", "x" * 20_000)], BODY, {}),
    "with small metadata": ("Unary", [("x-large", "x")], BODY, {}),
    "with much metadata": ("Unary", [(f"x-{number}", "x") for number in range(200)], BODY, {}),
    "by GET": ("Unary", [], BODY, {"http_method": "GET"}),
    "by HTTPS": ("Unary", [PAGE, COOKIE], BODY, {"scheme": "https"}),
    "by HTTP": ("Unary", [PAGE, COOKIE], BODY, {"scheme": "http"}),
    "from a form": ("Unary", [], BODY, {"content_type": "text/plain"}),
    "in text": ("Unary", [], BODY, {"content_type": "application/grpc-web-text"}),
    "for another host": ("Unary", [], BODY, {"host": "evil.example.org"}),
}


def unary(request: bytes, context: Any) -> bytes:
    return request


def compress(request: bytes, context: Any) -> bytes:
    context.set_compression(grpc.Compression.Gzip)
    return request


def remaining(request: bytes, context: Any) -> bytes:
    return b"some" if context.time_remaining() and context.time_remaining() < 10_000 else b"any"


def stream(request: bytes, context: Any) -> Any:
    yield request


def as_async(behavior: Callable[[bytes, Any], bytes]) -> Any:
    async def behave(request: bytes, context: Any) -> bytes:
        return behavior(request, context)

    return behave


async def stream_async(request: bytes, context: Any) -> Any:
    yield request


def registry(*, is_async: bool) -> Registry:
    kind = as_async if is_async else lambda behavior: behavior
    unary_handlers = {
        name: grpc.unary_unary_rpc_method_handler(kind(behavior))
        for name, behavior in {"Unary": unary, "Compress": compress, "Remaining": remaining}.items()
    }
    streaming = grpc.unary_stream_rpc_method_handler(stream_async if is_async else stream)
    return registry_of(**unary_handlers, Stream=streaming)


class NotAnRpcError(Exception):
    pass


class Site:
    """A bridge over ASGI or WSGI, for handlers of one kind."""

    def __init__(self, transport: str, settings: BridgeSettings | None = None, *, is_async: bool) -> None:
        bridge = asgi_bridge if transport == ASGI else wsgi_bridge
        self._bridge: Any = bridge(self._django, registry(is_async=is_async), settings or BridgeSettings())
        self._answer = self._asgi if transport == ASGI else self._wsgi

    def known(self) -> Any:
        """Gives what is kept."""
        return inspect.getclosurevars(self._bridge).nonlocals["admission"].known

    def _django(self, *arguments: Any) -> Any:
        """Stands for the application that the bridge wraps."""
        raise NotAnRpcError

    async def ask(self, name: str) -> tuple[Any, ...]:
        """Makes the request of this name and gives its answer: status, headers, body."""
        method, headers, body, changes = REQUESTS[name]
        try:
            return await self._answer(method, headers, body, **changes)
        except NotAnRpcError:
            return ("passed on",)

    async def _asgi(self, method: str, headers: Any, body: bytes, **changes: Any) -> tuple[Any, ...]:
        asked = scope(method, headers) | {"scheme": changes.get("scheme", "http")}
        if left_out := changes.get("left_out"):
            del asked[left_out]
        asked["method"] = changes.get("http_method", "POST")
        replaced = {b"content-type": changes.get("content_type"), b"host": changes.get("host")}
        asked["headers"] = [(key, (replaced.get(key) or value.decode()).encode()) for key, value in asked["headers"]]
        pieces = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return pieces.pop() if pieces else await asyncio.get_running_loop().create_future()

        async def send(event: dict[str, Any]) -> None:
            sent.append(event)

        await self._bridge(asked, receive, send)
        return sent[0]["status"], sent[0]["headers"], b"".join(event["body"] for event in sent[1:])

    async def _wsgi(self, method: str, headers: Any, body: bytes, **changes: Any) -> tuple[Any, ...]:
        asked = environ(method, headers, body) | {"wsgi.url_scheme": changes.get("scheme", "http")}
        for change, key in {
            "http_method": "REQUEST_METHOD",
            "content_type": "CONTENT_TYPE",
            "host": "HTTP_HOST",
        }.items():
            asked[key] = changes.get(change, asked[key])
        if left_out := changes.get("left_out"):
            del asked[left_out]
        started: list[Any] = []
        answered = b"".join(self._bridge(asked, lambda *start: started.append(start)))
        return (*started[0], answered)


@pytest.fixture
def decisions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of all requests about which the bridge has had to decide."""
    made: list[str] = []
    decide = Admission.decide

    def recorded(admission: Any, head: Any, source: Any) -> Any:
        made.append(head.path)
        return decide(admission, head, source)

    monkeypatch.setattr(Admission, "decide", recorded)
    return made


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("transport", [ASGI, WSGI])
async def test_what_came_before_changes_no_answer(transport: str, is_async: bool) -> None:
    expected = {name: await Site(transport, is_async=is_async).ask(name) for name in REQUESTS}
    assert len({repr(answer) for answer in expected.values()}) > 12
    for first, second in itertools.permutations(REQUESTS, 2):
        site = Site(transport, is_async=is_async)
        for name in (first, second, first):
            assert await site.ask(name) == expected[name], (first, second)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("transport", [ASGI, WSGI])
async def test_a_head_is_decided_about_once(transport: str, is_async: bool, decisions: list[str]) -> None:
    site = Site(transport, is_async=is_async)
    for name in ("plain", "of a page", "that wants text", "with a deadline", "for a stream"):
        decisions.clear()
        for _ in range(3):
            await site.ask(name)
        assert len(decisions) == 1, name


@pytest.mark.parametrize("transport", [ASGI, WSGI])
async def test_what_is_large_or_wrong_is_decided_about_each_time(transport: str, decisions: list[str]) -> None:
    site = Site(transport, is_async=True)
    for name in ("with large metadata", "with much metadata", "for none", "for another host", "by GET"):
        decisions.clear()
        for _ in range(2):
            await site.ask(name)
        assert len(decisions) == 2, name


@pytest.mark.parametrize("left_out", ["scheme", "root_path"])
async def test_a_server_may_leave_out_what_asgi_lets_it(left_out: str, decisions: list[str]) -> None:
    site = Site(ASGI, is_async=True)
    expected = await site.ask("plain")
    for _ in range(2):
        assert await site._asgi("Unary", [], BODY, left_out=left_out) == expected
    assert len(decisions) == 3


async def test_a_header_in_place_of_what_a_server_adds_is_seen(decisions: list[str]) -> None:
    """There are as many entries in the environ, and all headers are there that are known."""
    site = Site(WSGI, is_async=False)
    for _ in range(2):
        await site.ask("plain")
    _, _, body = await site._wsgi("Unary", [("x-large", "x" * 20_000)], BODY, left_out="REMOTE_PORT")
    assert status_of(body)[0] == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert len(decisions) == 2


async def test_a_websocket_is_no_call_whatever_its_head() -> None:
    site = Site(ASGI, is_async=True)
    await site.ask("plain")
    asked = {name: value for name, value in scope("Unary").items() if name != "method"} | {"type": "websocket"}
    with pytest.raises(NotAnRpcError):
        await site._bridge(asked, None, None)


@pytest.mark.parametrize("transport", [ASGI, WSGI])
async def test_settings_that_change_count_at_once(transport: str) -> None:
    site = Site(transport, is_async=True)
    assert (await site.ask("plain"))[0] in (200, "200 OK")
    with override_settings(ALLOWED_HOSTS=["example.org"]):
        assert (await site.ask("plain"))[0] in (400, "400 Bad Request")
    with override_settings(GRPC_BRIDGE={"MAX_RECEIVE_MESSAGE_BYTES": 3}):
        assert status_of((await site.ask("plain"))[2])[0] == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert status_of((await site.ask("plain"))[2])[0] == 0


@pytest.mark.parametrize("transport", [ASGI, WSGI])
async def test_a_proxy_s_word_decides_where_it_is_asked_for(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REQUESTS, "by proxy", ("Unary", [PAGE, COOKIE, ("x-proto", "https")], BODY, {}))
    monkeypatch.setitem(REQUESTS, "by another", ("Unary", [PAGE, COOKIE, ("x-proto", "http")], BODY, {}))
    with override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_PROTO", "https")):
        site = Site(transport, is_async=True)
        for _ in range(2):
            assert (await site.ask("by another"))[0] in (200, "200 OK")
            assert (await site.ask("by proxy"))[0] in (403, "403 Forbidden")
    with override_settings(SECURE_PROXY_SSL_HEADER=("PROTO", "https")):  # of which no head tells
        site = Site(transport, is_async=True)
        for _ in range(2):
            assert (await site.ask("by another"))[0] in (200, "200 OK")


@pytest.mark.parametrize("transport", [ASGI, WSGI])
async def test_there_is_an_end_to_what_is_kept(
    transport: str, decisions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "MAX_PLANS", 2)
    site = Site(transport, is_async=True)
    for name in ("plain", "that wants text", "with a deadline"):
        await site.ask(name)
    decisions.clear()
    for name in ("plain", "that wants text", "with a deadline"):
        await site.ask(name)
    assert decisions == ["/test.Service/Remaining"]
    monkeypatch.setattr(heads, "MEMORY_SECONDS", 0.0)  # now there is room again, for the newest
    for _ in range(2):
        await site.ask("with a deadline")
    decisions.clear()
    for name in ("with a deadline", "plain"):
        await site.ask(name)
    assert decisions == ["/test.Service/Unary"]


@pytest.mark.parametrize("transport", [ASGI, WSGI])
async def test_clients_of_many_kinds_do_not_push_each_other_out(
    transport: str, decisions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "MAX_HEADS", 4)
    for number in range(6):
        monkeypatch.setitem(REQUESTS, f"of kind {number}", ("Unary", [(f"x-{number}", "x")], BODY, {}))
    site = Site(transport, is_async=transport == ASGI)
    for _ in range(2):
        for number in range(6):
            await site.ask(f"of kind {number}")
    assert len(decisions) == 6 + 2


@pytest.mark.parametrize("transport", [ASGI, WSGI])
async def test_what_does_not_decide_may_differ_and_counts_by_its_size(
    transport: str, decisions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [("x-first", "1"), ("user-agent", "a"), ("cookie", "theme=dark"), ("x-last", "1")]
    for number, agent in enumerate(("a", "b" * 50, "c", "d" * 20_000)):
        headers = [(name, agent if name == "user-agent" else f"{value}{number}") for name, value in many]
        monkeypatch.setitem(REQUESTS, f"by {agent[:1]}", ("Unary", headers, BODY, {}))
    site = Site(transport, is_async=True)
    expected = [await site.ask(f"by {agent}") for agent in "abc"]
    assert len({repr(answer) for answer in expected}) == 1
    assert len(decisions) == 2  # the second one has shown what varies
    assert status_of((await site.ask("by d"))[2])[0] == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    decisions.clear()
    assert await site.ask("by c") == expected[0]
    assert not decisions


async def test_no_secret_is_kept() -> None:
    site = Site(ASGI, is_async=True)
    await site._asgi("Unary", [("cookie", "sessionid=secret"), ("authorization", "Bearer secret")], BODY)
    (kept,) = (head for found in site.known().heads.values() for head in found)
    assert "secret" not in repr(
        [getattr(kept, name) for kind in type(kept).__mro__ for name in getattr(kind, "__slots__", ())]
    )
