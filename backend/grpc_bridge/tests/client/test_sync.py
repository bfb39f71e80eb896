"""The sync API: calls as grpcio's, in any number of threads."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from grpc_bridge.client import insecure_web_channel
from grpc_bridge.client.channel import WebChannel
from grpc_bridge.protocol.frames import encode_frame
from grpc_bridge.protocol.trailers import encode_trailers
from grpc_bridge.tests.client.callers import METHOD
from grpc_bridge.tests.client.scripted import (
    OK,
    TYPE,
    Gate,
    Peer,
    Script,
    ScriptedServer,
    answering,
    eventually,
    good,
    head,
    whole,
)

Code = grpc.StatusCode
Serve = Callable[[Script], ScriptedServer]


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def server(serve: Serve, gate: Gate) -> ScriptedServer:
    return serve(gate)


@pytest.fixture
def channel(server: ScriptedServer) -> Iterator[WebChannel]:
    with insecure_web_channel(server.target) as channel:
        yield channel


def raised(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Gives what a call raises."""
    with pytest.raises(grpc.RpcError) as caught:
        function(*args, **kwargs)
    return caught.value


class TestFuture:
    def test_in_time(self, channel: WebChannel, gate: Gate) -> None:
        call = channel.unary_unary(METHOD).future(b"", timeout=60)
        told: list[Any] = []
        call.add_done_callback(told.append)
        assert (call.done(), call.running(), call.cancelled(), call.is_active()) == (False, True, False, True)
        assert call.initial_metadata() == (("first", "1"),)
        with pytest.raises(grpc.FutureTimeoutError):
            call.result(timeout=0.01)
        with pytest.raises(grpc.FutureTimeoutError):
            call.exception(timeout=0.01)
        assert 0 < call.time_remaining() <= 60
        assert told == []
        gate.is_open.set()
        assert call.result(timeout=20) == b"one"
        assert (call.exception(), call.traceback()) == (None, None)
        assert (call.done(), call.running(), call.cancelled(), call.is_active()) == (True, False, False, False)
        assert (call.code(), call.details(), call.trailing_metadata()) == (Code.OK, "", (("last", "2"),))
        assert not call.cancel()
        assert eventually(lambda: told == [call])
        call.add_done_callback(told.append)
        assert told == [call, call]
        assert not call.add_callback(lambda: told.append("never"))

    def test_cancel(self, channel: WebChannel, gate: Gate) -> None:
        call = channel.unary_unary(METHOD).future(b"")
        told = threading.Event()
        assert call.add_callback(told.set)
        gate.is_asked.wait(20)
        assert call.cancel()
        assert (call.cancel(), call.cancelled(), call.done(), call.running()) == (False, True, True, False)
        assert (call.code(), call.details()) == (Code.CANCELLED, "Locally cancelled by application!")
        for method in (call.result, call.exception, call.traceback):
            with pytest.raises(grpc.FutureCancelledError):
                method()
        assert told.wait(20)
        assert gate.saw_end.wait(20)

    def test_cancel_before_anything_was_sent(self, channel: WebChannel) -> None:
        call = channel.unary_unary(METHOD).future(b"")
        assert call.cancel()
        assert call.code() is Code.CANCELLED

    def test_cancel_wakes_who_waits(self, channel: WebChannel) -> None:
        call = channel.unary_unary(METHOD).future(b"")
        threading.Timer(0.05, call.cancel).start()
        with pytest.raises(grpc.FutureCancelledError):
            call.result(timeout=20)

    def test_deadline(self, channel: WebChannel, gate: Gate) -> None:
        call = channel.unary_unary(METHOD).future(b"", timeout=0.3)
        error = raised(call.result, timeout=20)
        assert (error.code(), error.details()) == (Code.DEADLINE_EXCEEDED, "Deadline Exceeded")
        assert call.exception().code() is Code.DEADLINE_EXCEEDED
        assert call.time_remaining() == 0
        assert not call.cancelled()

    def test_a_future_that_is_dropped_is_cancelled(self, channel: WebChannel, gate: Gate) -> None:
        call = channel.unary_unary(METHOD).future(b"")
        gate.is_asked.wait(20)
        del call
        gc.collect()
        assert gate.saw_end.wait(20)


class TestBlocking:
    def test_error(self, serve: Serve) -> None:
        answer = whole(encode_trailers(5, "no cat", [("why", "dog")]), "first: 1")
        with insecure_web_channel(serve(answering(answer)).target) as channel:
            error = raised(channel.unary_unary(METHOD), b"")
        assert isinstance(error, grpc.Call)
        assert isinstance(error, grpc.Future)
        assert (error.code(), error.details(), str(error)) == (Code.NOT_FOUND, "no cat", "NOT_FOUND: no cat")
        assert error.debug_error_string() == str(error)
        assert (error.initial_metadata(), error.trailing_metadata()) == ((("first", "1"),), (("why", "dog"),))
        assert (error.done(), error.running(), error.cancelled(), error.is_active()) == (True, False, False, False)
        assert (error.cancel(), error.time_remaining(), error.exception()) == (False, None, error)
        assert raised(error.result) is error

    def test_with_call(self, channel: WebChannel, gate: Gate) -> None:
        gate.is_open.set()
        for method, request in (
            (channel.unary_unary(METHOD), b""),
            (channel.stream_unary(METHOD), iter([b"", b""])),
        ):
            response, call = method.with_call(request)
            assert (response, call.code()) == (b"one", Code.OK)
            assert (call.initial_metadata(), call.trailing_metadata()) == ((("first", "1"),), (("last", "2"),))

    @pytest.mark.parametrize("timeout", [0, -1, 1e-9])
    def test_no_time_at_all(self, serve: Serve, timeout: float) -> None:
        server = serve(answering(good(b"")))
        with insecure_web_channel(server.target) as channel:
            assert raised(channel.unary_unary(METHOD), b"", timeout=timeout).code() is Code.DEADLINE_EXCEEDED
        assert server.connections == 0

    def test_deserializer(self, serve: Serve) -> None:
        def broken(_: bytes) -> Any:
            raise LookupError("no such thing")

        with insecure_web_channel(serve(answering(good(b"12"))).target) as channel:
            assert channel.unary_unary(METHOD, response_deserializer=int)(b"") == 12
            stream = channel.unary_stream(METHOD, response_deserializer=broken)(b"")
            for error in (
                raised(channel.unary_unary(METHOD, response_deserializer=broken), b""),
                raised(stream.__next__),
            ):
                assert (error.code(), error.details()) == (Code.INTERNAL, "Exception deserializing response!")
                assert isinstance(error.__cause__, LookupError)


class TestStream:
    def test_messages_come_as_they_are_sent(self, channel: WebChannel, gate: Gate) -> None:
        call = channel.unary_stream(METHOD)(b"")
        assert next(call) == b"one"
        assert call.is_active()
        gate.is_open.set()
        assert list(call) == []
        assert (call.code(), call.trailing_metadata()) == (Code.OK, (("last", "2"),))
        assert next(call, None) is None

    def test_cancel_while_it_is_read(self, channel: WebChannel, gate: Gate) -> None:
        call = channel.unary_stream(METHOD)(b"")
        assert next(call) == b"one"
        threading.Timer(0.05, call.cancel).start()
        assert raised(call.__next__).code() is Code.CANCELLED
        assert raised(call.__next__).code() is Code.CANCELLED
        assert gate.saw_end.wait(20)

    def test_cancel_hides_what_was_not_read(self, serve: Serve) -> None:
        with insecure_web_channel(serve(answering(good(b"one", b"two"))).target) as channel:
            call = channel.unary_stream(METHOD)(b"")
            assert next(call) == b"one"
            assert call.is_active()  # however much has come
            assert call.cancel()
            assert raised(call.__next__).code() is Code.CANCELLED

    def test_status_before_the_messages_are_read(self, serve: Serve) -> None:
        with insecure_web_channel(serve(answering(good(b"one", b"two"))).target) as channel:
            call = channel.unary_stream(METHOD)(b"")
            told = threading.Event()
            assert call.add_callback(told.set)
            assert call.code() is Code.OK
            assert told.wait(20)
            assert not call.cancel()
            assert list(call) == [b"one", b"two"]

    def test_deadline(self, channel: WebChannel, gate: Gate) -> None:
        """What has come until then is good."""
        call = channel.unary_stream(METHOD)(b"", timeout=1)
        assert next(call) == b"one"
        assert raised(call.__next__).code() is Code.DEADLINE_EXCEEDED
        assert gate.saw_end.wait(20)

    def test_a_stream_that_is_dropped_is_cancelled(self, channel: WebChannel, gate: Gate) -> None:
        for _ in channel.unary_stream(METHOD)(b""):
            break
        gc.collect()
        assert gate.saw_end.wait(20)

    def test_a_stream_keeps_its_channel(self, server: ScriptedServer, gate: Gate) -> None:
        channel = insecure_web_channel(server.target)
        call = channel.unary_stream(METHOD)(b"")
        thread = channel._thread._thread
        del channel
        gc.collect()
        assert next(call) == b"one"
        gate.is_open.set()
        assert list(call) == []
        assert thread.is_alive()
        del call
        assert eventually(lambda: not thread.is_alive())

    def test_reset(self, serve: Serve) -> None:
        has_read = threading.Event()

        def script(peer: Peer) -> None:
            peer.request()
            peer.send(head(TYPE, "transfer-encoding: chunked"))
            peer.send_chunk(encode_frame(b"one"))
            has_read.wait(20)
            peer.reset()

        with insecure_web_channel(serve(script).target) as channel:
            call = channel.unary_stream(METHOD)(b"")
            assert next(call) == b"one"
            has_read.set()
            assert raised(call.__next__).code() is Code.UNAVAILABLE

    def test_who_does_not_read_holds_the_server_up(self, serve: Serve) -> None:
        sent: list[int] = []
        message = b"x" * 10_000

        def script(peer: Peer) -> None:
            peer.request()
            peer.send(head(TYPE, "transfer-encoding: chunked"))
            for _ in range(5000):
                peer.send_chunk(encode_frame(message))
                sent.append(1)
            peer.send_chunk(OK)
            peer.send_chunk(b"")

        with insecure_web_channel(serve(script).target) as channel:
            call = channel.unary_stream(METHOD)(b"")
            assert next(call) == message
            before = -1
            while before != (before := len(sent)):
                threading.Event().wait(0.3)
            assert before < 4000  # the rest of 50 MB waits: what is under way is in the sockets' buffers
            assert call._answer.waiting_bytes < 1_000_000
            assert sum(1 for _ in call) == 4999


class TestCallbacks:
    def test_they_may_make_calls(self, channel: WebChannel, gate: Gate) -> None:
        """Which run on the same loop that has told of the end."""
        responses: list[bytes] = []
        gate.is_open.set()
        call = channel.unary_unary(METHOD).future(b"")
        call.add_done_callback(lambda _: responses.append(channel.unary_unary(METHOD)(b"")))
        assert eventually(lambda: responses == [b"one"])

    def test_one_that_fails_is_logged(self, channel: WebChannel, gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
        def broken() -> None:
            raise LookupError("no such thing")

        told = threading.Event()
        call = channel.unary_unary(METHOD).future(b"")
        call.add_callback(broken)
        call.add_callback(told.set)
        with caplog.at_level(logging.ERROR, "grpc_bridge.calling"):
            gate.is_open.set()
            assert told.wait(20)
        (record,) = caplog.records
        assert "Exception in callback" in record.getMessage()


class TestChannel:
    def test_closing_ends_calls(self, server: ScriptedServer, gate: Gate) -> None:
        channel = insecure_web_channel(server.target)
        future = channel.unary_unary(METHOD).future(b"")
        stream = channel.unary_stream(METHOD)(b"")
        assert next(stream) == b"one"
        channel.close()
        channel.close()
        assert (future.code(), future.details()) == (Code.CANCELLED, "Channel closed!")
        assert raised(future.result).code() is Code.CANCELLED
        assert raised(stream.__next__).code() is Code.CANCELLED
        with pytest.raises(ValueError, match="closed channel"):
            channel.unary_unary(METHOD)(b"")
        assert not channel._thread._thread.is_alive()

    def test_calls_that_begin_while_it_closes(self, serve: Serve) -> None:
        """Each ends, or is refused."""
        server = serve(answering(good(b"one")))
        for _ in range(10):
            channel = insecure_web_channel(server.target)
            begun: list[Any] = []
            is_closed = threading.Event()

            def work(channel: WebChannel = channel, begun: list[Any] = begun, until: Any = is_closed) -> None:
                method = channel.unary_unary(METHOD)
                with contextlib.suppress(ValueError):
                    while True:
                        begun.append(method.future(b""))
                until.set()

            thread = threading.Thread(target=work)
            thread.start()
            assert eventually(lambda begun=begun: len(begun) > 5)
            channel.close()
            assert is_closed.wait(20)
            thread.join()
            assert {call.code() for call in begun} <= {Code.OK, Code.CANCELLED}

    def test_that_was_never_used(self) -> None:
        with insecure_web_channel("127.0.0.1:1"):
            pass

    def test_threads(self, serve: Serve) -> None:
        """Each call gets its own answer."""

        def script(peer: Peer) -> None:
            while (body := peer.request()) is not None:
                peer.send(good(body[5:]))

        failures: list[object] = []

        def work(name: str) -> None:
            for number in range(20):
                request = f"{name} {number}".encode()
                if method(request) != request:
                    failures.append(request)

        with insecure_web_channel(serve(script).target) as channel:
            method = channel.unary_unary(METHOD)
            threads = [threading.Thread(target=work, args=(str(number),)) for number in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert failures == []

    def test_interceptors(self, serve: Serve) -> None:
        seen: list[str] = []

        class Interceptor(
            grpc.UnaryUnaryClientInterceptor,
            grpc.UnaryStreamClientInterceptor,
            grpc.StreamUnaryClientInterceptor,
            grpc.StreamStreamClientInterceptor,
        ):
            def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
                call = continuation(details, request)
                call.add_done_callback(lambda _: seen.append(f"{details.method} {call.code().name}"))
                return call

            intercept_unary_stream = intercept_stream_unary = intercept_stream_stream = intercept_unary_unary

        answers = answering(good(b"one"), good(b"one"), good(b"one"), good(b"one"), whole(encode_trailers(5)))
        with insecure_web_channel(serve(answers).target) as inner:
            channel = grpc.intercept_channel(inner, Interceptor(), Interceptor())
            assert channel.unary_unary(METHOD, _registered_method=True)(b"") == b"one"
            assert list(channel.unary_stream(METHOD, _registered_method=True)(b"")) == [b"one"]
            assert channel.stream_unary(METHOD, _registered_method=True)(iter([b""])) == b"one"
            assert list(channel.stream_stream(METHOD, _registered_method=True)(iter([b""]))) == [b"one"]
            assert raised(channel.unary_unary(METHOD), b"").code() is Code.NOT_FOUND
            assert raised(channel.unary_unary(METHOD).future(b"").result).code() is Code.NOT_FOUND
            assert eventually(lambda: sorted(seen) == sorted([f"{METHOD} OK"] * 8 + [f"{METHOD} NOT_FOUND"] * 4))
