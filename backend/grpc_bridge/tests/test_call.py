"""A call from its headers to the bytes of its answer."""

from __future__ import annotations

import time
from typing import Any

import grpc
import pytest

from grpc_bridge.call import Call
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.context import AsyncContext, SyncContext
from grpc_bridge.protocol.compression import DEFLATE, GZIP, Encoding
from grpc_bridge.protocol.frames import encode_frame, messages_then
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.protocol.trailers import encode_trailers
from grpc_bridge.protocol.wire import BINARY, NATIVE, TEXT
from grpc_bridge.tests.calls import PATH, admitted

OK = encode_trailers(StatusCode.OK)


def unary(request: Any, context: Any) -> Any:
    return request


async def async_unary(request: Any, context: Any) -> Any:
    return request


@pytest.fixture
def call() -> Call:
    """A unary call without headers."""
    return admitted(grpc.unary_unary_rpc_method_handler(unary))


def test_the_context_is_of_the_handlers_kind() -> None:
    assert isinstance(admitted(grpc.unary_unary_rpc_method_handler(unary)).context, SyncContext)
    assert isinstance(admitted(grpc.unary_unary_rpc_method_handler(async_unary)).context, AsyncContext)


def test_a_timeout_becomes_a_deadline() -> None:
    before = time.monotonic()
    call = admitted(grpc.unary_unary_rpc_method_handler(unary), timeout="5S")
    assert call.context.deadline is not None
    assert before + 5 <= call.context.deadline <= time.monotonic() + 5


def test_without_a_timeout_there_is_no_deadline(call: Call) -> None:
    assert call.context.deadline is None
    assert call.context.call_path == PATH


@pytest.mark.parametrize("messages", [[], [b"a", b"b"], [b"", b"", b""]])
def test_any_number_of_messages_but_one_is_refused(call: Call, messages: list[bytes]) -> None:
    with pytest.raises(StatusError) as caught:
        call.one_message(messages)
    assert caught.value.code is StatusCode.UNIMPLEMENTED
    assert caught.value.message == f'"{PATH}" requires exactly one request message.'


BAD = StatusError(StatusCode.INTERNAL, "a bad frame")


@pytest.mark.parametrize(
    ("messages", "code"), [([], "INTERNAL"), ([b"a"], "INTERNAL"), ([b"a", b"b"], "UNIMPLEMENTED")]
)
def test_what_comes_first_is_what_a_caller_is_told(call: Call, messages: list[bytes], code: str) -> None:
    with pytest.raises(StatusError, match=code):
        call.one_message(messages_then(messages, BAD))


def test_one_message_is_taken_also_when_empty(call: Call) -> None:
    assert call.one_message([b""]) == b""


def test_the_receive_limit_is_that_of_the_settings() -> None:
    call = admitted(grpc.unary_unary_rpc_method_handler(unary), settings=BridgeSettings(max_receive_message_bytes=3))
    assert call.read_body(encode_frame(b"abc")) == call.reader().receive_data(encode_frame(b"abc")) == [b"abc"]
    for read in (call.read_body, call.reader().receive_data):
        with pytest.raises(StatusError, match="RESOURCE_EXHAUSTED"):
            list(read(encode_frame(b"abcd")))


def test_request_and_answer_may_be_on_different_wires() -> None:
    call = admitted(grpc.unary_unary_rpc_method_handler(unary), accept="application/grpc-web-text")
    assert (call.plan.request_wire, call.wire) == (BINARY, TEXT)
    assert call.headers() == [("content-type", "application/grpc-web-text+proto")]
    assert call.unary_answer(b"a").body == TEXT.unary_ok(b"a")


def test_a_unary_answer_has_its_headers_only(call: Call) -> None:
    call.context.send_initial_metadata((("k", "v"),))  # type: ignore[attr-defined]
    assert call.headers() == [("content-type", "application/grpc-web+proto"), ("k", "v")]


def test_nobody_may_collect_a_stream() -> None:
    headers = dict(admitted(grpc.unary_stream_rpc_method_handler(unary)).headers())
    assert headers["x-accel-buffering"] == "no"
    assert headers["cache-control"] == "no-cache, no-transform"


def test_a_message_and_nothing_else(call: Call) -> None:
    assert call.unary_answer(b"a").body == encode_frame(b"a") + OK
    assert call.unary_answer(None).body == OK


def test_a_message_and_a_status(call: Call) -> None:
    call.context.set_code(grpc.StatusCode.NOT_FOUND)
    call.context.set_details("why")
    call.context.set_trailing_metadata((("k", "v"),))
    trailers = encode_trailers(StatusCode.NOT_FOUND, "why", (("k", "v"),))
    assert call.unary_answer(b"a").body == encode_frame(b"a") + trailers
    assert call.unary_answer(None).body == trailers


def test_initial_metadata_does_not_change_the_body(call: Call) -> None:
    call.context.send_initial_metadata((("k", "v"),))  # type: ignore[attr-defined]
    assert call.unary_answer(b"a").body == encode_frame(b"a") + OK


def test_a_message_that_came_after_the_end_is_not_sent(call: Call) -> None:
    call.context.expire()
    assert call.unary_answer(b"late").body == encode_trailers(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")


def test_native_grpc_has_its_status_behind_the_body() -> None:
    call = admitted(grpc.unary_unary_rpc_method_handler(unary), request_wire=NATIVE)
    call.context.set_trailing_metadata((("k", "v"),))
    answer = call.unary_answer(b"a")
    assert answer.body == encode_frame(b"a")
    assert answer.trailers == [("grpc-status", "0"), ("k", "v")]
    assert answer.headers == [
        ("content-type", "application/grpc"), ("grpc-accept-encoding", "identity,gzip,deflate")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("compression", "encoding"), [(grpc.Compression.Gzip, GZIP), (grpc.Compression.Deflate, DEFLATE)]
)
def test_a_message_is_compressed_where_its_reader_can_read_it(
    compression: grpc.Compression, encoding: Encoding
) -> None:
    call = admitted(grpc.unary_unary_rpc_method_handler(unary), accept_encoding=f"identity, {encoding.name.upper()}")
    call.context.set_compression(compression)
    answer = call.unary_answer(b"a" * 100)
    assert ("grpc-encoding", encoding.name) in answer.headers
    assert answer.body == encode_frame(encoding.compress(b"a" * 100), 1) + OK
    assert len(answer.body) < 100


@pytest.mark.parametrize("accept_encoding", [None, "", "identity", "gzipped", "x-gzip, deflate"])
def test_no_message_is_compressed_otherwise(accept_encoding: str | None) -> None:
    call = admitted(grpc.unary_unary_rpc_method_handler(unary), accept_encoding=accept_encoding)
    call.context.set_compression(grpc.Compression.Gzip)
    answer = call.unary_answer(b"a" * 100)
    assert "grpc-encoding" not in dict(answer.headers)
    assert answer.body == encode_frame(b"a" * 100) + OK


def test_one_message_of_a_compressed_stream_may_stay_as_it_is() -> None:
    call = admitted(grpc.unary_stream_rpc_method_handler(unary), accept_encoding="gzip")
    call.context.set_compression(grpc.Compression.Gzip)
    call.context.disable_next_message_compression()
    assert call.message(b"a") == encode_frame(b"a")
    assert call.message(b"a") == encode_frame(GZIP.compress(b"a"), 1)


def test_a_compressed_request_is_read() -> None:
    call = admitted(grpc.unary_unary_rpc_method_handler(unary), encoding="gzip")
    body = encode_frame(GZIP.compress(b"a"), 1)
    assert call.read_body(body) == call.reader().receive_data(body) == [b"a"]


@pytest.mark.parametrize("details", [b"caf\xc3\xa9", 5, object(), ["a"]], ids=lambda details: type(details).__name__)
@pytest.mark.parametrize("behavior", [unary, async_unary], ids=["sync", "async"])
def test_details_are_refused_where_they_are_set_or_can_be_written(behavior: Any, details: Any) -> None:
    """grpcio takes text everywhere and bytes in sync, and raises for anything else."""
    call = admitted(grpc.unary_unary_rpc_method_handler(behavior))
    try:
        call.context.set_details(details)
    except (AttributeError, TypeError):
        assert not (isinstance(call.context, SyncContext) and isinstance(details, bytes))
    else:
        assert call.trailers() == encode_trailers(StatusCode.OK, "caf\u00e9")
