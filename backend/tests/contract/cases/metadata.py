"""Metadata in both directions."""

from __future__ import annotations

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import ListValue

from tests.contract.case import Answer, Call, Case, Metadata
from tests.contract.cases.messages import texts
from tests.contract.servicers.metadata import INITIAL, TRAILING

_DONE = texts("done")


def values(*items: str) -> ListValue:
    """Gives a list of texts as a message."""
    message = ListValue()
    message.extend(items)
    return message


def _shown(name: str, metadata: Metadata, *expected: str) -> Case:
    return Case(name, Call("ShowMetadata", texts("contract-"), metadata), Answer([values(*expected)]))


def _refused(kind: str, method: str, name: str, *entry: str) -> Case:
    """The handler may not send the entry. What it gets is an exception, and so the caller gets nothing of it."""
    answer = Answer((), grpc.StatusCode.INTERNAL, "Invalid metadata")
    return Case(f"{kind} metadata, {name}", Call(method, [values(*entry)]), answer)


_FORGERIES = (
    ("line break that would forge a status", "contract-trailing", "1\r\ngrpc-status: 7"),
    ("line feed", "contract-trailing", "1\ngrpc-status: 7"),
    ("carriage return", "contract-trailing", "1\rgrpc-status: 7"),
    ("line break in a value of bytes", "contract-trailing", "1\r\ngrpc-status: 7", "as bytes"),
    ("line break in the key", "contract\r\ngrpc-status: 7\r\nx", "1"),
    ("colon in the key", "contract: 1", "1"),
    ("empty key", "", "1"),
    ("upper case key", "Contract", "1"),
    ("NUL", "contract-trailing", "a\0b"),
    ("text beyond ASCII", "contract-trailing", "é"),
    ("reserved key grpc-status", "grpc-status", "7"),
    ("reserved key grpc-message", "grpc-message", "forged"),
    ("reserved key content-type", "content-type", "text/html"),
    ("reserved key content-length", "content-length", "0"),
    ("reserved key transfer-encoding", "transfer-encoding", "chunked"),
    ("reserved key connection", "connection", "close"),
    ("text for a -bin key", "contract-trailing-bin", "text"),
)

CASES = (
    Case("initial metadata", Call("SendInitial", [Empty()]), Answer(_DONE, initial_metadata=INITIAL)),
    Case(
        "initial metadata of a stream",
        Call("SendInitialInStream", [Empty()]),
        Answer(_DONE * 2, initial_metadata=INITIAL),
    ),
    Case(
        "initial metadata twice",
        Call("SendInitialTwice", [Empty()]),
        Answer(texts("refused"), initial_metadata=INITIAL),
    ),
    Case("initial metadata too late", Call("SendInitialLate", [Empty()]), Answer(texts("first", "refused"))),
    Case("trailing metadata", Call("SetTrailing", [Empty()]), Answer(_DONE, trailing_metadata=TRAILING)),
    Case(
        "trailing metadata of a stream",
        Call("SetTrailingInStream", [Empty()]),
        Answer(_DONE, trailing_metadata=TRAILING),
    ),
    Case(
        "trailing metadata twice, the last counts",
        Call("SetTrailingTwice", [Empty()]),
        Answer(_DONE, trailing_metadata=TRAILING),
    ),
    *(_refused("trailing", "SetTrailingEntry", *forgery) for forgery in _FORGERIES),
    *(_refused("initial", "SendInitialEntry", *forgery) for forgery in _FORGERIES),
    Case("entries of invocation metadata", Call("ShowMetadataTypes", [Empty()]), Answer(_DONE)),
    _shown("no invocation metadata", ()),
    _shown("invocation metadata", (("contract-a", "one"), ("contract-b", "two")), "contract-a=one", "contract-b=two"),
    _shown("invocation metadata, comma", (("contract-a", "one, two"),), "contract-a=one, two"),
    _shown("invocation metadata, empty value", (("contract-a", ""),), "contract-a="),
    _shown(
        "invocation metadata, odd ASCII",
        (("contract-a", "!\"#$%&'()*+-./:;<=>?@[\\]^`{|}~"),),
        "contract-a=!\"#$%&'()*+-./:;<=>?@[\\]^`{|}~",
    ),
    _shown("invocation metadata, twice", (("contract-a", "1"), ("contract-a", "2")), "contract-a=1", "contract-a=2"),
    _shown("invocation metadata, bytes", (("contract-bin", b"\x00\xff"),), "contract-bin=00ff"),
    _shown("invocation metadata, no bytes", (("contract-bin", b""),), "contract-bin="),
    _shown(
        "invocation metadata, bytes twice",
        (("contract-bin", b"\x01"), ("contract-bin", b"\x02\x03")),
        "contract-bin=01",
        "contract-bin=0203",
    ),
)
