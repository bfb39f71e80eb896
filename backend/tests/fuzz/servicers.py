"""The service under fuzz: handlers of every kind that do what the first byte of a message says.

They take and give bytes. Every message that one is given is remembered in the `Record` of the request, so that nothing
can reach a handler unseen.
"""

# ruff: noqa: N802 - methods have the names of grpcio's kinds

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import grpc

SERVICE = "fuzz.v1.Fuzz"

KINDS = {
    "UnaryUnary": grpc.unary_unary_rpc_method_handler,
    "UnaryStream": grpc.unary_stream_rpc_method_handler,
    "StreamUnary": grpc.stream_unary_rpc_method_handler,
    "StreamStream": grpc.stream_stream_rpc_method_handler,
}
METHODS = {f"/{SERVICE}/{flavour}{kind}": kind for flavour in ("Sync", "Async") for kind in KINDS}
"""The kind of each method by its path."""

NOT_DECODABLE = b"\xff"
"""A message that begins so is none: the deserializer refuses it."""

OPERATIONS = b"abcdghimnrstx"
"""First bytes that mean something. Any other makes an echo."""

MANY = 40
"""How many responses the operation `m` makes where responses stream."""


@dataclass
class Record:
    """What the handlers of one request were given: for each run the path and its messages."""

    runs: list[tuple[str, list[bytes]]] = field(default_factory=list)


record: ContextVar[Record] = ContextVar("fuzz_record")


class NotDecodableError(Exception):
    """What the deserializer raises."""


class HandlerError(Exception):
    """What a handler raises when it is told to."""


def deserialize(message: bytes) -> bytes:
    """Takes any message but one."""
    if message.startswith(NOT_DECODABLE):
        raise NotDecodableError
    return message


def serialize(response: bytes) -> bytes:
    """Gives the bytes of a response. Raises `TypeError` for what is none."""
    if not isinstance(response, bytes):
        raise TypeError
    return response


def begun(path: str) -> list[bytes]:
    """Remembers a run and gives the list for its messages."""
    messages: list[bytes] = []
    record.get().runs.append((path, messages))
    return messages


def prepare(message: bytes, context: Any) -> None:
    """Does what a message says, as far as that is the same for every handler."""
    rest = message[1:]
    match message[:1]:
        case b"d":
            context.set_code(list(grpc.StatusCode)[rest[0] % 17] if rest else 99)
            context.set_details(rest.decode("utf-8", errors="surrogateescape"))
        case b"g":
            context.set_compression(grpc.Compression.Gzip if len(rest) % 2 else grpc.Compression.Deflate)
            if len(rest) > 20:
                context.disable_next_message_compression()
        case b"h":
            context.set_trailing_metadata([("fuzz-key", "fine"), ("fuzz-bin", rest)])
        case b"r":
            raise HandlerError(rest)
        case b"t":
            context.set_trailing_metadata([("fuzz-key", rest.decode("latin-1"))])
        case b"x":
            context.invocation_metadata(), context.peer(), context.time_remaining()


def responses(message: bytes) -> Iterable[Any]:
    """Gives the responses to a message."""
    match message[:1]:
        case b"m":
            return [message] * MANY
        case b"n":
            return [None]
    return [message]


class Sync:
    """The handlers by `def`."""

    def handle(self, message: bytes, context: Any, messages: list[bytes]) -> None:
        messages.append(message)
        prepare(message, context)
        if message[:1] == b"a":
            context.abort(list(grpc.StatusCode)[len(message) % 17], message[1:].decode("latin-1"))
        elif message[:1] == b"c":
            context.cancel()
        elif message[:1] == b"i":
            context.send_initial_metadata([("fuzz-initial", message[1:].decode("latin-1"))])

    def UnaryUnary(self, request: bytes, context: Any) -> Any:
        messages = begun(f"/{SERVICE}/SyncUnaryUnary")
        self.handle(request, context, messages)
        return next(iter(responses(request)))

    def UnaryStream(self, request: bytes, context: Any) -> Iterator[Any]:
        messages = begun(f"/{SERVICE}/SyncUnaryStream")
        self.handle(request, context, messages)
        yield from responses(request)

    def StreamUnary(self, requests: Iterator[bytes], context: Any) -> Any:
        messages = begun(f"/{SERVICE}/SyncStreamUnary")
        for request in requests:
            self.handle(request, context, messages)
        return b"".join(messages)

    def StreamStream(self, requests: Iterator[bytes], context: Any) -> Iterator[Any]:
        messages = begun(f"/{SERVICE}/SyncStreamStream")
        for request in requests:
            self.handle(request, context, messages)
            yield from responses(request)


class Async:
    """The handlers by `async def`."""

    async def handle(self, message: bytes, context: Any, messages: list[bytes]) -> None:
        messages.append(message)
        prepare(message, context)
        if message[:1] == b"a":
            await context.abort(list(grpc.StatusCode)[len(message) % 17], message[1:].decode("latin-1"))
        elif message[:1] == b"c":
            raise asyncio.CancelledError
        elif message[:1] == b"i":
            await context.send_initial_metadata([("fuzz-initial", message[1:].decode("latin-1"))])
        elif message[:1] == b"s":
            await asyncio.sleep(0)

    async def UnaryUnary(self, request: bytes, context: Any) -> Any:
        messages = begun(f"/{SERVICE}/AsyncUnaryUnary")
        await self.handle(request, context, messages)
        return next(iter(responses(request)))

    async def UnaryStream(self, request: bytes, context: Any) -> AsyncIterator[Any]:
        messages = begun(f"/{SERVICE}/AsyncUnaryStream")
        await self.handle(request, context, messages)
        for response in responses(request):
            yield response

    async def StreamUnary(self, requests: AsyncIterator[bytes], context: Any) -> Any:
        messages = begun(f"/{SERVICE}/AsyncStreamUnary")
        async for request in requests:
            await self.handle(request, context, messages)
        return b"".join(messages)

    async def StreamStream(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[Any]:
        messages = begun(f"/{SERVICE}/AsyncStreamStream")
        async for request in requests:
            await self.handle(request, context, messages)
            for response in responses(request):
                yield response


def register(server: Any) -> None:
    """Adds all methods, as generated code does."""
    handlers = {
        f"{flavour}{kind}": make(getattr(servicer, kind), deserialize, serialize)
        for flavour, servicer in (("Sync", Sync()), ("Async", Async()))
        for kind, make in KINDS.items()
    }
    server.add_registered_method_handlers(SERVICE, handlers)
