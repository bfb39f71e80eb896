"""Messages in and out, for all four kinds of methods."""

from __future__ import annotations

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from tests.contract.case import Answer, Call, Case

MEBIBYTE = 1024 * 1024
LIMIT = 4 * MEBIBYTE
PREFIX_BYTES = 5
"""What a StringValue of some mebibytes is longer than its text: a tag and a length of four bytes."""


def texts(*values: str) -> list[StringValue]:
    """Gives one message for each text."""
    return [StringValue(value=value) for value in values]


def _echo(name: str, text: str) -> Case:
    return Case(name, Call("Echo", texts(text)), Answer(texts(text)))


def _repeat(method: str, count: int) -> Case:
    name = f"server streaming by {method}, {count} messages"
    return Case(name, Call(method, [Int32Value(value=count)]), Answer(texts(*map(str, range(count)))))


def _client_stream(*values: str) -> Case:
    name = f"client streaming, {len(values)} messages"
    return Case(name, Call("Collect", texts(*values)), Answer(texts(",".join(values))))


def _chat(method: str, *values: str) -> Case:
    name = f"bidirectional streaming by {method}, {len(values)} messages"
    return Case(name, Call(method, texts(*values)), Answer(texts(*values)))


def _wrong_number(name: str, call: Call, path: str) -> Case:
    details = f'"{path}" requires exactly one request message.'
    return Case(name, call, Answer((), grpc.StatusCode.UNIMPLEMENTED, details), flavours=[path[10:].partition("/")[0]])


CASES = (
    _echo("unary", "hello"),
    _echo("unary, message of no bytes", ""),
    _echo("unary, any character", "\0\r\n%é€😀\N{ZERO WIDTH SPACE}"),
    _echo("unary, one mebibyte", "0123456789abcdef" * (MEBIBYTE // 16)),
    _echo("unary, as large as may be", "x" * (LIMIT - PREFIX_BYTES)),
    Case(
        "unary, request above the limit",
        Call("Echo", texts("x" * (5 * MEBIBYTE))),
        Answer(
            (),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"SERVER: Received message larger than max ({5 * MEBIBYTE + PREFIX_BYTES} vs. {LIMIT})",
        ),
    ),
    Case(
        "unary, response above the limit",
        Call("Large", [Int32Value(value=5 * MEBIBYTE)]),
        Answer(
            (),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"SERVER: Sent message larger than max ({5 * MEBIBYTE + PREFIX_BYTES} vs. {LIMIT})",
        ),
    ),
    Case(
        "server streaming, second response above the limit",
        Call("LargeStream", [Int32Value(value=5 * MEBIBYTE)]),
        Answer(
            texts("small"),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"SERVER: Sent message larger than max ({5 * MEBIBYTE + PREFIX_BYTES} vs. {LIMIT})",
        ),
    ),
    Case(
        "client streaming, second request above the limit",
        Call("Collect", texts("small", "x" * (5 * MEBIBYTE))),
        Answer(
            (),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"SERVER: Received message larger than max ({5 * MEBIBYTE + PREFIX_BYTES} vs. {LIMIT})",
        ),
    ),
    Case("unary, response that is false in Python", Call("EmptyStruct", [Empty()]), Answer([Struct()])),
    *(_repeat(method, count) for method in ("Repeat", "RepeatByWriting") for count in (0, 1, 3, 500)),
    Case(
        "server streaming, large messages",
        Call("LargeStream", [Int32Value(value=3 * MEBIBYTE)]),
        Answer(texts("small", "x" * (3 * MEBIBYTE), "never sent after one that is too large")),
    ),
    _client_stream(),
    _client_stream("one"),
    _client_stream("one", "", "three"),
    _client_stream(*map(str, range(1000))),
    Case("client streaming, only the first is read", Call("TakeFirst", texts("a", "b", "c")), Answer(texts("a"))),
    *(
        _chat(method, *values)
        for method in ("Chat", "ChatByReading", "Gather")
        for values in ((), ("one",), ("one", "", "three"))
    ),
    *(
        _wrong_number(
            f"unary of {flavour}, {len(requests)} messages", Call("Echo", requests), f"/contract.{flavour}/Echo"
        )
        for flavour in ("Sync", "Async")
        for requests in (texts(), texts("one", "two"))
    ),
    *(
        _wrong_number(
            f"server streaming of {flavour}, {len(requests)} messages",
            Call("Repeat", requests),
            f"/contract.{flavour}/Repeat",
        )
        for flavour in ("Sync", "Async")
        for requests in ([], [Int32Value(value=1)] * 2)
    ),
)
