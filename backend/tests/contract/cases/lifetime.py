"""Deadlines and activity, as far as they are data. What happens when is in `test_deadline.py` and its neighbours."""

from __future__ import annotations

import re

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import BoolValue, DoubleValue

from tests.contract.case import Answer, Call, Case
from tests.contract.cases.messages import texts
from tests.contract.servicers.lifetime import NO_DEADLINE

_EXPIRED = Answer((), grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")

CASES = (
    Case("no deadline", Call("TimeRemaining", [Empty()]), Answer([DoubleValue(value=NO_DEADLINE)])),
    Case("call is active", Call("IsActive", [Empty()]), Answer([BoolValue(value=True)])),
    Case("deadline far away", Call("Echo", texts("in time"), timeout=3600), Answer(texts("in time"))),
    Case("deadline passes in a unary method", Call("Sleep", [Empty()], timeout=0.1), _EXPIRED),
    Case(
        "deadline passes in a stream",
        Call("SleepInStream", [Empty()], timeout=0.5),
        Answer(texts("before"), _EXPIRED.code, _EXPIRED.details),
    ),
    Case(
        "cancelled by the handler",
        Call("Cancel", texts("case")),
        Answer((), grpc.StatusCode.CANCELLED, re.compile(".+")),
    ),
    Case("callbacks are taken", Call("Callbacks", texts("case")), Answer(texts("[True, True, True]"))),
)
