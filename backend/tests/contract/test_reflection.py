"""Reflection by the servicers of grpcio-reflection, as they are."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import Message
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from tests.servers import Server
from tests.standard.client import opened
from tests.standard.rpc import AIO, REFLECTED

METHOD = "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


def asked(server: Server, prefix: str, *requests: Message) -> list[ServerReflectionResponse]:
    """Gives the answers to requests of one call."""
    with opened(server, f"/{prefix}{METHOD}", requests, ServerReflectionResponse) as reply:
        return list(reply)  # type: ignore[arg-type]


@pytest.mark.parametrize("prefix", ["", AIO], ids=["sync", "aio"])
def test_reflection_tells_of_services_and_files(any_server: Server, prefix: str) -> None:
    services, file, missing = asked(
        any_server,
        prefix,
        ServerReflectionRequest(list_services=""),
        ServerReflectionRequest(file_containing_symbol="grpc.health.v1.Health"),
        ServerReflectionRequest(file_by_filename="no/such.proto"),
    )
    assert [service.name for service in services.list_services_response.service] == sorted(REFLECTED)
    descriptor = FileDescriptorProto.FromString(file.file_descriptor_response.file_descriptor_proto[0])
    assert [method.name for method in descriptor.service[0].method][:1] == ["Check"]
    assert missing.error_response.error_code == 5
