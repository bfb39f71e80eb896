"""Aborts, by every method of a context that does it, and in every kind of handler."""

from __future__ import annotations

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import Int32Value
from google.rpc import status_pb2

from tests.contract.case import Answer, Call, Case
from tests.contract.cases.messages import texts
from tests.contract.cases.metadata import values
from tests.contract.methods import ASYNC, SYNC
from tests.contract.servicers.aborts import BAD_REQUEST, STATUS
from tests.contract.servicers.metadata import INITIAL, TRAILING

Code = grpc.StatusCode

_DONE = texts("done")

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


def _rpc_status() -> bytes:
    """The google.rpc.Status of a bad request, as it travels."""
    status = status_pb2.Status(code=Code.INVALID_ARGUMENT.value[0], message="see the details")
    status.details.add().Pack(BAD_REQUEST)
    return status.SerializeToString()


_DETAILS = (("grpc-status-details-bin", _rpc_status()),)

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
    *(
        Case(
            f"{method}, google.rpc.Status",
            Call(method, [Empty()]),
            Answer(messages, Code.INVALID_ARGUMENT, "see the details", trailing_metadata=_DETAILS),
        )
        for method, messages in (("AbortWithBadRequest", ()), ("AbortStreamWithBadRequest", _DONE))
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
    Case(
        "abort of a stream both ways, with all metadata",
        Call("AbortChat", texts("first", "second", "third")),
        Answer(texts("first"), Code.ABORTED, "after first", INITIAL, TRAILING),
    ),
    Case(
        "no abort of a stream both ways without requests, initial metadata",
        Call("AbortChat", []),
        Answer(initial_metadata=INITIAL),
    ),
    # grpcio's two servers differ. For the second an abort is the end: what a handler does later has no effect. The
    # first takes the last word, sends the message beside the status, and with a status also its lack of metadata.
    Case("abort swallowed", Call("SwallowAbort", [Empty()]), Answer(_DONE, Code.ABORTED, "swallowed"), [SYNC]),
    Case("abort swallowed", Call("SwallowAbort", [Empty()]), Answer((), Code.ABORTED, "swallowed"), [ASYNC]),
    Case(
        "abort swallowed in a stream",
        Call("SwallowAbortInStream", [Empty()]),
        Answer(_DONE * 2, Code.ABORTED, "swallowed"),
        [SYNC],
    ),
    Case(
        "abort swallowed in a stream",
        Call("SwallowAbortInStream", [Empty()]),
        Answer(_DONE, Code.ABORTED, "swallowed"),
        [ASYNC],
    ),
    Case(
        "abort twice",
        Call("AbortTwice", [Empty()]),
        Answer((), Code.DATA_LOSS, "second", trailing_metadata=(("contract-trailing", "set after"),)),
        [SYNC],
    ),
    Case("abort twice", Call("AbortTwice", [Empty()]), Answer((), Code.ABORTED, "first"), [ASYNC]),
    Case(
        "abort with a status without metadata",
        Call("AbortWithStatusOverMetadata", [Empty()]),
        Answer((), STATUS.code, STATUS.details),
        [SYNC],
    ),
    Case(
        "abort with a status without metadata",
        Call("AbortWithStatusOverMetadata", [Empty()]),
        Answer((), STATUS.code, STATUS.details, trailing_metadata=(("contract-trailing", "set before"),)),
        [ASYNC],
    ),
)
