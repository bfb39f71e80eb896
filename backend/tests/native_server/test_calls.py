"""What a call gets here that the contract suite does not look at: limits, interceptors, reflection, the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from generated.echo.v1 import echo_pb2, echo_pb2_grpc
from tests.contract.control import new_key
from tests.contract.methods import FLAVOURS, path
from tests.databases import Database
from tests.native_server.client import PATIENCE_SECONDS, TOKEN, call, open_channel, stream
from tests.native_server.process import Rungrpc, running_rungrpc, wait_for

Code = grpc.StatusCode


def refused(make: Callable[[], Any]) -> tuple[grpc.StatusCode, str]:
    """Makes a call that fails, and gives its status."""
    with pytest.raises(grpc.RpcError) as caught:
        make()
    return caught.value.code(), caught.value.details()


def test_interceptors_are_passed(guarded: grpc.Channel) -> None:
    assert call(guarded, "Pid", metadata=TOKEN)
    assert refused(lambda: call(guarded, "Pid")) == (Code.UNAUTHENTICATED, "no token")
    assert refused(lambda: stream(guarded, "WaitForFile")) == (Code.UNAUTHENTICATED, "no token")


def test_interceptors_see_calls_of_unknown_methods(guarded: grpc.Channel) -> None:
    assert refused(lambda: call(guarded, "NoSuchMethod")) == (Code.UNAUTHENTICATED, "no token")
    assert refused(lambda: call(guarded, "NoSuchMethod", metadata=TOKEN)) == (Code.UNIMPLEMENTED, "Method not found!")


def test_a_stream_too_many_is_refused(guarded: grpc.Channel, tmp_path: Path) -> None:
    running = stream(guarded, "WaitForFile", str(tmp_path / "go"), metadata=TOKEN)
    try:
        code, details = refused(lambda: stream(guarded, "WaitForFile", str(tmp_path / "go"), metadata=TOKEN))
        assert (code, details) == (Code.RESOURCE_EXHAUSTED, "Concurrent stream limit exceeded!")
    finally:
        (tmp_path / "go").touch()
    assert [message.value for message in running] == ["done"]


@pytest.mark.parametrize(
    ("metadata", "details"),
    [
        (tuple((f"key{number}", "") for number in range(10)), "Received more metadata entries than max (12 vs. 10)"),
        ((("key", "x" * 1000),), "Received metadata larger than max"),
    ],
    ids=["entries", "bytes"],
)
def test_too_much_metadata_is_refused(guarded: grpc.Channel, metadata: Any, details: str) -> None:
    code, actual = refused(lambda: call(guarded, "Pid", metadata=(*TOKEN, *metadata)))
    assert code is Code.RESOURCE_EXHAUSTED
    assert actual.startswith(details)


def test_far_too_much_metadata_is_refused_by_grpcio(guarded: grpc.Channel) -> None:
    code, _ = refused(lambda: call(guarded, "Pid", metadata=(*TOKEN, ("key", "x" * 10_000))))
    assert code is Code.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("how", ["deadline", "cancelled"])
def test_a_handler_that_outlives_its_call_may_ask_its_context(
    guarded_server: Rungrpc, guarded: grpc.Channel, tmp_path: Path, how: str
) -> None:
    """grpcio has destroyed the call by then, and would crash if it were asked."""
    file = tmp_path / "asked"
    multicallable = guarded.unary_unary("/native.Lab/Outlive", StringValue.SerializeToString)
    running = multicallable.future(
        StringValue(value=str(file)), timeout=1.0 if how == "deadline" else 60, metadata=(*TOKEN, ("key", "value"))
    )
    if how == "cancelled":
        with pytest.raises(grpc.FutureTimeoutError):
            running.result(timeout=1.0)
        running.cancel()
    else:
        assert running.exception().code() is Code.DEADLINE_EXCEEDED
    wait_for(guarded_server, file.exists)
    assert file.read_text() == "[False, 'ipv4', True, {}, 'RpcError']"
    assert call(guarded, "Pid", metadata=TOKEN) == str(guarded_server.process.pid)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_caller_is_the_user_of_the_session(guarded: grpc.Channel, flavour: str) -> None:
    def contract(method: str, request: Message, metadata: Any = ()) -> str:
        multicallable = guarded.unary_unary(
            path(flavour, method), type(request).SerializeToString, StringValue.FromString
        )
        return multicallable(request, timeout=PATIENCE_SECONDS, metadata=(*TOKEN, *metadata)).value  # type: ignore[no-any-return]

    email = f"{new_key()}@example.com"
    cookie = contract("LogIn", StringValue(value=email))
    assert contract("WhoCalls", Empty(), (("cookie", cookie),)) == email


def test_sizes_of_messages_may_be_set(tmp_path: Path, migrated: Database) -> None:
    sizes = ("--max-receive-bytes", "100", "--max-send-bytes", "50")
    with (
        running_rungrpc(tmp_path, *sizes, database=migrated) as server,
        open_channel(server.address) as channel,
    ):
        echo = echo_pb2_grpc.EchoServiceStub(channel).Echo

        def make(size: int) -> Any:
            return echo(echo_pb2.EchoRequest(message="x" * size), timeout=PATIENCE_SECONDS)

        assert make(40).message == "x" * 40
        assert refused(lambda: make(90)) == (
            Code.RESOURCE_EXHAUSTED, "SERVER: Sent message larger than max (94 vs. 50)"
        )  # fmt: skip
        assert refused(lambda: make(200)) == (
            Code.RESOURCE_EXHAUSTED, "SERVER: Received message larger than max (203 vs. 100)"
        )  # fmt: skip


def reflected(channel: grpc.Channel, request: reflection_pb2.ServerReflectionRequest, **options: Any) -> Any:
    """Asks one question."""
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=PATIENCE_SECONDS, **options)
    return answer


def test_reflection_tells_of_services_and_files(guarded: grpc.Channel) -> None:
    request = reflection_pb2.ServerReflectionRequest
    services = reflected(guarded, request(list_services=""), metadata=TOKEN).list_services_response.service
    assert {"echo.v1.EchoService", "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"} <= {
        service.name for service in services
    }
    files = reflected(guarded, request(file_containing_symbol="echo.v1.EchoService"), metadata=TOKEN)
    descriptor = FileDescriptorProto.FromString(files.file_descriptor_response.file_descriptor_proto[0])
    assert descriptor.name == "echo/v1/echo.proto"


def test_reflection_is_for_whom_interceptors_let_in(guarded: grpc.Channel) -> None:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    assert refused(lambda: reflected(guarded, request)) == (Code.UNAUTHENTICATED, "no token")


def test_each_call_is_logged(guarded_server: Rungrpc, guarded: grpc.Channel) -> None:
    call(guarded, "Pid", metadata=TOKEN)
    (line, *_) = [line for line in guarded_server.log.splitlines() if "/native.Lab/Pid" in line and "status=OK" in line]
    entries = dict(entry.split("=", 1) for entry in line.partition("grpc_bridge.calls: ")[2].split())
    assert entries["peer"].startswith("ipv4:127.0.0.1:")
    assert (entries["request_messages"], entries["response_messages"]) == ("1", "1")
    assert json.loads(entries["response_bytes"]) > 0
