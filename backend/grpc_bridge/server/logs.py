"""What grpcio logs by itself, where that tells operators nothing."""

from __future__ import annotations

import logging

from grpc._cython import cygrpc  # type: ignore[attr-defined] # an extension without a stub

_GRPCIO_LOGGER = logging.getLogger("grpc._cython.cygrpc")


def leave_lost_callers_out() -> None:
    """Keeps grpcio from logging an error with a traceback where a caller has gone before the status was sent.

    It does so when a client's own deadline or cancellation comes first, by a hair. The call has its line in the call
    log all the same.
    """
    _GRPCIO_LOGGER.addFilter(_is_worth_a_line)  # the same one again changes nothing


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    return not isinstance(error, cygrpc.ExecuteBatchError)
