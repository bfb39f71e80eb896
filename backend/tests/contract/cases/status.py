"""Statuses: every way in which a call can end."""

from __future__ import annotations

import re

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import Int32Value

from tests.contract.case import Answer, Call, Case
from tests.contract.cases.messages import texts
from tests.contract.cases.metadata import values
from tests.contract.methods import ASYNC, SYNC
from tests.contract.servicers.status import STATUS

Code = grpc.StatusCode

_DONE = texts("done")
GENERIC = re.compile(r"Exception calling application \(call [0-9a-f]{32}\)")
"""What a caller is told of an exception that the bridge knows nothing of. The id leads to the traceback in the log."""

# What a caller is told of Django's exceptions, never their own text.
_EXCEPTIONS = {
    "ValueError": (Code.UNKNOWN, GENERIC),
    "PermissionDenied": (Code.PERMISSION_DENIED, "Permission denied"),
    "ObjectDoesNotExist": (Code.NOT_FOUND, "Not found"),
    "Http404": (Code.NOT_FOUND, "Not found"),
    "ValidationError": (Code.INVALID_ARGUMENT, "Invalid argument"),
    "SuspiciousOperation": (Code.INVALID_ARGUMENT, "Invalid argument"),
    "NotImplementedError": (Code.UNIMPLEMENTED, "Method not implemented!"),
}

_MESSAGES = {
    "empty": "",
    "plain": "no such thing",
    "unicode": "größer als 100 % - 日本 😀",
    "percent": "%41 % %% %zz",
    "line breaks": "one\r\ngrpc-status: 0\r\ntwo",
    "control characters": "tab\tnul\0del\x7f",
    "spaces around": " spaced ",
    "long": "long " * 1000 + "!",
}


def _abort(name: str, code: grpc.StatusCode, details: str) -> Case:
    return Case(name, Call("Abort", [values(code.name, details)]), Answer((), code, details))


CASES = (
    *(_abort(f"abort, {code.name}", code, "told") for code in grpc.StatusCode if code is not Code.OK),
    *(_abort(f"abort, message: {name}", Code.NOT_FOUND, details) for name, details in _MESSAGES.items()),
    Case("abort with OK is no success", Call("Abort", [values("OK", "told")]), Answer((), Code.UNKNOWN, "")),
    *(
        Case(
            f"abort of a stream after {count} messages",
            Call("AbortAfter", [Int32Value(value=count)]),
            Answer(texts(*map(str, range(count))), Code.ABORTED, f"after {count}"),
        )
        for count in (0, 1, 3)
    ),
    *(
        Case(
            f"{method}, error details",
            Call(method, [Empty()]),
            Answer((), STATUS.code, STATUS.details, trailing_metadata=STATUS.trailing_metadata),
        )
        for method in ("AbortWithStatus", "AbortWithDetails")
    ),
    Case(
        "abort overrules set_code and keeps trailing metadata",
        Call("AbortAfterTrailing", [Empty()]),
        Answer((), Code.ABORTED, "told", trailing_metadata=(("contract-trailing", "kept"),)),
    ),
    Case(
        "abort with requests left",
        Call("AbortRequests", texts("first", "second", "third")),
        Answer((), Code.ABORTED, "after first"),
    ),
    # grpcio's two servers differ: the first sends the message as well, for the second an abort is the end.
    Case("abort swallowed", Call("SwallowAbort", [Empty()]), Answer(_DONE, Code.ABORTED, "swallowed"), [SYNC]),
    Case("abort swallowed", Call("SwallowAbort", [Empty()]), Answer((), Code.ABORTED, "swallowed"), [ASYNC]),
    Case("set_code with a message", Call("SetCode", [Empty()]), Answer(_DONE, Code.NOT_FOUND, "set")),
    Case("set_code in a stream", Call("SetCodeInStream", [Empty()]), Answer(_DONE * 2, Code.DATA_LOSS, "set")),
    Case("set_details without a code", Call("SetDetailsOnly", [Empty()]), Answer(_DONE)),
    Case("set_code, then an exception", Call("SetCodeAndRaise", [Empty()]), Answer((), Code.ALREADY_EXISTS, "set")),
    Case("set_code with a number", Call("SetCodeNumber", [Empty()]), Answer(_DONE, Code.FAILED_PRECONDITION), [ASYNC]),
    Case(
        "getters",
        Call("Getters", [Empty()]),
        Answer(
            [values("None", "", "()", str(Code.OUT_OF_RANGE), "dé", "(('contract-trailing', 'one'),)")],
            Code.OUT_OF_RANGE,
            "dé",
            trailing_metadata=(("contract-trailing", "one"),),
        ),
    ),
    *(
        Case(
            f"handler gives no message: {method}",
            Call(method, [Empty()]),
            Answer((), Code.INTERNAL, "Failed to serialize response!"),
        )
        for method in ("ReturnNone", "ReturnText")
    ),
    Case(
        "handler yields no message",
        Call("YieldNone", [Empty()]),
        Answer(_DONE, Code.INTERNAL, "Failed to serialize response!"),
    ),
    *(
        Case(f"{name} raised", Call("Raise", texts(name)), Answer((), code, details))
        for name, (code, details) in _EXCEPTIONS.items()
    ),
    *(
        Case(f"{name} raised in a stream", Call("RaiseInStream", texts(name)), Answer(_DONE, code, details))
        for name, (code, details) in _EXCEPTIONS.items()
    ),
    Case("RpcError of a call downstream", Call("CallDownstream", [Empty()]), Answer((), Code.UNKNOWN, GENERIC)),
    *(
        Case(
            f"generated base servicer: {method}",
            Call(method, [Empty()]),
            Answer((), Code.UNIMPLEMENTED, "Method not implemented!"),
        )
        for method in ("Unimplemented", "UnimplementedStream")
    ),
    Case("compression that nobody asked for", Call("Compress", [Empty()]), Answer(_DONE)),
)
