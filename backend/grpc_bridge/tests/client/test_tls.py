"""TLS, and credentials of calls, which travel under it only."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
import trustme

from grpc_bridge.client import aio, insecure_web_channel, secure_web_channel, ssl_channel_credentials
from grpc_bridge.tests.client.callers import METHOD
from grpc_bridge.tests.client.scripted import Peer, Request, ScriptedServer, good, scripted

Code = grpc.StatusCode


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def seen() -> list[Request]:
    """The heads of the requests that the server has got."""
    return []


@pytest.fixture
def subjects() -> list[Any]:
    """Who clients have shown to be."""
    return []


@pytest.fixture
def server(authority: trustme.CA, seen: list[Request], subjects: list[Any]) -> Iterator[ScriptedServer]:
    """A server with a certificate for `shop.example` that asks clients for theirs."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("shop.example").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL

    def wrap(sock: socket.socket) -> socket.socket:
        wrapped = context.wrap_socket(sock, server_side=True)
        subjects.append(wrapped.getpeercert())
        return wrapped

    def script(peer: Peer) -> None:
        while (request := peer.head()) is not None:
            peer.body(request)
            seen.append(request)
            peer.send(good(b"one"))

    server = ScriptedServer(script, wrap=wrap)
    yield server
    server.stop()


def root(authority: trustme.CA) -> bytes:
    pem: bytes = authority.cert_pem.bytes()
    return pem


OPTIONS = [("grpc.ssl_target_name_override", "shop.example")]


class TestChannel:
    def test_sync(self, server: ScriptedServer, authority: trustme.CA, subjects: list[Any]) -> None:
        with secure_web_channel(server.target, ssl_channel_credentials(root(authority)), OPTIONS) as channel:
            for _ in range(3):
                assert channel.unary_unary(METHOD)(b"x" * 100_000) == b"one"
            assert list(channel.stream_stream(METHOD)(iter([b"", b""]))) == [b"one"]
            grpc.channel_ready_future(channel).result(timeout=20)
        assert server.connections == 1
        assert subjects == [None]

    async def test_aio(self, server: ScriptedServer, authority: trustme.CA) -> None:
        credentials = ssl_channel_credentials(root(authority))
        async with aio.secure_web_channel(server.target, credentials, OPTIONS) as channel:
            async with asyncio.timeout(20):
                await channel.channel_ready()
            assert await channel.unary_unary(METHOD)(b"") == b"one"

    def test_certificate_of_the_client(
        self, server: ScriptedServer, authority: trustme.CA, subjects: list[Any]
    ) -> None:
        own = authority.issue_cert("client@shop.example")
        chain = b"".join(pem.bytes() for pem in own.cert_chain_pems)
        credentials = ssl_channel_credentials(root(authority), own.private_key_pem.bytes(), chain)
        with secure_web_channel(server.target, credentials, OPTIONS) as channel:
            assert channel.unary_unary(METHOD)(b"") == b"one"
        assert subjects[0]["subjectAltName"] == (("email", "client@shop.example"),)

    def test_half_of_a_certificate(self, authority: trustme.CA) -> None:
        key = authority.issue_cert("a@b").private_key_pem.bytes()
        for arguments in ((None, key, None), (None, None, root(authority))):
            with pytest.raises(ValueError, match="go together"):
                ssl_channel_credentials(*arguments)

    @pytest.mark.parametrize(
        ("roots", "options"),
        [("another", OPTIONS), ("system", OPTIONS), ("own", [])],
        ids=["of another authority", "of none of the system's", "for another name"],
    )
    def test_server_that_is_not_trusted(
        self,
        server: ScriptedServer,
        authority: trustme.CA,
        seen: list[Request],
        roots: str,
        options: Any,
    ) -> None:
        certificates = {"own": root(authority), "another": root(trustme.CA()), "system": None}[roots]
        with secure_web_channel(server.target, ssl_channel_credentials(certificates), options) as channel:
            with pytest.raises(grpc.RpcError, match="UNAVAILABLE: Failed to connect") as caught:
                channel.unary_unary(METHOD)(b"", timeout=20)
            assert "certificate" in caught.value.details().lower()
        assert seen == []

    def test_server_without_tls(self) -> None:
        with (
            scripted(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server,
            secure_web_channel(server.target, ssl_channel_credentials()) as channel,
            pytest.raises(grpc.RpcError, match="UNAVAILABLE: Failed to connect"),
        ):
            channel.unary_unary(METHOD)(b"", timeout=20)


class Plugin(grpc.AuthMetadataPlugin):
    """Gives metadata, or an error, or fails; at once, or from another thread."""

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self.contexts: list[Any] = []
        self._answer = answer

    def __call__(self, context: Any, callback: Any) -> None:
        self.contexts.append(context)
        self._answer(callback)


TOKEN = (("authorization", "Bearer secret"),)


class TestCallCredentials:
    @pytest.fixture
    def call(self, server: ScriptedServer, authority: trustme.CA) -> Iterator[Callable[..., Any]]:
        with secure_web_channel(server.target, ssl_channel_credentials(root(authority)), OPTIONS) as channel:
            yield lambda plugin, **options: channel.unary_unary(METHOD)(b"", credentials=plugin, **options)

    @pytest.mark.parametrize(
        "answer",
        [
            lambda callback: callback(TOKEN, None),
            lambda callback: threading.Timer(0.02, callback, (TOKEN, None)).start(),
            lambda callback: [callback(TOKEN, None), callback((("authorization", "twice"),), None)],
        ],
        ids=["at once", "later", "twice"],
    )
    def test_plugin(
        self, call: Callable[..., Any], server: ScriptedServer, seen: list[Request], answer: Callable[[Any], Any]
    ) -> None:
        plugin = Plugin(answer)
        assert call(plugin, metadata=(("a", "1"),)) == b"one"
        assert (seen[0].header("authorization"), seen[0].header("a")) == ("Bearer secret", "1")
        (context,) = plugin.contexts
        assert isinstance(context, grpc.AuthMetadataContext)
        assert (context.service_url, context.method_name) == (f"https://{server.target}/test.v1.Lab", "Any")

    async def test_plugin_in_a_loop(self, server: ScriptedServer, authority: trustme.CA, seen: list[Request]) -> None:
        credentials = ssl_channel_credentials(root(authority))
        plugin = Plugin(lambda callback: callback(TOKEN, None))
        async with aio.secure_web_channel(server.target, credentials, OPTIONS) as channel:
            assert await channel.unary_unary(METHOD)(b"", credentials=plugin) == b"one"
        assert seen[0].header("authorization") == "Bearer secret"

    @pytest.mark.parametrize(
        "answer",
        [
            lambda callback: callback((), LookupError("no token")),
            lambda callback: {}["no token"],
            lambda callback: callback((("Authorization", "no token"),), None),
        ],
        ids=["an error", "an exception", "metadata that may not travel"],
    )
    def test_plugin_that_fails(
        self, call: Callable[..., Any], seen: list[Request], answer: Callable[[Any], Any]
    ) -> None:
        with pytest.raises(grpc.RpcError) as caught:
            call(Plugin(answer))
        assert caught.value.code() is Code.UNAVAILABLE
        assert caught.value.details().startswith("Getting metadata from plugin failed with error: ")
        assert isinstance(caught.value.__cause__, LookupError | ValueError)
        assert seen == []

    def test_plugin_that_never_answers(self, call: Callable[..., Any]) -> None:
        with pytest.raises(grpc.RpcError, match="DEADLINE_EXCEEDED"):
            call(Plugin(lambda callback: None), timeout=0.1)

    def test_without_tls(self) -> None:
        """What is secret does not go where everybody reads along."""
        plugin = Plugin(lambda callback: callback(TOKEN, None))
        with insecure_web_channel("127.0.0.1:1") as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(METHOD)(b"", credentials=plugin)
        assert (caught.value.code(), plugin.contexts) == (Code.UNAUTHENTICATED, [])
        assert "sufficient security level" in caught.value.details()

    def test_those_of_grpcio_are_closed(self, call: Callable[..., Any]) -> None:
        for credentials in (
            grpc.access_token_call_credentials("secret"),
            grpc.metadata_call_credentials(Plugin(lambda callback: None)),
        ):
            with pytest.raises(ValueError, match=r"grpc\.AuthMetadataPlugin"):
                call(credentials)
