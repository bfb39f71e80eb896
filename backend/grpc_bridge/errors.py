"""From exceptions to statuses: what a caller is told when a handler raises, and what the log is told.

exception raised by a handler            status
-----------------------------            ------
any, after context.abort(...)            the one given to abort
any, after context.set_code(...)         the one that was set, as in grpcio
StatusError                              its own (raised by the protocol core)
CancelledError                           CANCELLED, also where another was set
an entry of EXCEPTION_CODES              its code; the exception's text is for the log only, but where a
                                         ValidationError names fields, the caller gets those as error details
OperationalError, InterfaceError         UNAVAILABLE, by which a client knows that it may call again: the database is
                                         away, or too busy. For the log as any other
any other                                UNKNOWN, a generic message and a call id; the log has the traceback, and
                                         Django's signal got_request_exception is sent, as for a view

Where the handler has set a message by `context.set_details(...)`, the caller gets that one.
"""

from __future__ import annotations

import logging
from asyncio import CancelledError
from typing import TYPE_CHECKING

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, SuspiciousOperation, ValidationError
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import Http404

from grpc_bridge.error_details import STATUS_DETAILS, field_violations
from grpc_bridge.protocol.metadata import InvalidMetadataError
from grpc_bridge.protocol.status import StatusCode, StatusError

if TYPE_CHECKING:
    from grpc_bridge.call_state import CallContext

logger = logging.getLogger("grpc_bridge")

HandlerError = Exception | CancelledError
HANDLER_ERRORS = (Exception, CancelledError)
"""What a `def` handler raises to end its call and nothing else. A cancelled task of its own is among it: outside an
event loop that is no reason to end a thread, or a server."""


class AbortError(Exception):
    """Ends a sync handler after `context.abort()`. The status is in the context already."""


EXCEPTION_CODES: dict[type[Exception], tuple[StatusCode, str]] = {
    PermissionDenied: (StatusCode.PERMISSION_DENIED, "Permission denied"),
    ObjectDoesNotExist: (StatusCode.NOT_FOUND, "Not found"),
    Http404: (StatusCode.NOT_FOUND, "Not found"),
    ValidationError: (StatusCode.INVALID_ARGUMENT, "Invalid argument"),
    SuspiciousOperation: (StatusCode.INVALID_ARGUMENT, "Invalid argument"),
    NotImplementedError: (StatusCode.UNIMPLEMENTED, "Method not implemented!"),
    InvalidMetadataError: (StatusCode.INTERNAL, "Invalid metadata"),
}
"""Django's exceptions with the meaning that Django gives them in a view, Python's own for a missing method, and the one
for metadata that a grpcio server would refuse to send."""

DATABASE_ERRORS = (OperationalError, InterfaceError)
"""What a query raises that could not be made, or whose end is not known: a connection that was lost, a database that
restarts, a lock that others hold for too long. The same call may succeed a moment later."""


def status_of(error: Exception, context: CallContext) -> tuple[StatusCode, str]:
    """Gives the status of a call whose handler raised `error`. Logs what the caller is not told."""
    if isinstance(error, StatusError):
        return (context.status_code if context.has_code else error.code), context.status_message or error.message
    if context.aborted:
        return context.status_code, context.status_message
    if context.has_code:
        logger.info("%s raised after setting a status (call %s)", context.call_path, context.call_id, exc_info=error)
        return context.status_code, context.status_message
    for kind, (code, message) in EXCEPTION_CODES.items():
        if isinstance(error, kind):
            logger.info("%s ended with %s (call %s)", context.call_path, code.name, context.call_id, exc_info=error)
            told = context.status_message or message
            if isinstance(error, ValidationError) and (details := field_violations(error, code, told)):
                context.add_trailing_metadata(STATUS_DETAILS, details)
            return code, told
    logger.error("%s failed (call %s)", context.call_path, context.call_id, exc_info=error)
    got_request_exception.send_robust(sender=type(context), request=None)
    if isinstance(error, DATABASE_ERRORS):
        return StatusCode.UNAVAILABLE, context.status_message or f"Database not available (call {context.call_id})"
    return StatusCode.UNKNOWN, context.status_message or f"Exception calling application (call {context.call_id})"
