"""What Django gives a handler."""

from __future__ import annotations

from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import Int32Value

from tests.contract.case import Answer, Call, Case
from tests.contract.cases.messages import texts

CASES = (
    Case("ORM in a unary method", Call("CountUsers", [Empty()]), Answer([Int32Value(value=0)])),
    Case("ORM in a stream", Call("CountUsersInStream", [Empty()]), Answer([Int32Value(value=0)] * 2)),
    Case("context variables are the call's own", Call("ContextVariable", texts("mine")), Answer(texts("unset"))),
    Case(
        "context variables last as long as a stream",
        Call("ContextVariableInStream", texts("mine")),
        Answer(texts("unset", "mine")),
    ),
)
