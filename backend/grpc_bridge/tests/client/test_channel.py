"""Channels: where they lead, which connections they have, and what is known of the server."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

import grpc_bridge
from grpc_bridge.client import aio, insecure_web_channel, pool
from grpc_bridge.client.options import channel_options
from grpc_bridge.protocol.frames import encode_frame
from grpc_bridge.tests.client.callers import METHOD, Caller
from grpc_bridge.tests.client.scripted import (
    OK,
    TYPE,
    Gate,
    Peer,
    Script,
    ScriptedServer,
    answering,
    chunked,
    eventually,
    good,
    head,
    scripted,
)

Code = grpc.StatusCode
State = grpc.ChannelConnectivity
Serve = Callable[[Script], ScriptedServer]


class TestTarget:
    @pytest.mark.parametrize(
        ("target", "url"),
        [
            ("shop.example", "http://shop.example/a.B/C"),
            ("shop.example:8000", "http://shop.example:8000/a.B/C"),
            ("127.0.0.1:8000/", "http://127.0.0.1:8000/a.B/C"),
            ("[::1]:8000/api", "http://[::1]:8000/api/a.B/C"),
            ("dns:shop.example:8000", "http://shop.example:8000/a.B/C"),
            ("dns:///shop.example:8000/api/v1/", "http://shop.example:8000/api/v1/a.B/C"),
        ],
    )
    def test_address_of_a_method(self, target: str, url: str) -> None:
        assert str(channel_options(target, None, None, None).url("/a.B/C")) == url

    @pytest.mark.parametrize(
        "target",
        [
            *("", ":80", "/path", "host:x", "host:70000", "http://host", "https://host:1/path", "unix:/run/x"),
            *("user@host", "user:secret@host", "host?a=b", "host#a", "host/a?b", " host", "host:1/a:b", "[::1"),
        ],
    )
    def test_what_is_none(self, target: str) -> None:
        for open_channel in (insecure_web_channel, aio.insecure_web_channel):
            with pytest.raises(ValueError, match="target"):
                open_channel(target)


class TestConnections:
    @pytest.mark.parametrize("answer", [good(b"one"), chunked(encode_frame(b"one"), OK)])
    def test_one_call_after_the_other(self, serve: Serve, answer: bytes) -> None:
        server = serve(answering(answer))
        with insecure_web_channel(server.target) as channel:
            for _ in range(10):
                assert channel.unary_unary(METHOD)(b"") == b"one"
                assert list(channel.unary_stream(METHOD)(b"")) == [b"one"]
                assert channel.stream_unary(METHOD)(iter([b"", b""])) == b"one"
        assert server.connections == 1

    @pytest.mark.parametrize("answer", [good(b"one"), chunked(encode_frame(b"one"), OK)])
    async def test_one_call_after_the_other_in_a_loop(self, serve: Serve, answer: bytes) -> None:
        server = serve(answering(answer))
        async with aio.insecure_web_channel(server.target) as channel:
            for _ in range(10):
                assert await channel.unary_unary(METHOD)(b"") == b"one"
                assert [message async for message in channel.unary_stream(METHOD)(b"")] == [b"one"]
        assert server.connections == 1

    def test_end_of_the_answer_that_comes_later(self, serve: Serve) -> None:
        """The connection is used again, because who waits for the end of a call waits for that of its connection."""

        def script(peer: Peer) -> None:
            while peer.request() is not None:
                peer.send(head(TYPE, "transfer-encoding: chunked"))
                peer.send_chunk(encode_frame(b"one") + OK)
                threading.Event().wait(0.02)
                peer.send_chunk(b"")

        server = serve(script)
        with insecure_web_channel(server.target) as channel:
            for _ in range(5):
                assert channel.unary_unary(METHOD)(b"") == b"one"
        assert server.connections == 1

    async def test_calls_at_the_same_time(self, serve: Serve) -> None:
        """Each has a connection for itself, and those are used again."""
        together = threading.Barrier(20)

        def script(peer: Peer) -> None:
            for _ in range(3):
                if peer.request() is None:
                    return
                together.wait(20)
                peer.send(good(b"one"))

        server = serve(script)
        async with aio.insecure_web_channel(server.target) as channel:
            for _ in range(3):
                await asyncio.gather(*(channel.unary_unary(METHOD)(b"") for _ in range(20)))
        assert server.connections == 20

    def test_errors_keep_the_connection(self, serve: Serve) -> None:
        server = serve(answering(b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nBusy", good(b"one")))
        with insecure_web_channel(server.target) as channel:
            with pytest.raises(grpc.RpcError, match="UNAVAILABLE: HTTP status 503: Busy"):
                channel.unary_unary(METHOD)(b"")
            assert channel.unary_unary(METHOD)(b"") == b"one"
        assert server.connections == 1

    def test_a_connection_that_the_server_has_closed_is_not_used(self, serve: Serve) -> None:
        def script(peer: Peer) -> None:
            peer.request()
            peer.send(good(b"one"))

        server = serve(script)
        with insecure_web_channel(server.target) as channel:
            for _ in range(5):
                assert channel.unary_unary(METHOD)(b"") == b"one"
                connector = channel._thread.pool.session.connector
                assert eventually(lambda connector=connector: not any(map(has_open, connector._conns.values())))
        assert server.connections == 5

    def test_idle_connections_are_given_up(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pool, "IDLE_SECONDS", 0.05)
        ended = threading.Event()

        def script(peer: Peer) -> None:
            peer.request()
            peer.send(good(b"one"))
            if peer.sees_end():
                ended.set()

        with insecure_web_channel(serve(script).target) as channel:
            channel.unary_unary(METHOD)(b"")
            assert ended.wait(20)

    def test_nothing_is_repeated(self, call: Caller, serve: Serve) -> None:
        """A call on a connection that breaks may have been served."""
        bodies: list[bytes | None] = []

        def script(peer: Peer) -> None:
            bodies.append(peer.request())

        server = serve(script)
        assert call(server.target).code is Code.UNAVAILABLE
        assert len(bodies) == server.connections == 1


def has_open(connections: Any) -> bool:
    return any(protocol.is_connected() for protocol, _ in connections)


class TestWaiting:
    """For a server that comes later."""

    @pytest.fixture
    def port(self, serve: Serve) -> int:
        server = serve(answering(good(b"")))
        server.stop()
        return server.port

    def test_wait_for_ready(self, port: int) -> None:
        states: list[State] = []
        with insecure_web_channel(f"127.0.0.1:{port}") as channel:
            channel.subscribe(states.append)
            call = channel.unary_unary(METHOD).future(b"", wait_for_ready=True, timeout=60)
            stream = channel.stream_unary(METHOD).future(iter([b"", b""]), wait_for_ready=True, timeout=60)
            assert eventually(lambda: State.TRANSIENT_FAILURE in states)
            assert not call.done()
            with scripted(answering(good(b"one")), port):
                assert call.result(timeout=60) == b"one"
                assert stream.result(timeout=60) == b"one"
            assert eventually(lambda: states == [State.IDLE, State.TRANSIENT_FAILURE, State.READY])

    def test_wait_for_ready_has_a_deadline(self, call: Caller, port: int) -> None:
        learned = call(f"127.0.0.1:{port}", wait_for_ready=True, timeout=0.3)
        assert (learned.code, learned.details) == (Code.DEADLINE_EXCEEDED, "Deadline Exceeded")

    def test_channel_ready(self, port: int) -> None:
        with insecure_web_channel(f"127.0.0.1:{port}") as channel:
            ready = grpc.channel_ready_future(channel)
            with pytest.raises(grpc.FutureTimeoutError):
                ready.result(timeout=0.2)
            with scripted(answering(good(b"one")), port):
                ready.result(timeout=60)

    async def test_channel_ready_in_a_loop(self, port: int) -> None:
        async with aio.insecure_web_channel(f"127.0.0.1:{port}") as channel:
            assert channel.get_state() is State.IDLE
            ready = asyncio.create_task(channel.channel_ready())
            await channel.wait_for_state_change(State.IDLE)
            assert not ready.done()
            with scripted(answering(good(b"one")), port):
                async with asyncio.timeout(60):
                    await ready
                assert channel.get_state() is State.READY
        assert channel.get_state() is State.SHUTDOWN

    def test_states(self, serve: Serve) -> None:
        server = serve(answering(good(b"one")))
        states: list[State] = []
        more: list[State] = []
        channel = insecure_web_channel(server.target)
        channel.subscribe(states.append)
        channel.subscribe(more.append)
        assert eventually(lambda: states == more == [State.IDLE])
        channel.unsubscribe(more.append)
        channel.unsubscribe(print)
        channel.unary_unary(METHOD)(b"")
        assert eventually(lambda: states == [State.IDLE, State.READY])
        server.stop()
        with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
            channel.unary_unary(METHOD)(b"")
        channel.close()
        assert eventually(lambda: states[2:] == [State.TRANSIENT_FAILURE, State.SHUTDOWN])
        assert more == [State.IDLE]

    async def test_state_changes_wake_who_waits(self, serve: Serve) -> None:
        async with aio.insecure_web_channel(serve(answering(good(b"one"))).target) as channel:
            changed = asyncio.create_task(channel.wait_for_state_change(State.IDLE))
            await asyncio.sleep(0)
            assert not changed.done()
            await channel.unary_unary(METHOD)(b"")
            async with asyncio.timeout(20):
                await changed


def test_a_connection_that_is_not_made_in_time(call: Caller, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that lets nobody in any more."""
    monkeypatch.setattr(pool, "CONNECT_SECONDS", 0.2)
    server = serve(answering(good(b"")))
    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", never)
    monkeypatch.setattr(asyncio.BaseEventLoop, "sock_connect", never, raising=False)
    monkeypatch.setattr(asyncio.selector_events.BaseSelectorEventLoop, "sock_connect", never)
    learned = call(server.target)
    assert learned.code is Code.UNAVAILABLE
    assert learned.details.startswith("Failed to connect: ")


async def never(*args: Any, **kwargs: Any) -> None:
    await asyncio.get_running_loop().create_future()


def run_program(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a program in a Python of its own, with all warnings."""
    return subprocess.run(
        [sys.executable, "-W", "default", "-c", textwrap.dedent(program), *arguments],
        cwd=Path(grpc_bridge.__file__).parent.parent,
        env={name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class TestPrograms:
    """Whole programs, because of how they end."""

    def test_that_close_nothing(self, serve: Serve) -> None:
        """A program ends in peace while a stream is open."""
        gate = Gate()
        ran = run_program(
            """
            import sys
            from grpc_bridge.client import insecure_web_channel

            channel = insecure_web_channel(sys.argv[1])
            stream = channel.unary_stream("/test.v1.Lab/Any")(b"")
            print(next(stream))
            """,
            serve(gate).target,
        )
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "b'one'\n", "")
        assert gate.saw_end.wait(20)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    def test_that_fork(self, serve: Serve) -> None:
        """The child has connections of its own, and those of the parent go on."""
        server = serve(answering(good(b"one")))
        ran = run_program(
            """
            import os, sys
            from grpc_bridge.client import insecure_web_channel

            channel = insecure_web_channel(sys.argv[1])
            method = channel.unary_unary("/test.v1.Lab/Any")
            print("parent", method(b"", timeout=20), flush=True)
            child = os.fork()
            if child == 0:
                print("child", method(b"", timeout=20), flush=True)
                channel.close()
                sys.exit(3)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            for _ in range(3):
                print("parent", method(b"", timeout=20))
            channel.close()
            """,
            server.target,
        )
        lines = ["parent b'one'", "child b'one'", "3", *["parent b'one'"] * 3]
        assert (ran.stdout.splitlines(), ran.stderr, ran.returncode) == (lines, "", 0)
        assert server.connections == 2

    def test_without_settings_of_django(self) -> None:
        ran = run_program("import grpc_bridge.client; grpc_bridge.client.insecure_web_channel('host').close()")
        assert (ran.returncode, ran.stderr) == (0, "")

    def test_the_rest_of_the_bridge_does_without_aiohttp(self) -> None:
        ran = run_program(
            """
            import sys
            sys.modules["aiohttp"] = None
            import grpc_bridge.testing, grpc_bridge.transports.grpcio
            """
        )
        assert (ran.returncode, ran.stderr) == (0, "")
