"""What is sent: the head, the messages as they come, and no more of them than the server takes."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from grpc_bridge.client import aio, insecure_web_channel, pool
from grpc_bridge.protocol.frames import encode_frame
from grpc_bridge.protocol.timeout import decode_timeout
from grpc_bridge.protocol.trailers import encode_trailers
from grpc_bridge.tests.client.callers import METHOD, Caller, Learned, call_aio, call_sync
from grpc_bridge.tests.client.scripted import (
    OK,
    TYPE,
    Peer,
    Request,
    Script,
    ScriptedServer,
    eventually,
    good,
    head,
    whole,
)

Code = grpc.StatusCode
Serve = Callable[[Script], ScriptedServer]
SMALL = [("grpc.max_send_message_length", 10)]
Gzip, Deflate, Plain = grpc.Compression.Gzip, grpc.Compression.Deflate, grpc.Compression.NoCompression


class Recorder:
    """A script that keeps each request and answers it well."""

    def __init__(self) -> None:
        self.heads: list[Request] = []
        self.bodies: list[bytes] = []

    def __call__(self, peer: Peer) -> None:
        while (request := peer.head()) is not None:
            self.heads.append(request)
            self.bodies.append(peer.body(request))
            peer.send(good(b"fine"))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def target(serve: Serve, recorder: Recorder) -> str:
    return serve(recorder).target


class TestHead:
    def test_of_a_plain_call(self, call: Caller, target: str, recorder: Recorder) -> None:
        call(target, "unary_unary", b"hello", timeout=None)
        assert recorder.heads[0].line == f"POST {METHOD} HTTP/1.1"
        headers = dict(recorder.heads[0].headers)
        agent = headers.pop("user-agent")
        assert agent.startswith("grpc_bridge aiohttp/")
        assert headers == {
            "host": target,
            "content-type": "application/grpc-web+proto",
            "accept": "application/grpc-web+proto",
            "x-grpc-web": "1",
            "grpc-accept-encoding": "identity,gzip,deflate",
            "content-length": "10",
        }
        assert recorder.bodies == [encode_frame(b"hello")]

    def test_metadata(self, call: Caller, target: str, recorder: Recorder) -> None:
        metadata = (("a", "1"), ("a", "two words"), ("b-bin", b"\x00\xff"), ("cookie", "sessionid=x"))
        call(target, metadata=metadata)
        sent = [entry for entry in recorder.heads[0].headers if entry[0] in ("a", "b-bin", "cookie")]
        assert sent == [("a", "1"), ("a", "two words"), ("b-bin", "AP8"), ("cookie", "sessionid=x")]

    @pytest.mark.parametrize(
        "metadata", [(("A", "x"),), (("a", "b\r\nc: d"),), (("a", "ü"),), (("te", "x"),), (("a-bin", "text"),)]
    )
    def test_metadata_that_may_not_travel(self, call: Caller, target: str, recorder: Recorder, metadata: Any) -> None:
        with pytest.raises(ValueError, match="metadata"):
            call(target, metadata=metadata)
        assert recorder.heads == []

    @pytest.mark.parametrize("seconds", [0.5, 5, 5000, 1e12])
    def test_timeout(self, call: Caller, target: str, recorder: Recorder, seconds: float) -> None:
        call(target, timeout=seconds)
        sent = recorder.heads[0].header("grpc-timeout")
        assert sent is not None
        assert decode_timeout(sent) == pytest.approx(min(seconds, 10 * 365 * 86400), rel=0.9, abs=0.5)
        assert decode_timeout(sent) <= max(seconds, 10)

    def test_path_in_front(self, call: Caller, target: str, recorder: Recorder) -> None:
        for prefix in ("/api", "/api/v1/"):
            call(target + prefix)
        assert [request.line for request in recorder.heads] == [
            f"POST /api{METHOD} HTTP/1.1",
            f"POST /api/v1{METHOD} HTTP/1.1",
        ]

    def test_options(self, call: Caller, target: str, recorder: Recorder) -> None:
        options = [
            ("grpc.default_authority", "shop.example"),
            ("grpc.primary_user_agent", "shop/1"),
            ("grpc.keepalive_time_ms", 1000),  # as any that is for HTTP/2
        ]
        call(target, channel_options=options)
        (request,) = recorder.heads
        assert request.header("host") == "shop.example"
        assert str(request.header("user-agent")).startswith("shop/1 grpc_bridge aiohttp/")

    def test_path_cannot_forge_a_head(self, target: str, recorder: Recorder) -> None:
        with insecure_web_channel(target) as channel:
            assert channel.unary_unary("/a b\r\nx: y/Ü")(b"") == b"fine"
        assert recorder.heads[0].line == "POST /a%20bx:%20y/%C3%9C HTTP/1.1"
        assert recorder.heads[0].header("x") is None


class TestBody:
    @pytest.mark.parametrize("kind", ["stream_unary", "stream_stream"])
    @pytest.mark.parametrize("requests", [(), (b"",), (b"one",), (b"one", b"", b"two"), (b"x",) * 100])
    def test_streams(
        self, call: Caller, target: str, recorder: Recorder, kind: str, requests: tuple[bytes, ...]
    ) -> None:
        assert call(target, kind, *requests) == Learned([b"fine"], Code.OK, "")
        assert recorder.bodies == [b"".join(map(encode_frame, requests))]

    @pytest.mark.parametrize("kind", ["unary_unary", "stream_unary"])
    def test_large_messages(self, call: Caller, target: str, recorder: Recorder, kind: str) -> None:
        large = bytes(range(256)) * 20_000
        call(target, kind, large)
        assert recorder.bodies == [encode_frame(large)]

    @pytest.mark.parametrize(
        ("compression", "name", "decompress"), [(Gzip, "gzip", gzip.decompress), (Deflate, "deflate", zlib.decompress)]
    )
    @pytest.mark.parametrize("kind", ["unary_unary", "stream_unary"])
    def test_compression(
        self,
        call: Caller,
        target: str,
        recorder: Recorder,
        kind: str,
        compression: grpc.Compression,
        name: str,
        decompress: Callable[[bytes], bytes],
    ) -> None:
        call(target, kind, b"a" * 1000, compression=compression)
        assert recorder.heads[0].header("grpc-encoding") == name
        (body,) = recorder.bodies
        assert body[0] == 1
        assert len(body) < 100
        assert decompress(body[5:]) == b"a" * 1000

    def test_compression_of_a_channel(self, target: str, recorder: Recorder) -> None:
        with insecure_web_channel(target, compression=Gzip) as channel:
            method = channel.unary_unary(METHOD)
            method(b"a" * 1000)
            method(b"b", compression=Plain)

        async def main() -> None:
            async with aio.insecure_web_channel(target, compression=Gzip) as channel:
                method = channel.unary_unary(METHOD)
                await method(b"a" * 1000)
                await method(b"b", compression=Plain)

        asyncio.run(main())
        assert [request.header("grpc-encoding") for request in recorder.heads] == ["gzip", None] * 2
        assert recorder.bodies[1::2] == [encode_frame(b"b")] * 2

    @pytest.mark.parametrize("kind", ["unary_unary", "stream_unary"])
    def test_message_that_may_not_be_sent(self, call: Caller, target: str, recorder: Recorder, kind: str) -> None:
        assert call(target, kind, b"x" * 10, channel_options=SMALL).code is Code.OK
        learned = call(target, kind, b"x" * 11, channel_options=SMALL)
        assert learned == Learned([], Code.RESOURCE_EXHAUSTED, "CLIENT: Sent message larger than max (11 vs. 10)")
        assert b"x" * 11 not in b"".join(recorder.bodies)

    def test_message_that_cannot_be_made(self, target: str, recorder: Recorder) -> None:
        def broken(_: object) -> bytes:
            raise LookupError("no such thing")

        with insecure_web_channel(target) as channel:
            for method, request in (
                (channel.unary_unary(METHOD, broken), b""),
                (channel.stream_unary(METHOD, broken), iter([b""])),
            ):
                with pytest.raises(grpc.RpcError) as caught:
                    method(request)
                assert caught.value.code() is Code.INTERNAL
                assert caught.value.details() == "Exception serializing request!"
                assert isinstance(caught.value.__cause__, LookupError)


class TestCutShort:
    """A request that does not come to its end does not look as if it did: no handler may run for it as a whole."""

    @pytest.fixture
    def received(self) -> list[bytes]:
        return []

    @pytest.fixture
    def server(self, serve: Serve, received: list[bytes]) -> ScriptedServer:
        def script(peer: Peer) -> None:
            if peer.head() is not None:
                received.append(peer.rest())

        return serve(script)

    def test_by_an_iterator_that_fails(self, server: ScriptedServer, received: list[bytes]) -> None:
        def requests() -> Iterator[bytes]:
            yield b"one"
            while go_on.acquire(timeout=0.2):
                pass
            raise LookupError("no such thing")

        go_on = threading.Semaphore(0)
        with insecure_web_channel(server.target) as channel:
            with pytest.raises(grpc.RpcError) as caught:
                channel.stream_unary(METHOD)(requests())
            assert (caught.value.code(), caught.value.details()) == (Code.UNKNOWN, "Exception iterating requests!")
            assert isinstance(caught.value.__cause__, LookupError)
        server.stop()
        assert received == [b"8\r\n" + encode_frame(b"one") + b"\r\n"]

    def test_by_a_message_that_cannot_be_made(self, server: ScriptedServer, received: list[bytes]) -> None:
        for number in range(20):  # the end may come at any time
            learned = call_sync(server.target, "stream_unary", *[b"x"] * number, b"x" * 11, channel_options=SMALL)
            assert learned.code is Code.RESOURCE_EXHAUSTED
            learned = call_aio(server.target, "stream_unary", *[b"x"] * number, b"x" * 11, channel_options=SMALL)
            assert learned.code is Code.RESOURCE_EXHAUSTED
        server.stop()
        assert [one for one in received if one.endswith(b"0\r\n\r\n")] == []

    async def test_by_cancelling(self, server: ScriptedServer, received: list[bytes]) -> None:
        async with aio.insecure_web_channel(server.target) as channel:
            call = channel.stream_unary(METHOD)()
            await call.write(b"one")
            await call.wait_for_connection()
            call.cancel()
            await call.code()
        await asyncio.to_thread(server.stop)
        # All that was written, or less of it, or a connection that was gone before anything of it was read.
        assert received in ([b"8\r\n" + encode_frame(b"one") + b"\r\n"], [b""], [])

    def test_with_a_server_that_takes_nothing(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        """What has not been sent does not keep the connection."""
        sockets: list[Any] = []

        class Spy(pool.Connector):
            async def connect(self, *args: Any, **kwargs: Any) -> Any:
                connection = await super().connect(*args, **kwargs)
                sockets.append(connection.transport.get_extra_info("socket"))
                return connection

        def script(peer: Peer) -> None:
            peer.head()
            peer.wait_until_full()
            is_full.set()
            is_over.wait(20)

        is_full, is_over = threading.Event(), threading.Event()
        monkeypatch.setattr(pool, "Connector", Spy)
        with insecure_web_channel(serve(script).target) as channel:
            call = channel.unary_unary(METHOD).future(b"x" * 20_000_000)
            assert is_full.wait(20)
            call.cancel()
            assert eventually(lambda: [sock.fileno() for sock in sockets] == [-1])
        is_over.set()


class TestAsTheyCome:
    """Requests and responses at the same time, where the server lets them be."""

    @staticmethod
    def echo(peer: Peer) -> None:
        """Answers each request at once."""
        while peer.head() is not None:
            peer.send(head(TYPE, "transfer-encoding: chunked"))
            while chunk := peer.chunk():
                peer.send_chunk(chunk)
            peer.send_chunk(OK)
            peer.send_chunk(b"")

    def test_ping_pong(self, serve: Serve) -> None:
        received = [b"start"]

        def requests() -> Iterator[bytes]:
            """Each is made from the response before it."""
            for _ in range(10):
                come.acquire()
                yield received[-1] + b"!"

        come = threading.Semaphore()
        with insecure_web_channel(serve(self.echo).target) as channel:
            for response in channel.stream_stream(METHOD)(requests(), timeout=30):
                received.append(response)
                come.release()
        assert received == [b"start" + b"!" * number for number in range(11)]

    async def test_ping_pong_by_reading_and_writing(self, serve: Serve) -> None:
        async with aio.insecure_web_channel(serve(self.echo).target) as channel:
            call = channel.stream_stream(METHOD)(timeout=30)
            await call.wait_for_connection()
            for number in range(10):
                await call.write(b"%d" % number)
                assert await call.read() == b"%d" % number
            await call.done_writing()
            assert await call.read() is grpc.aio.EOF
            assert await call.code() is Code.OK

    @pytest.mark.parametrize("status", [encode_trailers(0), encode_trailers(8, "enough")])
    def test_answer_before_the_end_of_the_requests(self, call: Caller, serve: Serve, status: bytes) -> None:
        """It counts, and no more is sent."""
        ended: list[bool] = []

        def script(peer: Peer) -> None:
            request = peer.head()
            if request is not None:
                peer.chunk()
                peer.send(whole(encode_frame(b"early") + status))
                with contextlib.suppress(ConnectionResetError):  # an end as well
                    while peer.socket.recv(1 << 20):
                        pass
                ended.append(True)

        server = serve(script)
        requests = [b"x" * 100_000] * 500
        learned = call(server.target, "stream_stream", *requests)
        assert learned.messages == [b"early"]
        assert learned.code is (Code.OK if status == encode_trailers(0) else Code.RESOURCE_EXHAUSTED)
        server.stop()
        assert ended == [True]

    def test_no_more_requests_are_made_than_are_taken(self, serve: Serve) -> None:
        is_slow, go_on = threading.Event(), threading.Event()
        made: list[int] = []

        def script(peer: Peer) -> None:
            if (request := peer.head()) is None:
                return
            is_slow.set()
            go_on.wait(20)
            assert len(peer.body(request)) == 200 * 1_000_005
            peer.send(good(b"fine"))

        def requests() -> Iterator[bytes]:
            for number in range(200):
                made.append(number)
                yield b"x" * 1_000_000

        with insecure_web_channel(serve(script).target) as channel:
            call = channel.stream_unary(METHOD).future(requests(), timeout=60)
            is_slow.wait(20)
            while len(made) != (before := len(made)) or not made or settled(made):
                assert before <= 60
            assert len(made) <= 60
            go_on.set()
            assert call.result() == b"fine"
        assert len(made) == 200


def settled(made: list[int]) -> bool:
    """Whether more is made within a moment."""
    before = len(made)
    threading.Event().wait(0.3)
    return len(made) != before


async def test_a_connection_that_closed_by_itself_is_not_broken_off(serve: Serve) -> None:
    """Once, asyncio's error there left the caller waiting for ever."""
    read_on = threading.Event()

    def script(peer: Peer) -> None:
        read_on.wait(20)
        peer.rest()

    closed = asyncio.Event()

    class Protocol(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            closed.set()

    address = serve(script).target.split(":")
    transport, _ = await asyncio.get_running_loop().create_connection(Protocol, address[0], int(address[1]))
    transport.write(b"x" * 20_000_000)
    transport.close()
    assert transport.get_write_buffer_size()
    read_on.set()
    await asyncio.wait_for(closed.wait(), 20)
    pool.drop_what_was_not_sent(transport)
