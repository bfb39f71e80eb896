"""A case of the contract: a call, and the answer that every transport must give to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import grpc
from google.protobuf.message import Message

from tests.contract.methods import FLAVOURS

Metadata = tuple[tuple[str, str | bytes], ...]


@dataclass(frozen=True)
class Call:
    """What a client does: the method's name in `methods.METHODS`, the request messages, and what goes along."""

    method: str
    requests: Sequence[Message]
    metadata: Metadata = ()
    timeout: float | None = None
    compression: grpc.Compression = grpc.Compression.NoCompression


@dataclass(frozen=True)
class Answer:
    """What a client gets. Metadata is what the handler sent, without what HTTP or the transport adds.

    There is no code where a client has waited in vain.
    """

    messages: Sequence[Message] = ()
    code: grpc.StatusCode | None = grpc.StatusCode.OK
    details: str | re.Pattern[str] = ""
    initial_metadata: Metadata = ()
    trailing_metadata: Metadata = ()


@dataclass(frozen=True)
class Case:
    """A call and its answer. `flavours` are the servicers that it holds for: both, unless grpcio's own two differ."""

    name: str
    call: Call
    answer: Answer
    flavours: Sequence[str] = field(default=FLAVOURS)


class Transport(Protocol):
    """A way to call the servicers. One `call()` is all that a case needs."""

    def call(self, flavour: str, call: Call) -> Answer:
        """Makes a call to the method of the `Sync` or the `Async` servicer, and gives its answer."""


def check(expected: Answer, actual: Answer) -> None:
    """Raises `AssertionError` where the answers differ. Metadata has an order within one key only, as in gRPC."""
    if isinstance(expected.details, re.Pattern):
        assert expected.details.fullmatch(str(actual.details)), actual
    else:
        assert actual.details == expected.details, actual
    assert actual.code is expected.code, actual
    assert list(actual.messages) == list(expected.messages)
    assert _by_key(actual.initial_metadata) == _by_key(expected.initial_metadata)
    assert _by_key(actual.trailing_metadata) == _by_key(expected.trailing_metadata)


def _by_key(metadata: Metadata) -> Metadata:
    return tuple(sorted(metadata, key=lambda entry: entry[0]))
