"""Request bodies as data, and every way in which a body may reach the code that reads it.

A case says what is in a body; `read` gives it to the wire in one of `WAYS` and `expected` says what must come out.
"""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.protocol.wire import BINARY, TEXT, BinaryWire

LIMIT = 64
"""The message limit of all cases, in bytes."""

FIXTURES = Path(__file__).parent / "fixtures"
AFTER = b"the message after"

WHOLE, ONE_CHUNK, BYTE_BY_BYTE, AS_WANTED, BYTES_AFTER = WAYS = (
    "whole", "one chunk", "byte by byte", "as wanted", "bytes after"
)  # fmt: skip

Error = tuple[StatusCode, str]


class Outcome(NamedTuple):
    """What reading gave: messages, and the error that ended it if one did."""

    messages: tuple[bytes, ...]
    error: Error | None = None


@dataclass(frozen=True)
class Body:
    """A request body. Where `error` shows only once the body has ended, more bytes could still make it good."""

    name: str
    data: bytes
    messages: tuple[bytes, ...] = ()
    error: Error | None = None
    shows_at_end: bool = False
    wire: BinaryWire = BINARY


def read_whole(wire: BinaryWire, data: bytes, limit: int = LIMIT) -> Outcome:
    """Reads a body that is there as a whole."""
    messages: list[bytes] = []
    try:
        messages.extend(wire.read_body(data, limit))
    except StatusError as error:
        return Outcome(tuple(messages), (error.code, error.message))
    return Outcome(tuple(messages))


def read_chunks(wire: BinaryWire, chunks: Iterable[bytes], limit: int = LIMIT, *, end: bool = True) -> Outcome:
    """Reads a body as it arrives, to its end unless `end` is false."""
    reader = wire.reader(limit)
    messages: list[bytes] = []
    try:
        for chunk in chunks:
            messages += reader.receive_data(chunk)
        if end:
            reader.end()
    except StatusError as error:
        return Outcome(tuple(messages), (error.code, error.message))
    return Outcome(tuple(messages))


def read_as_wanted(wire: BinaryWire, data: bytes, limit: int = LIMIT) -> Outcome:
    """Reads a body in chunks of the size that the reader asks for."""
    reader = wire.reader(limit)
    messages: list[bytes] = []
    try:
        while data:
            size = reader.wanted_bytes
            messages += reader.receive_data(data[:size])
            data = data[size:]
        reader.end()
    except StatusError as error:
        return Outcome(tuple(messages), (error.code, error.message))
    return Outcome(tuple(messages))


def single_bytes(data: bytes) -> list[bytes]:
    """Cuts a body into chunks of one byte."""
    return [data[at : at + 1] for at in range(len(data))]


def read(way: str, body: Body) -> Outcome:
    """Reads a body in one of `WAYS`."""
    if way == WHOLE:
        return read_whole(body.wire, body.data)
    if way == ONE_CHUNK:
        return read_chunks(body.wire, [body.data])
    if way == BYTE_BY_BYTE:
        return read_chunks(body.wire, single_bytes(body.data))
    if way == AS_WANTED:
        return read_as_wanted(body.wire, body.data)
    if body.shows_at_end:  # the bytes after would become part of what is incomplete, so the reader just waits for them
        return read_chunks(body.wire, [body.data], end=False)
    return read_chunks(body.wire, [body.data, body.wire.message(AFTER)])


def expected(way: str, body: Body) -> Outcome:
    """Gives what `read` must give."""
    if way == BYTES_AFTER and body.shows_at_end:
        return Outcome(body.messages)
    if body.error is not None:
        return Outcome(body.messages, body.error)
    return Outcome(body.messages + ((AFTER,) if way == BYTES_AFTER else ()))


def header(flags: int, length: int) -> bytes:
    """Gives a frame header, possible or not."""
    return struct.pack(">BI", flags, length)


def frame(payload: bytes) -> bytes:
    """Gives a message frame, made without the code under test."""
    return header(0, len(payload)) + payload


def in_segments(*parts: bytes) -> bytes:
    """Gives a text body whose segments are padded one by one."""
    return b"".join(map(b64encode, parts))


def too_large(length: int) -> Error:
    """Gives the error of a frame that announces too much."""
    return StatusCode.RESOURCE_EXHAUSTED, f"SERVER: Received message larger than max ({length} vs. {LIMIT})"


def bad_flags(flags: int) -> Error:
    """Gives the error of a frame that is not a message."""
    return StatusCode.INTERNAL, f"Frame with flags {flags:#04x} is not a message"


ENDS_IN_FRAME = (StatusCode.INTERNAL, "Request body ends inside a frame")
ENDS_IN_GROUP = (StatusCode.INTERNAL, "Request body ends inside a base64 group")
NOT_BASE64 = (StatusCode.INTERNAL, "Request body is not base64")
COMPRESSED = (StatusCode.INTERNAL, "Compressed flag set in a frame, but there is no grpc-encoding")

A, B = b"first", b"\x00\xff second"
LARGEST = bytes(range(LIMIT))

BINARY_BODIES = (
    Body("nothing", b""),
    Body("one message", frame(A), (A,)),
    Body("an empty message", frame(b""), (b"",)),
    Body("two messages", frame(A) + frame(B), (A, B)),
    Body("empty messages around one", frame(b"") + frame(A) + frame(b""), (b"", A, b"")),
    Body("the largest message", frame(LARGEST), (LARGEST,)),
    Body("frames in a message", frame(frame(A) + header(0x80, 0)), (frame(A) + header(0x80, 0),)),
    Body("a byte of a header", b"\x00", (), ENDS_IN_FRAME, True),
    Body("four bytes of a header", b"\x00\x00\x00\x00", (), ENDS_IN_FRAME, True),
    Body("a header alone", header(0, 1), (), ENDS_IN_FRAME, True),
    Body("a byte too few", frame(A)[:-1], (), ENDS_IN_FRAME, True),
    Body("a message and a byte", frame(A) + b"\x00", (A,), ENDS_IN_FRAME, True),
    Body("a message and a byte too few", frame(A) + frame(B)[:-1], (A,), ENDS_IN_FRAME, True),
    Body("a byte above the limit", frame(LARGEST + b"!"), (), too_large(LIMIT + 1)),
    Body("a byte above the limit announced", header(0, LIMIT + 1), (), too_large(LIMIT + 1)),
    Body("2 GiB announced", header(0, 2**31), (), too_large(2**31)),
    Body("all that can be announced", header(0, 2**32 - 1), (), too_large(2**32 - 1)),
    Body("2 GiB announced after a message", frame(A) + header(0, 2**31), (A,), too_large(2**31)),
    Body("a compressed message", header(0x01, 0), (), COMPRESSED),
    Body("trailers", header(0x80, 18) + b"grpc-status: 0\r\n", (), bad_flags(0x80)),
    Body("compressed trailers", header(0x81, 0), (), bad_flags(0x81)),
    Body("a reserved flag", header(0x02, 0), (), bad_flags(0x02)),
    Body("a reserved flag after a message", frame(A) + header(0x40, 0), (A,), bad_flags(0x40)),
    Body("a reserved flag after two messages", frame(A) + frame(B) + header(0x40, 0), (A, B), bad_flags(0x40)),
    Body("trailers after a message", frame(A) + header(0x80, 0), (A,), bad_flags(0x80)),
    Body("a compressed message after a message", frame(A) + header(0x01, 3) + b"abc", (A,), COMPRESSED),
    Body("two frames that are no messages", frame(A) + header(0x40, 0) + header(0, 2**31), (A,), bad_flags(0x40)),
    Body("a reserved flag and 2 GiB", header(0x04, 2**31), (), bad_flags(0x04)),
)  # fmt: skip


def _text(name: str, data: bytes, *rest: object) -> Body:
    return Body(name, data, *rest, wire=TEXT)  # type: ignore[arg-type]


AS_TEXT = tuple(
    replace(body, name=f"{body.name}, as text", data=b64encode(body.data), wire=TEXT) for body in BINARY_BODIES
)

TEXT_BODIES = (
    _text("messages padded one by one", in_segments(frame(A), frame(B)), (A, B)),
    _text("padding after every byte", in_segments(*single_bytes(frame(A))), (A,)),
    _text("padding after every second byte", in_segments(frame(A)[:2], frame(A)[2:4], frame(A)[4:]), (A,)),
    _text("padding within a header", in_segments(frame(A)[:4], frame(A)[4:]), (A,)),
    _text("padding between header and payload", in_segments(frame(A)[:5], frame(A)[5:]), (A,)),
    _text("line breaks", b"\r\n".join(single_bytes(b64encode(frame(A)))) + b"\r\n", (A,)),
    _text("line breaks only", b"\r\n\n\r"),
    _text("bits after the last byte", b"AAAAAAFh", (b"a",)),
    _text("bits under the padding", in_segments(header(0, 1)) + b"YR==", (b"a",)),
    _text("one character", b"A", (), ENDS_IN_GROUP, True),
    _text("no padding", b64encode(frame(A + b"!")).rstrip(b"="), (), ENDS_IN_GROUP, True),
    _text("half the padding", b"AA=", (), ENDS_IN_GROUP, True),
    _text("a message and a character", b64encode(frame(A + b"--")) + b"A", (A + b"--",), ENDS_IN_GROUP, True),
    _text("an asterisk", b"AA*A", (), NOT_BASE64),
    _text("an asterisk after a message", b64encode(frame(A)) + b"AAA*", (A,), NOT_BASE64),
    _text("an asterisk after a padded group", b"AA==" + b"*AAA", (), NOT_BASE64),
    _text("an asterisk after two messages", in_segments(frame(A), frame(B)) + b"****" * 9, (A, B), NOT_BASE64),
    _text("an asterisk before a message", b"****" + b64encode(frame(A)), (), NOT_BASE64),
    _text("a frame that is refused before an asterisk", b64encode(header(0x40, 0) + b"!") + b"****", (), bad_flags(64)),
    _text("an asterisk before a frame that is refused", b"AA*A" + b64encode(header(0x40, 0)), (), NOT_BASE64),
    _text("asterisks before a padded group", b"****AAA=", (), NOT_BASE64),
    _text("the letters for addresses", b"A-_A", (), NOT_BASE64),
    _text("a space", b"AA A" + b"AAAA", (), NOT_BASE64),
    _text("a zero byte", b"AA\x00A", (), NOT_BASE64),
    _text("a byte above ASCII", b"AA\xe4A", (), NOT_BASE64),
    _text("frames that are not base64", frame(LARGEST), (), NOT_BASE64),
    _text("padding first", b"=AAA", (), NOT_BASE64),
    _text("padding after one character", b"A===", (), NOT_BASE64),
    _text("padding inside a group", b"AA=A", (), NOT_BASE64),
    _text("padding only", b"====", (), NOT_BASE64),
)  # fmt: skip


def _fixture(name: str, *rest: object) -> Body:
    return _text(name, (FIXTURES / f"{name}.bin").read_bytes(), *rest)


# Each of these was read wrongly once. The file has the name of the fault.
FAULTS = (
    _fixture("group_of_padding_taken_after_a_whole_group", (), NOT_BASE64),
    _fixture("large_frame_hidden_by_an_incomplete_group", (), too_large(2**31)),
)

BODIES = BINARY_BODIES + AS_TEXT + TEXT_BODIES + FAULTS
