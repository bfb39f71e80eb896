"""The sync test client as a channel: what a stub gives and raises, for handlers of both kinds."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from django.test import override_settings
from google.protobuf.wrappers_pb2 import StringValue

from generated.echo.v1 import echo_pb2, echo_pb2_grpc
from grpc_bridge.limits import open_calls
from grpc_bridge.testing import Client
from grpc_bridge.tests.lab import SERVICE, AsyncLab, HandlerError, Lab, LabStub, text, texts

Code = grpc.StatusCode


@pytest.fixture(params=[Lab, AsyncLab])
def lab(request: pytest.FixtureRequest) -> Lab:
    servicer: Lab = request.param()
    return servicer


@pytest.fixture
def client(lab: Lab) -> Client:
    return Client(register=lab.register)


@pytest.fixture
def stub(client: Client) -> LabStub:
    return LabStub(client)


def raised(make_call: Any, *args: Any, **kwargs: Any) -> Any:
    """Gives what a call raises."""
    with pytest.raises(grpc.RpcError) as info:
        make_call(*args, **kwargs)
    return info.value


def test_generated_stubs_work_unchanged():
    stub = echo_pb2_grpc.EchoServiceStub(Client())
    assert stub.Echo(echo_pb2.EchoRequest(message="hello")).message == "hello"
    responses = stub.ServerStreamingEcho(echo_pb2.ServerStreamingEchoRequest(message="again", message_count=2))
    assert [response.sequence for response in responses] == [1, 2]


class TestKinds:
    def test_unary(self, stub: LabStub):
        assert stub.Unary(text("hello")) == text("hello")

    @pytest.mark.django_db
    @pytest.mark.parametrize("count", [0, 1, 100])
    def test_stream_of_responses(self, stub: LabStub, count: int):
        assert [response.value for response in stub.Responses(text(str(count)))] == [str(n) for n in range(count)]

    @pytest.mark.parametrize("values", [(), ("one",), ("one", "", "three")])
    def test_stream_of_requests(self, stub: LabStub, values: tuple[str, ...]):
        assert stub.Requests(texts(*values)) == text("+".join(values))

    def test_both(self, stub: LabStub):
        assert list(stub.Both(texts("one", "", "three"))) == list(texts("one", "", "three"))

    def test_parameters_have_the_names_that_grpcio_gives_them(self, stub: LabStub):
        assert stub.Unary(request=text("a"), timeout=5) == text("a")
        assert stub.Requests(request_iterator=texts("a", "b"), timeout=5) == text("a+b")

    @pytest.mark.parametrize("compression", list(grpc.Compression))
    def test_compression(self, stub: LabStub, compression: grpc.Compression):
        """The handler answers with gzip where the caller can read it."""
        assert stub.Unary(text("compress"), compression=compression) == text("compress")
        assert stub.Requests(texts("a" * 1000, "b"), compression=compression) == text("a" * 1000 + "+b")

    def test_large_message(self, stub: LabStub):
        large = text("x" * 3_000_000)
        assert stub.Unary(large) == large
        assert list(stub.Both(iter([large, large]))) == [large, large]


class TestCall:
    def test_with_call(self, stub: LabStub):
        response, call = stub.Unary.with_call(text("trailing"))
        assert response == text("trailing")
        assert call.code() is Code.OK
        assert call.details() == ""
        assert call.initial_metadata() == ()
        assert call.trailing_metadata() == (("a", "1"), ("a", "2"), ("b-bin", b"\x00\xff"))
        assert [entry.key for entry in call.trailing_metadata()] == ["a", "a", "b-bin"]

    def test_future(self, stub: LabStub):
        future = stub.Unary.future(text("hello"))
        told: list[Any] = []
        future.add_done_callback(told.append)
        assert (future.done(), future.running(), future.cancelled(), future.cancel()) == (True, False, False, False)
        assert future.result(timeout=1) == text("hello")
        assert future.exception() is None
        assert told == [future]

    def test_future_of_a_failure(self, stub: LabStub):
        future = stub.Unary.future(text("abort"))
        assert future.code() is Code.NOT_FOUND
        assert future.exception().code() is Code.NOT_FOUND
        assert raised(future.result).details() == "as told: ü"

    @pytest.mark.parametrize("method", ["Unary", "Both"])
    def test_initial_metadata(self, client: Client, method: str):
        class Servicer(Lab):
            def Both(self, requests: Iterator[StringValue], context: Any) -> Iterator[StringValue]:
                yield self.Unary(next(requests), context)

        stub = LabStub(Client(register=Servicer().register))
        call = stub.Unary.with_call(text("initial"))[1] if method == "Unary" else stub.Both(texts("initial"))
        assert call.initial_metadata() == (("first", "1"), ("first-bin", b"\x00"))
        assert call.is_active() is (method == "Both")

    def test_metadata_of_the_request(self, stub: LabStub):
        metadata = (("key", "one"), ("other-bin", b"\x00\x01"), ("cookie", "a=b"))
        assert stub.Unary(text("metadata key"), metadata=metadata) == text("['one']")
        assert stub.Unary(text("metadata other-bin"), metadata=metadata) == text(r"[b'\x00\x01']")
        assert stub.Unary(text("metadata cookie"), metadata=metadata) == text("['a=b']")
        assert stub.Unary(text("metadata cookie")) == text("[]")

    @pytest.mark.parametrize("metadata", [(("Key", "x"),), (("key", "a\nb"),), (("te", "x"),), (("key-bin", "text"),)])
    def test_metadata_that_may_not_travel(self, stub: LabStub, metadata: Any):
        with pytest.raises(ValueError, match="metadata"):
            stub.Unary(text("hello"), metadata=metadata)

    def test_call_credentials_are_refused(self, stub: LabStub):
        credentials = grpc.access_token_call_credentials("token")
        with pytest.raises(ValueError, match="TLS"):
            stub.Unary(text("hello"), credentials=credentials)

    def test_status_of_a_stream_makes_it_to_its_end(self, stub: LabStub, lab: Lab):
        """And leaves the responses to be taken."""
        call = stub.Both(texts("one", "trailing"))
        assert call.trailing_metadata()[0] == ("a", "1")
        assert (call.code(), call.details(), call.is_active()) == (Code.OK, "", False)
        assert list(call) == list(texts("one", "trailing"))

    def test_callbacks(self, stub: LabStub):
        told: list[str] = []
        call = stub.Both(texts("one"))
        assert call.add_callback(lambda: told.append("over"))
        assert next(call) == text("one")
        assert told == []
        assert next(call, None) is None
        assert told == ["over"]
        assert not call.add_callback(lambda: told.append("too late"))


class TestFailure:
    def test_abort(self, stub: LabStub):
        error = raised(stub.Unary, text("abort"))
        assert (error.code(), error.details()) == (Code.NOT_FOUND, "as told: ü")
        assert error.trailing_metadata() == (("why", "told to"),)
        assert error.initial_metadata() == ()
        assert str(error) == error.debug_error_string() == "NOT_FOUND: as told: ü"
        assert error.__cause__ is None

    def test_what_the_handler_raised_is_the_cause(self, stub: LabStub):
        error = raised(stub.Unary, text("raise"))
        assert error.code() is Code.UNKNOWN
        assert "not for callers" not in error.details()
        assert isinstance(error.__cause__, HandlerError)

    def test_what_the_handler_raised_is_the_cause_in_a_stream(self, stub: LabStub):
        call = stub.Both(texts("one", "raise"))
        assert next(call) == text("one")
        error = raised(call.__next__)
        assert (error.code(), type(error.__cause__)) == (Code.UNKNOWN, HandlerError)
        assert raised(call.__next__).code() is Code.UNKNOWN

    def test_each_call_has_its_own_cause(self, stub: LabStub):
        raised(stub.Unary, text("raise"))
        assert raised(stub.Unary, text("abort")).__cause__ is None

    def test_unknown_method(self, client: Client):
        method = client.unary_unary("/test.v1.Lab/Missing", StringValue.SerializeToString, StringValue.FromString)
        assert raised(method, text("hello")).code() is Code.UNIMPLEMENTED

    def test_request_that_is_no_message(self, stub: LabStub, lab: Lab):
        error = raised(stub.Unary, 5)
        assert (error.code(), error.details()) == (Code.INTERNAL, "Exception serializing request!")
        assert isinstance(error.__cause__, TypeError)
        assert raised(stub.Requests, iter(["no message"])).details() == "Exception serializing request!"
        assert lab.seen == []

    def test_requests_that_fail(self, stub: LabStub):
        def requests() -> Iterator[StringValue]:
            yield text("one")
            raise HandlerError("in the test")

        error = raised(stub.Requests, requests())
        assert (error.code(), error.details()) == (Code.UNKNOWN, "Exception iterating requests!")
        assert isinstance(error.__cause__, HandlerError)
        call = stub.Both(requests())
        assert next(call) == text("one")
        assert raised(call.__next__).details() == "Exception iterating requests!"

    def test_response_that_cannot_be_read(self, client: Client):
        def broken(_: bytes) -> Any:
            raise HandlerError("in the test")

        unary = client.unary_unary(f"/{SERVICE}/Unary", StringValue.SerializeToString, broken)
        assert raised(unary, text("hello")).details() == "Exception deserializing response!"

    @pytest.mark.django_db
    def test_stream_that_cannot_be_read_ends_its_handler(self, client: Client, lab: Lab):
        def broken(_: bytes) -> Any:
            raise HandlerError("in the test")

        call = client.unary_stream(f"/{SERVICE}/Responses", StringValue.SerializeToString, broken)(text("1000"))
        assert raised(call.__next__).code() is Code.INTERNAL
        assert "through" not in lab.seen


class TestTimeout:
    def test_the_handler_sees_it(self, stub: LabStub):
        assert 1 < float(stub.Unary(text("time"), timeout=60).value) <= 60
        assert stub.Unary(text("time")).value in ("inf", "None")

    @pytest.mark.parametrize("timeout", [0, -1, 1e-9])
    def test_no_handler_runs_that_is_too_late(self, stub: LabStub, lab: Lab, timeout: float):
        assert raised(stub.Unary, text("hello"), timeout=timeout).code() is Code.DEADLINE_EXCEEDED
        assert raised(stub.Both(texts("hello"), timeout=timeout).__next__).code() is Code.DEADLINE_EXCEEDED
        assert lab.seen == []

    @pytest.mark.django_db
    def test_stream_that_takes_too_long(self, stub: LabStub):
        call = stub.Responses(text("1000000000"), timeout=0.05)
        assert raised(list, call).code() is Code.DEADLINE_EXCEEDED
        assert call.time_remaining() == 0

    def test_def_handler_that_takes_too_long(self):
        """It is left behind in its thread, and told there."""
        told = threading.Event()

        class Slow(Lab):
            def act(self, request: StringValue, context: Any) -> StringValue:
                while context.is_active():
                    time.sleep(0.001)
                told.set()
                return request

        stub = LabStub(Client(register=Slow().register))
        assert raised(stub.Unary, text("hello"), timeout=0.02).code() is Code.DEADLINE_EXCEEDED
        assert told.wait(10)


@pytest.mark.django_db
class TestLaziness:
    def test_responses_are_made_when_they_are_asked_for(self, stub: LabStub, lab: Lab):
        call = stub.Responses(text("3"))
        assert lab.seen == []
        assert next(call) == text("0")
        assert "made 2" not in lab.seen
        assert list(call) == list(texts("1", "2"))
        assert lab.seen == ["made 0", "made 1", "made 2", "through"]

    def test_requests_are_asked_for_when_the_handler_reads(self, stub: LabStub):
        """So a request can be made from the response before it."""
        received = [""]

        def requests() -> Iterator[StringValue]:
            for _ in range(3):
                yield text(received[-1] + "!")

        received.extend(response.value for response in stub.Both(requests()))
        assert received == ["", "!", "!!", "!!!"]

    def test_cancel_ends_the_handler(self, stub: LabStub, lab: Lab):
        call = stub.Responses(text("1000"))
        told: list[str] = []
        call.add_callback(lambda: told.append("over"))
        assert next(call) == text("0")
        assert call.cancel()
        assert (call.code(), call.details()) == (Code.CANCELLED, "Locally cancelled by application!")
        assert raised(call.__next__).code() is Code.CANCELLED
        assert told == ["over"]
        assert "through" not in lab.seen
        assert not call.cancel()

    def test_a_call_that_is_dropped_ends_its_handler(self, stub: LabStub, lab: Lab):
        call = stub.Responses(text("1000"))
        next(call)
        reference = weakref.ref(call)
        del call
        gc.collect()
        assert reference() is None
        assert "through" not in lab.seen
        assert open_calls() == (0, 0)


class TestChannel:
    def test_closed(self, client: Client):
        with client as channel:
            stub = LabStub(channel)
            stub.Unary(text("hello"))
        with pytest.raises(ValueError, match="closed"):
            stub.Unary(text("hello"))

    def test_is_ready(self, client: Client):
        grpc.channel_ready_future(client).result(timeout=0)

    def test_client_interceptors(self, client: Client):
        """grpcio's own wrapper asks everything of a channel and its calls that an application can."""

        class Interceptor(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
            def __init__(self) -> None:
                self.codes: list[grpc.StatusCode] = []

            def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
                call = continuation(details, request)
                self.codes.append(call.code())
                return call

            intercept_unary_stream = intercept_unary_unary

        interceptor = Interceptor()
        stub = LabStub(grpc.intercept_channel(client, interceptor))
        assert stub.Unary(text("hello")) == text("hello")
        assert stub.Unary.future(text("hello")).result() == text("hello")
        assert raised(stub.Unary, text("abort")).code() is Code.NOT_FOUND
        assert interceptor.codes == [Code.OK, Code.OK, Code.NOT_FOUND]


class TestSettings:
    def test_overridden_settings_hold(self, stub: LabStub):
        for limit, code in ((100, Code.RESOURCE_EXHAUSTED), (2000, None)):
            with override_settings(GRPC_BRIDGE={"MAX_RECEIVE_MESSAGE_BYTES": limit}):
                if code is None:
                    assert stub.Unary(text("x" * 1000)) == text("x" * 1000)
                else:
                    assert raised(stub.Unary, text("x" * 1000)).code() is code
        assert stub.Unary(text("x" * 3000)) == text("x" * 3000)

    def test_servicers_outlive_a_setting(self, client: Client, lab: Lab):
        stub = LabStub(client)
        stub.Unary(text("one"))
        with override_settings(DEBUG=True):
            stub.Unary(text("two"))
        assert lab.seen == ["one", "two"]

    def test_installed_apps_may_change(self):
        client = Client()
        stub = echo_pb2_grpc.EchoServiceStub(client)
        stub.Echo(echo_pb2.EchoRequest())
        with override_settings(INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "services.users"]):
            assert raised(stub.Echo, echo_pb2.EchoRequest()).code() is Code.UNIMPLEMENTED
        stub.Echo(echo_pb2.EchoRequest())

    def test_default_headers(self, lab: Lab):
        stub = LabStub(Client(register=lab.register, headers={"authorization": "Bearer x"}, HTTP_X_OTHER="y"))
        assert stub.Unary(text("metadata authorization")) == text("['Bearer x']")
        assert stub.Unary(text("metadata x-other")) == text("['y']")
        override = (("authorization", "Bearer z"),)
        assert stub.Unary(text("metadata authorization"), metadata=override) == text("['Bearer z']")
