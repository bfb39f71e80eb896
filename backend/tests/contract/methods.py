"""The methods of the contract's services: what kind each is and which messages it takes and gives.

All messages are protobuf's well-known types, so that nothing has to be generated. Each method exists twice, as
`/contract.Sync/<name>` with a `def` handler and as `/contract.Async/<name>` with an `async def` one.
"""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import ListValue, Struct
from google.protobuf.wrappers_pb2 import BoolValue, DoubleValue, Int32Value, StringValue

SYNC = "Sync"
ASYNC = "Async"
FLAVOURS = (SYNC, ASYNC)
"""The services: the word names how the handlers are written."""


@dataclass(frozen=True)
class MethodType:
    """A method as a .proto file would declare it."""

    request: type[Message]
    response: type[Message]
    request_streaming: bool = False
    response_streaming: bool = False


def path(flavour: str, name: str) -> str:
    """Gives the path of a method, such as `/contract.Sync/Echo`."""
    return f"/contract.{flavour}/{name}"


def _unary(request: type[Message], response: type[Message] = StringValue) -> MethodType:
    return MethodType(request, response)


def _stream(request: type[Message], response: type[Message] = StringValue) -> MethodType:
    return MethodType(request, response, response_streaming=True)


_CLIENT_STREAM = MethodType(StringValue, StringValue, request_streaming=True)
_BOTH_STREAM = MethodType(StringValue, StringValue, request_streaming=True, response_streaming=True)

METHODS: dict[str, MethodType] = {
    # servicers/messages.py
    "Echo": _unary(StringValue),
    "Repeat": _stream(Int32Value),
    "RepeatByWriting": _stream(Int32Value),
    "Collect": _CLIENT_STREAM,
    "TakeFirst": _CLIENT_STREAM,
    "Chat": _BOTH_STREAM,
    "ChatByReading": _BOTH_STREAM,
    "Gather": _BOTH_STREAM,
    "Large": _unary(Int32Value),
    "LargeStream": _stream(Int32Value),
    "EmptyStruct": _unary(Empty, Struct),
    # servicers/metadata.py
    "SendInitial": _unary(Empty),
    "SendInitialInStream": _stream(Empty),
    "SendInitialTwice": _unary(Empty),
    "SendInitialLate": _stream(Empty),
    "ChatAfterInitial": _BOTH_STREAM,
    "SetTrailing": _unary(Empty),
    "SetTrailingInStream": _stream(Empty),
    "SetTrailingTwice": _unary(Empty),
    "SetTrailingEntry": _unary(ListValue),
    "SendInitialEntry": _unary(ListValue),
    "ShowMetadata": _unary(StringValue, ListValue),
    "ShowMetadataTypes": _unary(Empty),
    "Peer": _unary(Empty),
    # servicers/aborts.py
    "Abort": _unary(ListValue),
    "AbortAfter": _stream(Int32Value),
    "AbortWithStatus": _unary(Empty),
    "AbortWithDetails": _unary(Empty),
    "AbortWithBadRequest": _unary(Empty),
    "AbortStreamWithBadRequest": _stream(Empty),
    "AbortWithStatusOverMetadata": _unary(Empty),
    "AbortAfterTrailing": _unary(Empty),
    "AbortRequests": _CLIENT_STREAM,
    "AbortChat": _BOTH_STREAM,
    "AbortTwice": _unary(Empty),
    "SwallowAbort": _unary(Empty),
    "SwallowAbortInStream": _stream(Empty),
    # servicers/status.py
    "SetCode": _unary(Empty),
    "SetCodeInStream": _stream(Empty),
    "SetDetailsOnly": _unary(Empty),
    "SetCodeAndRaise": _unary(Empty),
    "SetDetailsAndRaise": _unary(Empty),
    "SetMetadataAndRaise": _unary(Empty),
    "SetCodeAndReturnNone": _unary(Empty),
    "SetCodeForRequests": _CLIENT_STREAM,
    "SetCodeNumber": _unary(Empty),
    "TakeCodeBack": _unary(Empty),
    "Getters": _unary(Empty, ListValue),
    "ReturnNone": _unary(Empty),
    "ReturnText": _unary(Empty),
    "YieldNone": _stream(Empty),
    "Raise": _unary(StringValue),
    "RaiseInStream": _stream(StringValue),
    "CallDownstream": _unary(Empty),
    "Unimplemented": _unary(Empty),
    "UnimplementedStream": _stream(Empty),
    # servicers/compression.py
    "Compress": _unary(StringValue),
    "CompressNot": _unary(StringValue),
    "CompressStream": _stream(StringValue),
    "CompressAndAbort": _stream(StringValue),
    "CompressTwice": _unary(StringValue),
    "CompressLate": _unary(Empty),
    # servicers/lifetime.py
    "TimeRemaining": _unary(Empty, DoubleValue),
    "Sleep": _unary(Empty),
    "SleepInStream": _stream(Empty),
    "Rush": _stream(Empty),
    "Wait": _unary(StringValue),
    "WaitInStream": _stream(StringValue),
    "SendInitialAndWait": _stream(StringValue),
    "Tick": _stream(StringValue),
    "TakeOneAndWait": _CLIENT_STREAM,
    "ChatAndWait": _BOTH_STREAM,
    "Drain": _CLIENT_STREAM,
    "IsActive": _unary(Empty, BoolValue),
    "Callbacks": _unary(StringValue),
    "Cancel": _unary(StringValue),
    # servicers/bookkeeping.py
    "OpenGate": _unary(StringValue, Empty),
    "Events": _unary(StringValue, ListValue),
    "Invocations": _unary(StringValue, Int32Value),
    # servicers/site.py
    "AddUser": _unary(StringValue, Empty),
    "CountUsers": _unary(Empty, Int32Value),
    "CountUsersInStream": _stream(Empty, Int32Value),
    "TickWithDatabase": _stream(StringValue, Int32Value),
    "ConnectionIsOpen": _unary(Empty, BoolValue),
    "ThreadConnection": _unary(BoolValue, ListValue),
    "ListenToSignals": _unary(BoolValue, Empty),
    "ContextVariable": _unary(StringValue),
    "ContextVariableInStream": _stream(StringValue),
    "ThreadName": _unary(Empty),
    "LogIn": _unary(StringValue),
    "WhoCalls": _unary(Empty),
    "WhoCallsInStream": _stream(Empty),
    "SessionValue": _unary(StringValue),
}
