"""Statuses that a handler sets, and what its exceptions become."""

from __future__ import annotations

import re

import grpc
from google.protobuf.empty_pb2 import Empty

from tests.contract.case import Answer, Call, Case
from tests.contract.cases.messages import texts
from tests.contract.cases.metadata import values
from tests.contract.methods import ASYNC, SYNC
from tests.contract.servicers.metadata import INITIAL, TRAILING

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

CASES = (
    # grpcio's two servers differ: only the first sends the message beside the status.
    *(
        Case("set_code with a message", Call("SetCode", [Empty()]), Answer(messages, Code.NOT_FOUND, "set"), [flavour])
        for flavour, messages in ((SYNC, _DONE), (ASYNC, ()))
    ),
    *(
        Case(
            "set_code with a message, requests stream",
            Call("SetCodeForRequests", texts("one", "two")),
            Answer(messages, Code.NOT_FOUND),
            [flavour],
        )
        for flavour, messages in ((SYNC, texts("2")), (ASYNC, ()))
    ),
    *(
        Case(
            "set_code with a number",
            Call("SetCodeNumber", [Empty()]),
            Answer(messages, code),
            [flavour],
        )
        for flavour, messages, code in ((SYNC, _DONE, Code.UNKNOWN), (ASYNC, (), Code.FAILED_PRECONDITION))
    ),
    Case("set_code taken back", Call("TakeCodeBack", [Empty()]), Answer(_DONE)),
    Case("set_code without a message", Call("SetCodeAndReturnNone", [Empty()]), Answer((), Code.NOT_FOUND, "set")),
    Case("set_code in a stream", Call("SetCodeInStream", [Empty()]), Answer(_DONE * 2, Code.DATA_LOSS, "set")),
    Case("set_details without a code", Call("SetDetailsOnly", [Empty()]), Answer(_DONE)),
    Case("set_code, then an exception", Call("SetCodeAndRaise", [Empty()]), Answer((), Code.ALREADY_EXISTS, "set")),
    Case("set_details, then an exception", Call("SetDetailsAndRaise", [Empty()]), Answer((), Code.UNKNOWN, "set")),
    Case(
        "all metadata, then an exception",
        Call("SetMetadataAndRaise", [Empty()]),
        Answer((), Code.UNKNOWN, GENERIC, INITIAL, TRAILING),
    ),
    Case(
        "getters",
        Call("Getters", [Empty()]),
        Answer(
            [values("None", "", "()", str(Code.OUT_OF_RANGE), "dé", "(('contract-trailing', 'one'),)")],
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
)
