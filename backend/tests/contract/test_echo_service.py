"""The project's own service behind the bridge: generated code, eight methods, `def` and `async def` side by side."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from generated.echo.v1 import echo_pb2 as pb
from tests.contract.case import Answer, Metadata, check
from tests.contract.grpc_web import GrpcWebTransport
from tests.contract.http_client import Connection


def trailing_metadata(code: int, message: str, message_count: int) -> Metadata:
    """Gives what goes along with an abort."""
    details = any_pb2.Any()
    details.Pack(
        error_details_pb2.ErrorInfo(
            reason="ABORT_ASKED_FOR", domain="echo.v1.EchoService", metadata={"message_count": str(message_count)}
        )
    )
    status = status_pb2.Status(code=code, message=message, details=[details])
    return ("grpc-status-details-bin", status.SerializeToString()), ("echo-message-count", str(message_count))


TEXTS = ("one", "", "drei ß")

EXCHANGES: dict[str, tuple[list[Message], type[Message], Answer]] = {
    "Echo": (
        [pb.EchoRequest(message="hello")],
        pb.EchoResponse,
        Answer([pb.EchoResponse(message="hello", message_count=1)]),
    ),
    "EchoAbort": (
        [pb.EchoAbortRequest(message="as you wish", code=9)],
        pb.EchoAbortResponse,
        Answer(
            (),
            grpc.StatusCode.FAILED_PRECONDITION,
            "as you wish",
            trailing_metadata=trailing_metadata(9, "as you wish", 0),
        ),
    ),
    "NoOp": ([pb.NoOpRequest()], pb.NoOpResponse, Answer([pb.NoOpResponse()])),
    "ServerStreamingEcho": (
        [pb.ServerStreamingEchoRequest(message="again", message_count=3)],
        pb.ServerStreamingEchoResponse,
        Answer([pb.ServerStreamingEchoResponse(message="again", sequence=number) for number in (1, 2, 3)]),
    ),
    "ServerStreamingEchoAbort": (
        [pb.ServerStreamingEchoAbortRequest(message="broken", message_count=2, code=15)],
        pb.ServerStreamingEchoAbortResponse,
        Answer(
            [pb.ServerStreamingEchoAbortResponse(message="broken", sequence=number) for number in (1, 2)],
            grpc.StatusCode.DATA_LOSS,
            "broken",
            trailing_metadata=trailing_metadata(15, "broken", 2),
        ),
    ),
    "ClientStreamingEcho": (
        [pb.ClientStreamingEchoRequest(message=text) for text in TEXTS],
        pb.ClientStreamingEchoResponse,
        Answer([pb.ClientStreamingEchoResponse(message_count=3)]),
    ),
    "FullDuplexEcho": (
        [pb.FullDuplexEchoRequest(message=text) for text in TEXTS],
        pb.FullDuplexEchoResponse,
        Answer([pb.FullDuplexEchoResponse(message=text, sequence=n) for n, text in enumerate(TEXTS, start=1)]),
    ),
    "HalfDuplexEcho": (
        [pb.HalfDuplexEchoRequest(message=text) for text in TEXTS],
        pb.HalfDuplexEchoResponse,
        Answer([pb.HalfDuplexEchoResponse(message=text, sequence=n) for n, text in enumerate(TEXTS, start=1)]),
    ),
}


def test_every_method_is_here() -> None:
    assert set(EXCHANGES) == set(pb.DESCRIPTOR.services_by_name["EchoService"].methods_by_name)


@pytest.mark.parametrize("method", EXCHANGES)
def test_method(transport: GrpcWebTransport, method: str) -> None:
    requests, response_type, expected = EXCHANGES[method]
    mode = transport.mode
    with Connection(transport.server) as connection:
        body = mode.request_body(requests)
        response = connection.request("POST", f"/echo.v1.EchoService/{method}", mode.headers(), body)
        check(expected, transport.reply_type(response, response_type, mode).answer())
