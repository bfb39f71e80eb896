"""What a handler's context gives and takes, sync and async."""

from __future__ import annotations

import math
import time
from typing import Any

import grpc
import pytest

from grpc_bridge.call_state import CallContext
from grpc_bridge.codes import GRPC_CODES, GRPCIO_CODES
from grpc_bridge.context import AsyncContext, SyncContext
from grpc_bridge.errors import AbortError
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.tests.calls import PATH, Source, Status, async_context, sync_context


@pytest.fixture(params=[sync_context, async_context], ids=["sync", "async"])
def call_context(request: pytest.FixtureRequest) -> Any:
    """A context of either kind."""
    return request.param()


@pytest.mark.parametrize(
    ("ours", "theirs", "name"),
    [
        (ours, theirs, name)
        for ours, theirs in ((SyncContext, grpc.ServicerContext), (AsyncContext, grpc.aio.ServicerContext))
        for name in dir(theirs)
        if not name.startswith("_")
    ],
)
def test_every_method_of_grpcio_is_there_and_is_ours(ours: type, theirs: type, name: str) -> None:
    assert getattr(ours, name) is not getattr(theirs, name)


def test_a_context_is_a_servicer_context() -> None:
    assert isinstance(sync_context(), grpc.ServicerContext)
    assert isinstance(async_context(), grpc.aio.ServicerContext)


def test_metadata_is_decoded_when_it_is_asked_for() -> None:
    source = Source((("X-Trace", "1"), ("k-bin", "AA")))
    context = sync_context(source=source)
    assert source.decoded == 0
    assert context.invocation_metadata() == (("x-trace", "1"), ("k-bin", b"\0"))
    assert [entry.key for entry in context.invocation_metadata()] == ["x-trace", "k-bin"]
    assert source.decoded == 2


def test_metadata_that_cannot_be_decoded_ends_the_call() -> None:
    context = sync_context(source=Source((("k-bin", "!"),)))
    with pytest.raises(StatusError) as caught:
        context.invocation_metadata()
    context.fail(caught.value)
    assert context.status() == (StatusCode.INTERNAL, "Metadata entry 'k-bin' is not base64")


def test_a_caller_has_an_address_but_no_proven_identity(call_context: CallContext) -> None:
    assert call_context.peer() == "ipv4:127.0.0.1:50000"
    assert call_context.peer_identities() is None
    assert call_context.peer_identity_key() is None
    assert call_context.auth_context() == {}


def test_compression_may_be_asked_for(call_context: CallContext) -> None:
    call_context.set_compression(grpc.Compression.Gzip)
    call_context.disable_next_message_compression()
    assert call_context.plain


def test_the_call_id_is_one_per_call() -> None:
    one, other = sync_context(), sync_context()
    assert one.call_id == one.call_id
    assert len(one.call_id) == 32
    assert one.call_id != other.call_id
    assert one.call_path == PATH


@pytest.mark.parametrize("code", grpc.StatusCode)
def test_a_code_that_was_set_is_the_status(call_context: Any, code: grpc.StatusCode) -> None:
    call_context.set_code(code)
    assert call_context.code() is code
    assert call_context.status() == (GRPC_CODES[code], "")
    assert call_context.has_code == (code is not grpc.StatusCode.OK)
    assert call_context.plain == (code is grpc.StatusCode.OK)


@pytest.mark.parametrize("code", StatusCode)
def test_a_number_is_as_good_as_a_code_for_async_as_in_grpcio(code: StatusCode) -> None:
    asynchronous, sync = async_context(), sync_context()
    asynchronous.set_code(int(code))  # type: ignore[arg-type]
    assert asynchronous.status()[0] is code
    assert asynchronous.code() is GRPCIO_CODES[code]
    sync.set_code(int(code))  # type: ignore[arg-type]
    assert sync.status()[0] is StatusCode.UNKNOWN


def test_none_takes_a_code_back_for_sync_as_in_grpcio() -> None:
    asynchronous, sync = async_context(), sync_context()
    for context, status in ((sync, StatusCode.OK), (asynchronous, StatusCode.UNKNOWN)):
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_code(None)  # type: ignore[arg-type]
        assert context.status()[0] is status
    assert sync.code() is None


@pytest.mark.parametrize("code", [-1, 17, 2**40, "NOT_FOUND", "x", [], {}, object(), 1.5])
def test_what_is_no_code_is_unknown(call_context: Any, code: Any) -> None:
    call_context.set_code(code)
    assert call_context.status() == (StatusCode.UNKNOWN, "")
    assert call_context.code() is grpc.StatusCode.UNKNOWN


def test_nothing_set_is_ok(call_context: Any) -> None:
    assert call_context.code() is None
    assert call_context.status() == (StatusCode.OK, "")
    assert (call_context.has_code, call_context.plain, call_context.aborted, call_context.ended_early) == (
        False,
        True,
        False,
        False,
    )


def test_details_are_bytes_in_sync_and_text_in_async_as_in_grpcio() -> None:
    sync, asynchronous = sync_context(), async_context()
    assert (sync.details(), asynchronous.details()) == (None, "")
    for context in (sync, asynchronous):
        context.set_details("caf\u00e9")
        assert context.status() == (StatusCode.OK, "caf\u00e9")
        assert not context.plain
    assert (sync.details(), asynchronous.details()) == ("caf\u00e9".encode(), "caf\u00e9")


def test_trailing_metadata_is_given_back_and_written() -> None:
    sync, asynchronous = sync_context(), async_context()
    assert (sync.trailing_metadata(), asynchronous.trailing_metadata()) == (None, ())
    given = (("k", "v"), ("k-bin", b"\0"))
    for context in (sync, asynchronous):
        context.set_trailing_metadata(given)
        assert context.trailing_metadata() == given
        assert context.trailing_pairs == (("k", "v"), ("k-bin", "AA"))
        assert not context.plain
        context.set_trailing_metadata(())
        assert context.trailing_pairs == ()


def test_metadata_may_be_grpcios_own_collection(call_context: Any) -> None:
    call_context.set_trailing_metadata(grpc.aio.Metadata(("a", "1"), ("a", "2"), ("b-bin", b"\0")))
    assert call_context.trailing_pairs == (("a", "1"), ("a", "2"), ("b-bin", "AA"))


def test_trailing_metadata_that_may_not_travel_is_refused_where_it_is_set(call_context: Any) -> None:
    call_context.set_trailing_metadata((("k", "v"),))
    with pytest.raises(ValueError, match="printable ASCII"):
        call_context.set_trailing_metadata((("k", "v\r\ngrpc-status: 0"),))
    assert call_context.trailing_pairs == call_context.trailing_metadata() == (("k", "v"),)


async def test_initial_metadata_is_sent_once() -> None:
    sync, asynchronous = sync_context(), async_context()
    sync.send_initial_metadata((("k-bin", b"\0"),))
    await asynchronous.send_initial_metadata((("k-bin", b"\0"),))
    with pytest.raises(ValueError, match="no longer allowed"):
        sync.send_initial_metadata(())
    with pytest.raises(grpc.aio.UsageError, match="already sent"):
        await asynchronous.send_initial_metadata(())
    for context in (sync, asynchronous):
        assert context.initial_pairs == (("k-bin", "AA"),)
        assert not context.plain


@pytest.mark.parametrize(
    "send",
    [lambda context: context.initial_pairs, lambda context: context.first_message_given()],
    ids=["headers", "message"],
)
async def test_initial_metadata_is_too_late_after_headers_or_message(send: Any) -> None:
    sync, asynchronous = sync_context(), async_context()
    send(sync)
    send(asynchronous)
    with pytest.raises(ValueError, match="no longer allowed"):
        sync.send_initial_metadata((("k", "v"),))
    with pytest.raises(grpc.aio.UsageError, match="already sent"):
        await asynchronous.send_initial_metadata((("k", "v"),))


async def test_initial_metadata_that_may_not_travel_can_be_mended() -> None:
    sync, asynchronous = sync_context(), async_context()
    with pytest.raises(ValueError, match="reserved"):
        sync.send_initial_metadata((("content-type", "text/html"),))
    with pytest.raises(ValueError, match="reserved"):
        await asynchronous.send_initial_metadata((("content-length", "0"),))
    sync.send_initial_metadata((("k", "v"),))
    await asynchronous.send_initial_metadata((("k", "v"),))
    assert sync.initial_pairs == asynchronous.initial_pairs == (("k", "v"),)


def test_time_remaining_counts_down_to_zero() -> None:
    assert sync_context().time_remaining() == math.inf
    assert async_context().time_remaining() is None
    for make in (sync_context, async_context):
        late = make(deadline=time.monotonic() - 5)
        assert late.time_remaining() == 0.0
        early = make(deadline=time.monotonic() + 100)
        first = early.time_remaining()
        assert 90 < early.time_remaining() <= first <= 100  # type: ignore[operator]


def test_abort_ends_a_sync_handler() -> None:
    context = sync_context()
    with pytest.raises(AbortError):
        context.abort(grpc.StatusCode.ABORTED, "why")
    assert context.aborted
    assert context.status() == (StatusCode.ABORTED, "why")


async def test_abort_ends_an_async_handler() -> None:
    context = async_context()
    with pytest.raises(grpc.aio.AbortError, match="why"):
        await context.abort(grpc.StatusCode.ABORTED, "why", (("k", "v"),))
    assert context.aborted
    assert context.status() == (StatusCode.ABORTED, "why")
    assert context.trailing_pairs == (("k", "v"),)


async def test_abort_needs_no_details_in_async() -> None:
    context = async_context()
    with pytest.raises(grpc.aio.AbortError):
        await context.abort(grpc.StatusCode.ABORTED)
    assert context.status() == (StatusCode.ABORTED, "")


async def test_abort_with_status_takes_code_details_and_metadata() -> None:
    status = Status(grpc.StatusCode.DATA_LOSS, "lost", (("grpc-status-details-bin", b"\x08\x0f"),))
    sync, asynchronous = sync_context(), async_context()
    with pytest.raises(AbortError):
        sync.abort_with_status(status)
    with pytest.raises(grpc.aio.AbortError, match="lost"):
        await asynchronous.abort_with_status(status)
    for context in (sync, asynchronous):
        assert context.aborted
        assert context.status() == (StatusCode.DATA_LOSS, "lost")
        assert context.trailing_pairs == (("grpc-status-details-bin", "CA8"),)


@pytest.mark.parametrize("metadata", [None, ()])
async def test_a_status_without_metadata_replaces_what_was_set_in_sync_only_as_in_grpcio(metadata: Any) -> None:
    status = Status(grpc.StatusCode.ABORTED, "", metadata)
    sync, asynchronous = sync_context(), async_context()
    for context in (sync, asynchronous):
        context.set_trailing_metadata((("k", "v"),))
    with pytest.raises(AbortError):
        sync.abort_with_status(status)
    with pytest.raises(grpc.aio.AbortError):
        await asynchronous.abort_with_status(status)
    assert sync.trailing_pairs == ()
    assert asynchronous.trailing_pairs == (("k", "v"),)


async def test_an_abort_is_the_last_word_in_async_only_as_in_grpcio() -> None:
    sync, asynchronous = sync_context(), async_context()
    with pytest.raises(AbortError):
        sync.abort(grpc.StatusCode.ABORTED, "first")
    with pytest.raises(AbortError):
        sync.abort(grpc.StatusCode.NOT_FOUND, "last")
    with pytest.raises(grpc.aio.AbortError):
        await asynchronous.abort(grpc.StatusCode.ABORTED, "first", (("k", "v"),))
    with pytest.raises(grpc.aio.UsageError, match="already"):
        await asynchronous.abort(grpc.StatusCode.NOT_FOUND, "last")
    for context in (sync, asynchronous):
        context.set_code(grpc.StatusCode.DATA_LOSS)
        context.set_details("later")
        context.set_trailing_metadata(())
    assert sync.status() == (StatusCode.DATA_LOSS, "later")
    assert asynchronous.status() == (StatusCode.ABORTED, "first")
    assert asynchronous.trailing_pairs == (("k", "v"),)


async def test_initial_metadata_goes_out_at_once_where_somebody_takes_it() -> None:
    sync, asynchronous, told = sync_context(), async_context(), []
    for context in (sync, asynchronous):
        context.on_initial_metadata = lambda context=context: told.append(context.initial_pairs)
    with pytest.raises(ValueError, match="reserved"):
        sync.send_initial_metadata((("te", "v"),))
    sync.send_initial_metadata(None)  # type: ignore[arg-type]
    await asynchronous.send_initial_metadata((("k", "v"),))
    with pytest.raises(ValueError, match="no longer"):
        sync.send_initial_metadata(())
    assert told == [(), (("k", "v"),)]


def test_initial_metadata_after_the_end_of_the_call_is_an_rpc_error_in_sync() -> None:
    context = sync_context()
    context.disconnect()
    with pytest.raises(grpc.RpcError):
        context.send_initial_metadata((("k", "v"),))


def test_compression_that_comes_too_late_is_ignored_in_sync_and_refused_in_async_as_in_grpcio() -> None:
    sync, asynchronous = sync_context(accept_encoding="gzip"), async_context(accept_encoding="gzip")
    for context in (sync, asynchronous):
        context.first_message_given()
    sync.set_compression(grpc.Compression.Gzip)
    assert sync.response_encoding is None
    with pytest.raises(RuntimeError, match="before sending initial metadata"):
        asynchronous.set_compression(grpc.Compression.Gzip)


def test_a_message_beside_an_error_is_sent_for_sync_handlers_only_as_in_grpcio() -> None:
    sync, asynchronous = sync_context(), async_context()
    assert not sync.drops_message
    assert not asynchronous.drops_message
    for context in (sync, asynchronous):
        context.set_code(grpc.StatusCode.NOT_FOUND)
    assert not sync.drops_message
    assert asynchronous.drops_message


async def test_abort_with_ok_is_a_failure_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    sync, asynchronous = sync_context(), async_context()
    with pytest.raises(AbortError):
        sync.abort(grpc.StatusCode.OK, "fine")
    with pytest.raises(grpc.aio.AbortError):
        await asynchronous.abort(grpc.StatusCode.OK, "fine")
    assert sync.status() == asynchronous.status() == (StatusCode.UNKNOWN, "")
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert all("abort() called with StatusCode.OK" in record.message for record in caplog.records)


async def test_read_and_write_are_for_streams() -> None:
    context = async_context()
    with pytest.raises(grpc.aio.UsageError, match="read"):
        await context.read()
    with pytest.raises(grpc.aio.UsageError, match="write"):
        await context.write(b"")


async def test_read_and_write_use_what_the_dispatch_gave() -> None:
    context, written = async_context(), []

    async def reader() -> str:
        return "request"

    async def writer(message: str) -> None:
        written.append(message)

    context.reader, context.writer = reader, writer
    assert await context.read() == "request"
    await context.write("response")
    assert written == ["response"]
