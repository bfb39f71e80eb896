"""The protocol core alone: its readers of a body agree with each other and with the reference.

Nothing else may be raised than what the core says that it raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from grpc_bridge.protocol.compression import request_encoding
from grpc_bridge.protocol.metadata import decode_metadata, encode_metadata
from grpc_bridge.protocol.negotiation import wire_of
from grpc_bridge.protocol.status import StatusCode, StatusError, decode_message, encode_message
from grpc_bridge.protocol.timeout import LONGEST_SECONDS, decode_timeout, encode_timeout
from grpc_bridge.protocol.trailers import decode_trailers, encode_trailers
from tests.fuzz import reference
from tests.fuzz.case import Case
from tests.fuzz.reference import MAX_MESSAGE_BYTES


def offences(case: Case) -> Iterator[str]:
    """Says what is wrong with how the core reads a request."""
    yield from _bodies(case)
    yield from _texts(case)


def _bodies(case: Case) -> Iterator[str]:
    wire = wire_of(case.header("content-type"))
    encoding, error = _result(lambda: request_encoding(case.header("grpc-encoding") or ""))
    if wire is None or error is not None:
        return
    reader = wire.reader(MAX_MESSAGE_BYTES, encoding)

    def in_pieces() -> Iterator[bytes]:
        for chunk in case.delivered:
            yield from reader.receive_data(chunk)
            if reader.wanted_bytes < 1:
                raise AssertionError("a reader wants nothing")
        reader.end()

    def at_once() -> Iterator[bytes]:
        yield from wire.read_body(b"".join(case.delivered), MAX_MESSAGE_BYTES, encoding)

    messages, error = read = _collected(in_pieces())
    if read != (whole := _collected(at_once())):
        yield f"in pieces {read!r}, at once {whole!r}"
    expected = reference.sent(case)
    if messages != list(expected.messages[: len(messages)]):
        yield f"the core reads {messages!r}, the reference {expected!r}"
    if error is None and not (expected.is_whole or case.breaks_off):  # a loss is the transport's business
        yield "the core takes a body that the reference refuses"
    if error is not None and expected.is_whole:
        yield f"the core refuses a body that is right: {error}"


def _collected(messages: Iterator[bytes]) -> tuple[list[bytes], StatusCode | None]:
    collected: list[bytes] = []
    try:
        for message in messages:
            collected.append(message)  # noqa: PERF402 - what came before an error counts
    except StatusError as error:
        return collected, error.code
    return collected, None


def _texts(case: Case) -> Iterator[str]:
    metadata, _ = _result(lambda: decode_metadata(case.headers))
    if metadata is not None:
        try:
            pairs = encode_metadata(metadata)
        except ValueError:
            pairs = ()  # what a client may send, a server may not always
        if pairs and decode_metadata(pairs) != metadata:
            yield f"metadata {metadata!r} comes back as {decode_metadata(pairs)!r}"
    for _, value in case.headers:
        seconds, _ = _result(lambda value=value: decode_timeout(value))
        if seconds is not None and not 0 <= seconds <= LONGEST_SECONDS:
            yield f"timeout {value!r} is {seconds} seconds"
        if seconds is not None and decode_timeout(encode_timeout(seconds)) < seconds * 0.999:
            yield f"timeout {value!r} is shortened to {encode_timeout(seconds)}"
        if decode_message(encode_message(value)) != value:
            yield f"message {value!r}"
    _result(lambda: decode_trailers(b"".join(case.delivered)))
    text = b"".join(case.delivered).decode("utf-8", errors="replace")
    frame = encode_trailers(StatusCode.UNKNOWN, text)
    if decode_trailers(frame[5:])[1] != text:
        yield f"message {text!r} does not survive its trailers"


def _result(function: Callable[[], Any]) -> tuple[Any, StatusCode | None]:
    """Gives what a function of the core gives, or the code of its error. Other errors are for the caller."""
    try:
        return function(), None
    except StatusError as error:
        return None, error.code
