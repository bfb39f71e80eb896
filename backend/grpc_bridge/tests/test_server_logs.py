"""What of grpcio's own log is left out."""

from __future__ import annotations

import logging

import pytest
from grpc._cython import cygrpc

from grpc_bridge.server.logs import leave_lost_callers_out


@pytest.mark.parametrize(
    ("error", "is_logged"), [(cygrpc.ExecuteBatchError("gone"), False), (RuntimeError("a fault"), True)]
)
def test_only_a_lost_caller_is_left_out(caplog: pytest.LogCaptureFixture, error: Exception, is_logged: bool) -> None:
    leave_lost_callers_out()
    try:
        raise error
    except Exception:
        logging.getLogger("grpc._cython.cygrpc").exception("raised in core by servicer method")
    assert bool(caplog.records) is is_logged
