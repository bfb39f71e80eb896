"""What a caller is told when a handler raises, and what the log is told."""

from __future__ import annotations

import logging
import sys
from typing import Any

import grpc
import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import DisallowedHost, ObjectDoesNotExist, PermissionDenied, ValidationError
from django.core.signals import got_request_exception
from django.db import DataError, IntegrityError, InterfaceError, OperationalError, ProgrammingError
from django.http import Http404

from grpc_bridge.errors import EXCEPTION_CODES, status_of
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.tests.calls import async_context, sync_context

SECRET = "what only the server may know"


@pytest.fixture(params=[sync_context, async_context], ids=["sync", "async"])
def call_context(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Any:
    """A context of either kind. All that is logged is kept."""
    caplog.set_level(logging.DEBUG, "grpc_bridge")
    return request.param()


def logged(caplog: pytest.LogCaptureFixture, context: Any, error: Exception) -> int:
    """Gives the level of the only record, which must have the path, the call id and the traceback."""
    (record,) = caplog.records
    assert record.name == "grpc_bridge"
    assert context.call_path in record.message
    assert context.call_id in record.message
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    return record.levelno


@pytest.mark.parametrize("kind", EXCEPTION_CODES)
def test_an_exception_with_a_meaning_has_its_code(
    kind: type[Exception], call_context: Any, caplog: pytest.LogCaptureFixture
) -> None:
    code, message = EXCEPTION_CODES[kind]
    error = kind(SECRET)
    assert status_of(error, call_context) == (code, message)
    assert SECRET not in message
    assert code not in (StatusCode.OK, StatusCode.UNKNOWN)
    assert logged(caplog, call_context, error) == logging.INFO


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PermissionDenied(SECRET), StatusCode.PERMISSION_DENIED),
        (ObjectDoesNotExist(SECRET), StatusCode.NOT_FOUND),
        (get_user_model().DoesNotExist(SECRET), StatusCode.NOT_FOUND),
        (Http404(SECRET), StatusCode.NOT_FOUND),
        (ValidationError({"name": [SECRET]}), StatusCode.INVALID_ARGUMENT),
        (DisallowedHost(SECRET), StatusCode.INVALID_ARGUMENT),
        (NotImplementedError(SECRET), StatusCode.UNIMPLEMENTED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.name,
)
def test_a_kind_of_such_an_exception_has_it_too(error: Exception, code: StatusCode, call_context: Any) -> None:
    assert status_of(error, call_context)[0] is code


@pytest.mark.parametrize(
    "error",
    [ValueError(SECRET), KeyError(SECRET), Exception(SECRET), grpc.RpcError(SECRET), AssertionError(SECRET)],
    ids=repr,
)
def test_an_exception_without_a_meaning_is_told_by_its_call_id_only(
    error: Exception, call_context: Any, caplog: pytest.LogCaptureFixture
) -> None:
    code, message = status_of(error, call_context)
    assert code is StatusCode.UNKNOWN
    assert message == f"Exception calling application (call {call_context.call_id})"
    assert logged(caplog, call_context, error) == logging.ERROR


@pytest.mark.parametrize("error", [OperationalError(SECRET), InterfaceError(SECRET)], ids=repr)
def test_a_database_that_is_away_lets_callers_know_that_they_may_call_again(
    error: Exception, call_context: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert status_of(error, call_context) == (
        StatusCode.UNAVAILABLE,
        f"Database not available (call {call_context.call_id})",
    )
    assert logged(caplog, call_context, error) == logging.ERROR


@pytest.mark.parametrize("error", [IntegrityError(SECRET), ProgrammingError(SECRET), DataError(SECRET)], ids=repr)
def test_a_query_that_fails_again_and_again_is_no_reason_to_call_again(error: Exception, call_context: Any) -> None:
    assert status_of(error, call_context)[0] is StatusCode.UNKNOWN


def test_the_traceback_is_in_the_log(call_context: Any, caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise KeyError(SECRET)
    except KeyError as error:
        call_context.fail(error)
    assert "Traceback" in caplog.text
    assert SECRET in caplog.text
    assert SECRET not in call_context.status()[1]


@pytest.mark.parametrize(
    ("error", "told"), [(ValueError(SECRET), True), (OperationalError(SECRET), True), (PermissionDenied(SECRET), False)]
)
def test_django_is_told_of_an_exception_without_a_meaning(error: Exception, told: bool, call_context: Any) -> None:
    """As of one that a view raised, so that what reports errors reports it. A receiver that fails changes nothing."""
    seen: list[BaseException | None] = []

    def receive(**_: Any) -> None:
        seen.append(sys.exc_info()[1])
        raise RuntimeError

    got_request_exception.connect(receive)
    try:
        raise error
    except Exception as raised:
        status_of(raised, call_context)
    finally:
        got_request_exception.disconnect(receive)
    assert seen == [error] * told


def test_an_error_of_the_protocol_is_told_as_it_is(call_context: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert status_of(StatusError(StatusCode.DATA_LOSS, "told"), call_context) == (StatusCode.DATA_LOSS, "told")
    assert caplog.records == []


def test_a_status_that_was_set_goes_before_an_error_of_the_protocol(call_context: Any) -> None:
    call_context.set_details("of the handler")
    assert status_of(StatusError(StatusCode.INTERNAL, "of the bridge"), call_context) == (
        StatusCode.INTERNAL,
        "of the handler",
    )
    call_context.set_code(grpc.StatusCode.NOT_FOUND)
    assert status_of(StatusError(StatusCode.INTERNAL, "of the bridge"), call_context) == (
        StatusCode.NOT_FOUND,
        "of the handler",
    )


@pytest.mark.parametrize("error", [ValueError(SECRET), PermissionDenied(SECRET)], ids=repr)
def test_a_code_that_was_set_stays(error: Exception, call_context: Any, caplog: pytest.LogCaptureFixture) -> None:
    call_context.set_code(grpc.StatusCode.OUT_OF_RANGE)
    assert status_of(error, call_context) == (StatusCode.OUT_OF_RANGE, "")
    assert logged(caplog, call_context, error) == logging.INFO
    call_context.set_details("said by the handler")
    assert status_of(error, call_context) == (StatusCode.OUT_OF_RANGE, "said by the handler")


def test_ok_is_no_code_to_fail_with(call_context: Any) -> None:
    call_context.set_code(grpc.StatusCode.OK)
    assert status_of(ValueError(SECRET), call_context)[0] is StatusCode.UNKNOWN


def test_details_that_were_set_stay_where_the_exception_has_a_meaning(call_context: Any) -> None:
    call_context.set_details("said by the handler")
    assert status_of(Http404(SECRET), call_context) == (StatusCode.NOT_FOUND, "said by the handler")


async def test_whatever_is_raised_after_abort_its_status_stays(caplog: pytest.LogCaptureFixture) -> None:
    sync, asynchronous = sync_context(), async_context()
    with pytest.raises(Exception) as sync_error:  # noqa: PT011 - whatever it is
        sync.abort(grpc.StatusCode.ABORTED, "why")
    with pytest.raises(Exception) as async_error:  # noqa: PT011
        await asynchronous.abort(grpc.StatusCode.ABORTED, "why")
    for context, error in ((sync, sync_error.value), (asynchronous, async_error.value)):
        for raised in (error, KeyError(SECRET), Http404(SECRET), StatusError(StatusCode.INTERNAL, SECRET)):
            context.fail(raised)
            assert context.status() == (StatusCode.ABORTED, "why")
    assert caplog.records == []
