"""What a caller is told of an error beyond code and message: `google.rpc` messages in `grpc-status-details-bin`.

https://cloud.google.com/apis/design/errors has the messages; the metadata key is grpcio-status's and everybody's.
"""

from __future__ import annotations

import re

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from google.protobuf import any_pb2

from grpc_bridge.protocol.status import StatusCode

try:
    from google.rpc import error_details_pb2, status_pb2
except ImportError:
    error_details_pb2 = status_pb2 = None

STATUS_DETAILS = "grpc-status-details-bin"

_REASON = re.compile(r"[A-Z][A-Z0-9_]+[A-Z0-9]")


def field_violations(error: ValidationError, code: StatusCode, message: str) -> bytes | None:
    """Gives a `google.rpc.Status` with a `BadRequest` that has one violation for each problem of each field.

    None for an error that names no fields, and where the package googleapis-common-protos is not installed: the bridge
    does without it. Fields have the names that the error gives them; what concerns none has the empty name.
    """
    if not hasattr(error, "error_dict"):
        return None
    if error_details_pb2 is None:
        return None
    bad_request = error_details_pb2.BadRequest()
    for field, problems in error.error_dict.items():
        for problem in problems:
            bad_request.field_violations.add(
                field="" if field == NON_FIELD_ERRORS else field,
                description=" ".join(map(str, problem.messages)),
                reason=_reason(problem.code),
            )
    detail = any_pb2.Any()
    detail.Pack(bad_request)
    status: bytes = status_pb2.Status(code=code, message=message, details=[detail]).SerializeToString()
    return status


def _reason(code: str | None) -> str:
    """Gives Django's code of a problem as the constant that `FieldViolation.reason` is; empty if it cannot be one."""
    reason = (code or "").upper()
    return reason if _REASON.fullmatch(reason) else ""
