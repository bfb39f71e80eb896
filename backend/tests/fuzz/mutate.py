"""Makes requests: new ones that are nearly right, and those of the corpus with something changed."""

from __future__ import annotations

import gzip
import zlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from tests.fuzz.case import Case, Headers
from tests.fuzz.reference import BINARY_TYPES, MAX_MESSAGE_BYTES, NATIVE_TYPES, TEXT_TYPES
from tests.fuzz.servicers import METHODS, OPERATIONS, SERVICE

PATHS = [
    *METHODS, f"/{SERVICE}/Missing", "/missing.v1.Service/Method", "/", "", "//", f"/{SERVICE}", f"/{SERVICE}/",
    f"/{SERVICE}/SyncUnaryUnary/", f"//{SERVICE}/SyncUnaryUnary", f"/{SERVICE.upper()}/SyncUnaryUnary", "/\xe4\u20ac",
]  # fmt: skip
CONTENT_TYPES = sorted(BINARY_TYPES | TEXT_TYPES | NATIVE_TYPES)
ODD_CONTENT_TYPES = [
    "", "application/json", "text/plain", "application/grpc-web+json", "APPLICATION/GRPC-WEB",
    "application/grpc-websockets",
    " application/grpc-web ; charset=utf-8", "application/grpc-web-text;a=b;c", ";", "application/grpc-web,text/plain",
]  # fmt: skip
HEADERS = {
    "accept": ["*/*", "application/grpc-web-text", "text/html, APPLICATION/GRPC-WEB-TEXT+proto;q=0.9", ""],
    "content-type": CONTENT_TYPES + ODD_CONTENT_TYPES,
    "cookie": ["sessionid=abc", "a=b; sessionid=", "=", ";;;", "sessionid=\xff"],
    "fuzz-bin": ["", "AA", "AA==", "AA,AB", "!!!", "A", "AAAA=", "=", "\xe4"],
    "fuzz-key": ["", "value", "a,b", " a ", "\xe4", "\t", "%"],
    "grpc-accept-encoding": ["gzip", "deflate,gzip", "identity", " GZIP , x", "", ",,,"],
    "grpc-encoding": ["gzip", "deflate", "identity", " Gzip", "br", "", "gzip,gzip", "\xe4"],
    "grpc-timeout": [
        "1H", "1S", "0n", "1n", "1m", "99999999S", "9999999999999999999H", "S", "-1S", "1.5S", "1_0S", "", "\xb2S",
    ],
    "host": ["testserver", "localhost:8000", "evil.example", "", "a b", "[::1]", "\xe4", "testserver,testserver"],
    "origin": ["http://testserver", "https://evil.example", "null", "", "http://[", "\xe4"],
    "sec-fetch-site": ["same-origin", "cross-site", "none", "x", ""],
    "te": ["trailers", ""],
    "x-grpc-web": ["1"],
    "x_under_score": ["1"],
}  # fmt: skip
NUMBERS = [
    0, 1, 4, 5, 6, MAX_MESSAGE_BYTES - 1, MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES + 1, 2**15, 2**24, 2**31 - 1, 2**31,
    2**32 - 1,
]  # fmt: skip
BYTES = [
    b"",
    b"\x00",
    b"\xff",
    b"\x80",
    b"\x01",
    b"=",
    b"==",
    b"A",
    b"\r\n",
    b"\n",
    b"\x00\x00\x00\x00\x00",
    b"\x80\x00\x00\x00\x00",
]


class Mutator:
    """An endless supply of cases, the same for the same seed and the same corpus."""

    def __init__(self, seed: int, corpus: Sequence[Case]) -> None:
        self._random = Random(seed)  # noqa: S311 - it has to repeat itself
        self._corpus = list(corpus)
        self._changes: list[Callable[[Case], Case]] = [
            self._change_body, self._change_body, self._change_body, self._rechunk, self._change_header,
            self._add_header, self._drop_header, self._change_length, self._lose, self._change_path,
            self._change_method, self._splice,
        ]  # fmt: skip

    def next(self) -> Case:
        """Gives the next case."""
        is_new = not self._corpus or self._random.random() < 0.5
        case = self._new() if is_new else self._random.choice(self._corpus)
        for _ in range(self._random.choice((0, 0, 1, 1, 2, 4) if is_new else (1, 1, 2, 3, 5))):
            case = self._random.choice(self._changes)(case)
        return case

    # What is right.

    def _new(self) -> Case:
        random = self._random
        path = random.choice(list(METHODS))
        content_type = random.choice(CONTENT_TYPES)
        encoding = random.choice(["", "", "", "gzip", "deflate"])
        count = (
            random.choice((0, 1, 2, 3, 10))
            if METHODS[path].startswith("Stream")
            else random.choice((1, 1, 1, 1, 1, 0, 2))
        )
        frames = [self._frame(self._message(), encoding) for _ in range(count)]
        headers = [("host", "testserver"), ("content-type", content_type)]
        if encoding:
            headers.append(("grpc-encoding", encoding))
        if random.random() < 0.3:
            headers.append(("grpc-accept-encoding", random.choice(HEADERS["grpc-accept-encoding"])))
        body = self._text(frames) if content_type in TEXT_TYPES else b"".join(frames)
        has_trailers = content_type in NATIVE_TYPES or random.random() < 0.1
        return Case(path, tuple(headers), self._cut(body), has_length=random.random() < 0.7, has_trailers=has_trailers)

    def _message(self) -> bytes:
        random = self._random
        size = random.choice((0, 1, 2, 3, 20, random.choice(NUMBERS[:8])))
        first = bytes([random.choice(OPERATIONS)]) if random.random() < 0.4 else random.randbytes(min(size, 1))
        return first + (random.randbytes(max(size - 1, 0)) if random.random() < 0.5 else b"-" * max(size - 1, 0))

    def _frame(self, message: bytes, encoding: str) -> bytes:
        flags = 0
        if encoding and self._random.random() < 0.7:
            flags, message = 1, gzip.compress(message, mtime=0) if encoding == "gzip" else zlib.compress(message)
        return bytes([flags]) + len(message).to_bytes(4, "big") + message

    def _text(self, frames: list[bytes]) -> bytes:
        segments = frames if self._random.random() < 0.5 else self._cut(b"".join(frames))
        separator = self._random.choice((b"", b"", b"\r\n", b"\n"))
        return separator.join(map(b64encode, segments))

    def _cut(self, data: bytes) -> tuple[bytes, ...]:
        count = self._random.choice((0, 0, 1, 2, 5))
        if self._random.random() < 0.05:
            count = len(data)
        places = sorted(self._random.randint(0, len(data)) for _ in range(count))
        return tuple(data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True))

    # What is changed.

    def _change_body(self, case: Case) -> Case:
        random = self._random
        data = bytearray(b"".join(case.chunks))
        at = random.randint(0, len(data))
        end = min(at + random.choice((1, 1, 2, 4, 5, 100)), len(data))
        match random.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << random.randrange(8)
            case 1:
                data[at:at] = random.choice((*BYTES, random.randbytes(random.randrange(8))))
            case 2:
                del data[at:end]
            case 3:
                data[at:at] = data[at:end] * random.choice((1, 2, 10))
            case 4:
                data[at : at + 4] = random.choice(NUMBERS).to_bytes(4, "big")
            case 5:
                data[1:5] = random.choice(NUMBERS).to_bytes(4, "big")
        return replace(case, chunks=self._cut(bytes(data[: 8 * MAX_MESSAGE_BYTES])))

    def _rechunk(self, case: Case) -> Case:
        return replace(case, chunks=self._cut(b"".join(case.chunks)), has_length=self._random.random() < 0.5)

    def _header(self) -> tuple[str, str]:
        name = self._random.choice(list(HEADERS))
        value = self._random.choice(HEADERS[name])
        if self._random.random() < 0.2:
            value += self._random.choice(BYTES).decode("latin-1").strip("\r\n\0")
        return name, value

    def _change_header(self, case: Case) -> Case:
        name, value = self._header()
        return replace(case, headers=_with(case.headers, name, value))

    def _add_header(self, case: Case) -> Case:
        at = self._random.randint(0, len(case.headers))
        return replace(case, headers=(*case.headers[:at], self._header(), *case.headers[at:]))

    def _drop_header(self, case: Case) -> Case:
        if not case.headers:
            return case
        at = self._random.randrange(len(case.headers))
        return replace(case, headers=case.headers[:at] + case.headers[at + 1 :])

    def _change_length(self, case: Case) -> Case:
        return replace(case, has_length=True, missing=self._random.choice((-100, -5, -1, 1, 5, 2**31)))

    def _lose(self, case: Case) -> Case:
        if self._random.random() < 0.5:
            return replace(case, lost_after_chunks=self._random.randint(0, len(case.chunks)))
        return replace(case, lost_after_writes=self._random.choice((0, 1, 1, 2, 3, 10)))

    def _change_path(self, case: Case) -> Case:
        return replace(case, path=self._random.choice(PATHS))

    def _change_method(self, case: Case) -> Case:
        return replace(case, http_method=self._random.choice(("GET", "HEAD", "OPTIONS", "PUT", "POST", "post", "")))

    def _splice(self, case: Case) -> Case:
        other = self._random.choice(self._corpus) if self._corpus else self._new()
        one, two = b"".join(case.chunks), b"".join(other.chunks)
        body = one[: self._random.randint(0, len(one))] + two[self._random.randint(0, len(two)) :]
        return replace(case, chunks=self._cut(body[: 8 * MAX_MESSAGE_BYTES]))


def _with(headers: Headers, name: str, value: str) -> Headers:
    return (*((key, old) for key, old in headers if key != name), (name, value))
