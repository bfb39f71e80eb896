"""Errors: code, message and, beside them, messages of `google.rpc` that a program can act on."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from examples.client import SECONDS, arguments, connected
from generated.echo.v1 import echo_pb2

DETAILS: tuple[type[Message], ...] = (
    error_details_pb2.ErrorInfo,  # why, for a program
    error_details_pb2.BadRequest,  # which fields of the request are wrong
    error_details_pb2.PreconditionFailure,  # what would have to change first
    error_details_pb2.RetryInfo,  # when to try again
)


def details_of(error: grpc.RpcError) -> Iterator[Message]:
    """Gives the details of an error that are known here."""
    status = rpc_status.from_call(error)
    for detail in () if status is None else status.details:
        for kind in DETAILS:
            if detail.Is(kind.DESCRIPTOR):
                message = kind()
                detail.Unpack(message)
                yield message


if __name__ == "__main__":
    given = arguments(__doc__)
    with connected(given.address) as client:
        try:
            code: int = grpc.StatusCode.FAILED_PRECONDITION.value[0]
            client.echo.EchoAbort(echo_pb2.EchoAbortRequest(message="not now", code=code), timeout=SECONDS)
        except grpc.RpcError as error:
            print(f"{error.code().name}: {error.details()}")
            for detail in details_of(error):
                if isinstance(detail, error_details_pb2.ErrorInfo):
                    print(f"{detail.reason} in {detail.domain}: {dict(detail.metadata)}")
