"""What must hold of every answer, whatever was asked. A rule gives sentences, one for each offence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.fuzz import reference
from tests.fuzz.case import Case, Headers
from tests.fuzz.reference import MAX_MESSAGE_BYTES, sent
from tests.fuzz.servicers import METHODS, NOT_DECODABLE, OPERATIONS
from tests.fuzz.transports import Observation

HTTP_STATUSES = frozenset((200, 400, 403, 405, 415, 505))
ANSWER_TYPES = {
    "application/grpc-web+proto": "binary",
    "application/grpc-web-text+proto": "text",
    "application/grpc": "native",
}
TRAILER_KEYS = {"grpc-status", "grpc-message", "fuzz-key", "fuzz-bin"}
"""Those of the bridge and those that the handlers set. Any other has been forged."""

_TOKEN = re.compile(r"[0-9a-z_.-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_STATUS = re.compile("[0-9]|1[0-6]")


class MalformedError(Exception):
    """An answer that no client could read."""


@dataclass(frozen=True)
class Answer:
    """An answer as a client reads it."""

    code: int
    messages: tuple[bytes, ...]
    trailers: Headers


def offences(case: Case, seen: Observation) -> Iterator[str]:
    """Says what is wrong with one answer."""
    yield from seen.problems
    yield from _runs(case, seen)
    if seen.passed_on:
        if reference.is_rpc(case) and case.http_method == "POST":
            yield "an RPC was passed on to the site"
    elif seen.is_ended:
        yield from _answer(case, seen)
    elif not case.is_lost:
        yield "the answer has no end"


def _runs(case: Case, seen: Observation) -> Iterator[str]:
    """A handler runs for what was sent, and for nothing else."""
    if len(seen.record.runs) > 1:
        yield f"{len(seen.record.runs)} handlers ran"
    for path, messages in seen.record.runs:
        expected = sent(case)
        if path != case.path or case.http_method != "POST" or not reference.is_rpc(case):
            yield f"the handler of {path} ran"
        elif METHODS[path].startswith("Unary"):
            if not expected.is_whole or len(expected.messages) != 1 or messages != list(expected.messages):
                yield f"a unary handler was given {messages!r}, the request has {expected!r}"
        elif messages != list(expected.messages[: len(messages)]):
            yield f"a handler was given {messages!r}, the request has {expected!r}"


def _answer(case: Case, seen: Observation) -> Iterator[str]:
    yield from _head(seen)
    if seen.status != 200:
        if seen.record.runs:
            yield f"a handler ran for an HTTP status {seen.status}"
        return
    try:
        answer = read_answer(case, seen)
    except MalformedError as error:
        yield str(error)
        return
    if METHODS.get(case.path, "").endswith("Unary") and len(answer.messages) > 1:
        yield "a unary answer has more than one message"
    if any(len(message) > MAX_MESSAGE_BYTES for message in answer.messages):
        yield "a message is larger than the limit"
    if not case.is_lost:
        yield from _outcome(case, answer)


def _head(seen: Observation) -> Iterator[str]:
    if seen.status not in HTTP_STATUSES:
        yield f"HTTP status {seen.status}"
    for name, value in seen.headers:
        if _TOKEN.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
            yield f"response header {name!r}: {value!r}"
        if name == "content-length" and value != str(len(seen.body)):
            yield f"content-length {value} of {len(seen.body)} bytes"


def _outcome(case: Case, answer: Answer) -> Iterator[str]:
    """What the status must be, where the request alone decides it."""
    kind, expected = METHODS.get(case.path), sent(case)
    is_right = expected.is_whole and (len(expected.messages) == 1 or not (kind or "").startswith("Unary"))
    if answer.code == 0 and (kind is None or not is_right):
        yield "a request that is wrong ended with OK"
    if kind is None or not is_right or not _is_plain(case) or not _are_echoes(expected.messages):
        return
    echo = (b"".join(expected.messages),) if kind == "StreamUnary" else expected.messages
    if sum(map(len, echo)) > MAX_MESSAGE_BYTES and kind == "StreamUnary":
        if answer.code != 8:
            yield f"a response above the limit ended with {answer.code}"
    elif answer.code != 0 or answer.messages != echo:
        yield f"a request that is right ended with {answer.code} and {answer.messages!r}"


def _is_plain(case: Case) -> bool:
    """Whether no header can make a difference to a request that is right."""
    names = [name for name, _ in case.headers]
    encoding = (case.header("grpc-encoding") or "identity").strip().lower()
    return (
        len(names) == len(set(names))
        and "grpc-timeout" not in names
        and not any("_" in name for name in names)
        and encoding in ("identity", "gzip", "deflate")
    )


def _are_echoes(messages: tuple[bytes, ...]) -> bool:
    return not any(message[:1] and message[:1] in OPERATIONS + NOT_DECODABLE for message in messages)


def read_answer(case: Case, seen: Observation) -> Answer:
    """Reads the answer of an RPC as a strict client does. Raises `MalformedError`."""
    types = [value for name, value in seen.headers if name == "content-type"]
    if len(types) != 1 or types[0] not in ANSWER_TYPES:
        raise MalformedError(f"content types {types!r}")
    kind, body = ANSWER_TYPES[types[0]], seen.body
    if kind == "text":
        body, is_whole = reference.decoded(body)
        if not is_whole:
            raise MalformedError(f"the answer is no base64: {seen.body!r}")
    encodings = [value for name, value in seen.headers if name == "grpc-encoding"]
    messages: list[bytes] = []
    trailers = None
    while body:
        flags, length = body[0], int.from_bytes(body[1:5], "big")
        if len(body) < 5 + length or trailers is not None:
            raise MalformedError(f"the answer is cut, or goes on after its trailers: {seen.body!r}")
        payload, body = body[5 : 5 + length], body[5 + length :]
        if flags == 0x80 and kind != "native":
            trailers = _trailers(payload)
        else:
            messages.append(_message(case, flags, payload, encodings))
    if kind == "native":
        trailers = seen.trailers
    if trailers is None:
        raise MalformedError("the answer has no trailers")
    return Answer(_status(trailers), tuple(messages), trailers)


def _message(case: Case, flags: int, payload: bytes, encodings: list[str]) -> bytes:
    encoding = encodings[0] if encodings else "identity"
    accepted = [name.strip().lower() for name in (case.header("grpc-accept-encoding") or "").split(",")]
    if flags and encoding not in accepted:
        raise MalformedError(f"an answer in {encoding}, which the request does not accept")
    message = reference.plain(flags, payload, encoding)
    if message is None:
        raise MalformedError(f"a message with flags {flags:#x} in {encodings!r}: {payload!r}")
    return message


def _trailers(payload: bytes) -> Headers:
    lines = payload.decode("latin-1").split("\r\n")
    if lines.pop() != "":
        raise MalformedError(f"trailers {payload!r}")
    pairs = [tuple(line.split(": ", 1)) for line in lines]
    if any(len(pair) != 2 for pair in pairs):
        raise MalformedError(f"trailers {payload!r}")
    return tuple((pair[0], pair[1]) for pair in pairs)


def _status(trailers: Headers) -> int:
    names = [name for name, _ in trailers]
    if len(names) != len(set(names)) or not set(names) <= TRAILER_KEYS:
        raise MalformedError(f"trailers {trailers!r}")
    for name, value in trailers:
        if any(not " " <= character <= "~" for character in value):
            raise MalformedError(f"trailer {name!r}: {value!r}")
    status = dict(trailers).get("grpc-status", "")
    if _STATUS.fullmatch(status) is None:
        raise MalformedError(f"trailers {trailers!r}")
    return int(status)


def differences(case: Case, asgi: Observation, wsgi: Observation) -> Iterator[str]:
    """Says where the transports disagree about a request that they must see in the same way."""
    messages = sent(case).messages
    if case.is_lost or not _is_plain(case) or any(message[:1] == b"c" for message in messages):
        return  # a cancellation is a race; so are a deadline and a loss. WSGI joins headers of one name
    ours = [(seen.status, seen.passed_on, seen.record.runs, _told(case, seen)) for seen in (asgi, wsgi)]
    if ours[0] != ours[1]:
        yield f"ASGI and WSGI differ: {ours[0]!r}, {ours[1]!r}"


def _told(case: Case, seen: Observation) -> Answer | None:
    if seen.status != 200 or seen.passed_on:
        return None
    try:
        answer = read_answer(case, seen)
    except MalformedError:
        return None  # told elsewhere
    trailers = tuple(pair for pair in answer.trailers if "(call " not in pair[1])
    return Answer(answer.code, answer.messages, trailers)
