"""What a caller is not told, and what the log is told instead."""

from __future__ import annotations

import re

import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue

from tests.contract.control import eventually
from tests.contract.grpc_web import GrpcWebTransport
from tests.contract.servicers.status import EXCEPTIONS, SECRET


def raw_answer(transport: GrpcWebTransport, flavour: str, method: str, request: Message) -> bytes:
    """Gives all bytes that the caller gets, head and body, as binary."""
    with transport.open(flavour, method) as call:
        call.send_whole([request])
        response = call.connection.response()
        return str(response.headers).encode() + response.read()


@pytest.mark.parametrize("method", ["Raise", "RaiseInStream"])
@pytest.mark.parametrize("name", EXCEPTIONS)
def test_the_text_of_an_exception_stays_on_the_server(
    binary_transport: GrpcWebTransport, flavour: str, method: str, name: str
) -> None:
    start = binary_transport.server.log_size()
    answer = raw_answer(binary_transport, flavour, method, StringValue(value=name))
    assert b"grpc-status: " in answer
    assert b"swordfish" not in answer
    assert eventually(lambda: SECRET in binary_transport.server.log(start))


@pytest.mark.parametrize("method", ["Raise", "RaiseInStream"])
def test_the_call_id_leads_to_the_traceback(binary_transport: GrpcWebTransport, flavour: str, method: str) -> None:
    start = binary_transport.server.log_size()
    answer = raw_answer(binary_transport, flavour, method, StringValue(value="ValueError"))
    found = re.search(rb"grpc-message: Exception calling application \(call ([0-9a-f]{32})\)\r\n", answer)
    assert found is not None, answer
    call_id = found[1].decode()

    def logged() -> str:
        return binary_transport.server.log(start)

    assert eventually(lambda: f"ValueError: {SECRET}" in logged()), logged()
    entry = logged()[logged().index(call_id) :]
    assert re.search(rf"ERROR grpc_bridge: /contract\.{flavour}/{method} failed \(call {call_id}\)", logged())
    assert entry.index("Traceback (most recent call last):") < entry.index("raise EXCEPTIONS[request.value]")


@pytest.mark.parametrize("method", ["AbortWithStatus", "SetCode", "SetCodeAndRaise", "Unimplemented"])
def test_a_status_that_the_handler_chose_is_no_error_in_the_log(
    binary_transport: GrpcWebTransport, flavour: str, method: str
) -> None:
    start = binary_transport.server.log_size()
    raw_answer(binary_transport, flavour, method, Empty())
    assert "ERROR" not in binary_transport.server.log(start)


@pytest.mark.parametrize("method", ["ReturnNone", "ReturnText", "YieldNone"])
def test_what_is_no_message_is_an_error_in_the_log(
    binary_transport: GrpcWebTransport, flavour: str, method: str
) -> None:
    """The caller can do nothing about it, so somebody else has to hear of it."""
    start = binary_transport.server.log_size()
    raw_answer(binary_transport, flavour, method, Empty())
    assert f"/contract.{flavour}/{method} gave a response that cannot be serialized" in binary_transport.server.log(
        start
    )


def test_a_failing_callback_is_logged(binary_transport: GrpcWebTransport, flavour: str, key: str) -> None:
    start = binary_transport.server.log_size()
    raw_answer(binary_transport, flavour, "Callbacks", StringValue(value=key))
    assert eventually(lambda: "ValueError: a callback that fails" in binary_transport.server.log(start))
