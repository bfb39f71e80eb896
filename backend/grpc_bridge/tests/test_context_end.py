"""How a call ends, once, and who is told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from grpc_bridge.call_state import CallContext
from grpc_bridge.context import AsyncContext, SyncContext
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.tests.calls import async_context, sync_context

ENDS: dict[str, tuple[Callable[[CallContext], Any], tuple[StatusCode, str] | None]] = {
    "finish": (CallContext.finish, None),
    "terminate": (lambda context: context.terminate(StatusCode.ABORTED, "why"), (StatusCode.ABORTED, "why")),
    "expire": (CallContext.expire, (StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")),
    "disconnect": (CallContext.disconnect, (StatusCode.CANCELLED, "The caller has disconnected")),
    "reject": (lambda context: context.reject(StatusError(StatusCode.INTERNAL, "bad")), (StatusCode.INTERNAL, "bad")),
}
every_end = pytest.mark.parametrize("name", ENDS)


@pytest.fixture(params=[sync_context, async_context], ids=["sync", "async"])
def call_context(request: pytest.FixtureRequest) -> Any:
    """A context of either kind."""
    return request.param()


def add_callback(context: CallContext, callback: Callable[[], Any]) -> None:
    if isinstance(context, AsyncContext):
        context.add_done_callback(lambda _: callback())
    else:
        assert isinstance(context, SyncContext)
        assert context.add_callback(callback) is True


@every_end
def test_a_call_that_has_ended_is_not_active(call_context: Any, name: str) -> None:
    assert call_context.active
    end, status = ENDS[name]
    end(call_context)
    assert not call_context.active
    if isinstance(call_context, AsyncContext):
        assert call_context.done()
        assert call_context.cancelled() == (status is not None)
    else:
        assert not call_context.is_active()
    assert call_context.ended_early == (status is not None)
    assert call_context.status() == (status or (StatusCode.OK, ""))


@every_end
@pytest.mark.parametrize("later", ENDS)
def test_callbacks_run_once_however_often_a_call_ends(call_context: Any, name: str, later: str) -> None:
    calls: list[str] = []
    add_callback(call_context, lambda: calls.append("first"))
    add_callback(call_context, lambda: calls.append("second"))
    assert calls == []
    ENDS[name][0](call_context)
    ENDS[later][0](call_context)
    assert calls == ["first", "second"]


@every_end
@pytest.mark.parametrize("later", ENDS)
def test_the_first_end_decides_the_status(call_context: CallContext, name: str, later: str) -> None:
    ENDS[name][0](call_context)
    before = call_context.status()
    ENDS[later][0](call_context)
    assert call_context.status() == before


def test_what_the_handler_sets_after_the_end_changes_nothing(call_context: Any) -> None:
    call_context.expire()
    call_context.set_details("late")
    call_context.fail(KeyError("late"))
    assert call_context.status() == (StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
    assert not call_context.plain


def test_a_callback_sees_a_call_that_has_ended() -> None:
    context, seen = sync_context(), []
    context.add_callback(lambda: seen.append(context.is_active()))
    context.finish()
    assert seen == [False]


@every_end
def test_a_callback_that_fails_is_logged_and_harms_no_other(
    call_context: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    def fail() -> None:
        raise KeyError("of the callback")

    add_callback(call_context, fail)
    add_callback(call_context, lambda: calls.append("second"))
    ENDS[name][0](call_context)
    assert calls == ["second"]
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("grpc_bridge", logging.ERROR)
    assert call_context.call_id in record.message
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError


def test_a_callback_after_the_end_is_refused_in_sync_and_called_in_async() -> None:
    calls: list[Any] = []
    sync, asynchronous = sync_context(), async_context()
    sync.finish()
    asynchronous.finish()
    assert sync.add_callback(lambda: calls.append("sync")) is False
    asynchronous.add_done_callback(calls.append)
    assert calls == [asynchronous]


def test_a_done_callback_gets_the_context() -> None:
    context, calls = async_context(), []
    context.add_done_callback(calls.append)
    context.finish()
    assert calls == [context]


def test_a_callback_may_ask_for_another_in_vain() -> None:
    context, answers = sync_context(), []
    context.add_callback(lambda: answers.append(context.add_callback(lambda: answers.append("never"))))
    context.finish()
    assert answers == [False]


@pytest.mark.parametrize("name", ["terminate", "expire", "disconnect"])
def test_whoever_runs_the_handler_is_told_once(call_context: CallContext, name: str) -> None:
    told: list[bool] = []
    call_context.on_terminate = lambda: told.append(call_context.active)
    ENDS[name][0](call_context)
    ENDS[name][0](call_context)
    assert told == [False]


@pytest.mark.parametrize("name", ["finish", "reject"])
def test_whoever_runs_the_handler_is_not_told_what_it_knows(call_context: CallContext, name: str) -> None:
    told: list[bool] = []
    call_context.on_terminate = lambda: told.append(True)
    ENDS[name][0](call_context)
    call_context.disconnect()
    assert told == []


def test_reject_says_whether_the_call_was_still_there(call_context: CallContext) -> None:
    assert call_context.reject(StatusError(StatusCode.INTERNAL, "bad")) is True
    assert call_context.reject(StatusError(StatusCode.INTERNAL, "bad")) is False


def test_a_sync_handler_can_cancel_its_call() -> None:
    context = sync_context()
    context.cancel()
    assert not context.is_active()
    assert context.status() == (StatusCode.CANCELLED, "Cancelled on the server side")


def test_a_call_ends_once_when_many_threads_end_it() -> None:
    for _ in range(50):
        context, calls, told = sync_context(), [], []
        context.add_callback(lambda calls=calls: calls.append(1))  # type: ignore[misc]
        context.on_terminate = lambda told=told: told.append(1)  # type: ignore[misc]
        start = threading.Barrier(4)

        def end(context: SyncContext = context, start: threading.Barrier = start) -> None:
            start.wait()
            context.disconnect()

        threads = [threading.Thread(target=end) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (calls, told) == ([1], [1])


@pytest.mark.parametrize("name", ["terminate", "expire", "disconnect", "reject"])
def test_the_error_of_a_request_iterator_after_the_end_is_no_failure(
    call_context: CallContext, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    ENDS[name][0](call_context)
    call_context.fail(grpc.RpcError())
    assert caplog.records == []
    call_context.fail(KeyError())
    assert len(caplog.records) == 1
