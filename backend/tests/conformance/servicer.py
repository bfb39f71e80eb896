"""The service that the suite calls, as an ordinary grpcio servicer, once with `def` and once with `async def`.

What belongs here: what the suite's own `service.proto` asks of a server, and nothing about the bridge. `UnaryScript`
and `StreamScript` know what is to be answered; the two servicers wait, send and abort.
"""

from __future__ import annotations

import asyncio
import base64
import math
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import grpc
from connectrpc.conformance.v1 import service_pb2 as messages
from connectrpc.conformance.v1.service_pb2_grpc import ConformanceServiceServicer
from google.protobuf.any_pb2 import Any as AnyMessage

CODES = {code.value[0]: code for code in grpc.StatusCode}

MILLISECOND = 0.001


class _Script:
    """What both kinds of answers have in common. `definition` is what the caller wants to be answered."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.definition: Any = None
        self.taken: list[AnyMessage] = []
        self.error_details: list[AnyMessage] = []

    def take(self, request: Any) -> None:
        """Notes a request. Only the first of a stream says what is to be answered."""
        if self.definition is None:
            self.definition = request.response_definition
        packed = AnyMessage()
        packed.Pack(request)
        self.taken.append(packed)

    @property
    def initial_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        return () if self.definition is None else metadata_of(self.definition.response_headers)

    @property
    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        return () if self.definition is None else metadata_of(self.definition.response_trailers)

    @property
    def delay(self) -> float:
        """Seconds to wait before each answer."""
        return 0.0 if self.definition is None else self.definition.response_delay_ms * MILLISECOND

    @property
    def fails(self) -> bool:
        return self.definition is not None and self.definition.HasField("error")

    def abort_arguments(self) -> tuple[grpc.StatusCode, str]:
        """Gives what `context.abort` takes, and sets the details of the error."""
        error = messages.Error()
        error.CopyFrom(self.definition.error)
        error.details.extend(self.error_details)
        # `Error` has the fields of google.rpc.Status, under the same numbers.
        details = ("grpc-status-details-bin", error.SerializeToString())
        self.context.set_trailing_metadata((*self.trailing_metadata, details))
        return CODES[error.code], error.message

    def request_info(self) -> messages.ConformancePayload.RequestInfo:
        """Gives what is known of the call: metadata, time left, and the requests so far."""
        info = messages.ConformancePayload.RequestInfo(
            request_headers=headers_of(self.context.invocation_metadata()), requests=self.taken
        )
        remaining = self.context.time_remaining()
        if remaining is not None and not math.isinf(remaining):
            info.timeout_ms = int(remaining / MILLISECOND)
        return info


class UnaryScript(_Script):
    """The answer of a method that gives one message."""

    def __init__(self, context: Any, requests: Iterable[Any]) -> None:
        super().__init__(context)
        for request in requests:
            self.take(request)
        if self.fails:
            packed = AnyMessage()
            packed.Pack(self.request_info())
            self.error_details = [packed]

    def payload(self) -> messages.ConformancePayload:
        """Gives the payload of the answer."""
        data = b"" if self.definition is None else self.definition.response_data
        return messages.ConformancePayload(data=data, request_info=self.request_info())


class StreamScript(_Script):
    """The answers of a method that gives a stream."""

    answered = 0

    @property
    def left(self) -> int:
        """How many answers are still to be given."""
        return 0 if self.definition is None else len(self.definition.response_data) - self.answered

    def payload(self) -> messages.ConformancePayload:
        """Gives the payload of the next answer: the first tells all of the call, later ones what has come since."""
        payload = messages.ConformancePayload(data=self.definition.response_data[self.answered])
        if self.answered == 0:
            payload.request_info.CopyFrom(self.request_info())
        elif self.taken:
            payload.request_info.requests.extend(self.taken)
        self.answered += 1
        self.taken = []
        return payload

    def abort_arguments(self) -> tuple[grpc.StatusCode, str]:
        if self.answered == 0:
            packed = AnyMessage()
            packed.Pack(self.request_info())
            self.error_details = [packed]
        return super().abort_arguments()


def metadata_of(headers: Iterable[Any]) -> tuple[tuple[str, str | bytes], ...]:
    """Gives the suite's headers as metadata. It writes binary values as base64 without padding."""
    pairs: list[tuple[str, str | bytes]] = []
    for header in headers:
        key = header.name.lower()
        is_binary = key.endswith("-bin")
        pairs.extend((key, base64.b64decode(value + "==") if is_binary else value) for value in header.value)
    return tuple(pairs)


def headers_of(metadata: Iterable[tuple[str, str | bytes]]) -> list[Any]:
    """Gives metadata as the suite's headers."""
    headers: dict[str, Any] = {}
    for key, value in metadata:
        text = base64.b64encode(value).rstrip(b"=").decode() if isinstance(value, bytes) else value
        headers.setdefault(key, messages.Header(name=key)).value.append(text)
    return list(headers.values())


class SyncServicer(ConformanceServiceServicer):
    """As `def` handlers. `Unimplemented` stays that of the base class."""

    def Unary(self, request: Any, context: Any) -> Any:
        return messages.UnaryResponse(payload=self._answer([request], context))

    def IdempotentUnary(self, request: Any, context: Any) -> Any:
        return messages.IdempotentUnaryResponse(payload=self._answer([request], context))

    def ClientStream(self, requests: Iterator[Any], context: Any) -> Any:
        return messages.ClientStreamResponse(payload=self._answer(requests, context))

    def ServerStream(self, request: Any, context: Any) -> Iterator[Any]:
        script = StreamScript(context)
        script.take(request)
        self._announce(script)
        for payload in self._rest(script):
            yield messages.ServerStreamResponse(payload=payload)

    def BidiStream(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        script = StreamScript(context)
        full_duplex = False
        for request in requests:
            if script.definition is None:
                script.take(request)
                full_duplex = request.full_duplex
                self._announce(script)
            else:
                script.take(request)
            if full_duplex:
                if not script.left:
                    break
                time.sleep(script.delay)
                yield messages.BidiStreamResponse(payload=script.payload())
        for payload in self._rest(script):
            yield messages.BidiStreamResponse(payload=payload)

    def _answer(self, requests: Iterable[Any], context: Any) -> messages.ConformancePayload:
        script = UnaryScript(context, requests)
        self._announce(script)
        time.sleep(script.delay)
        if script.fails:
            context.abort(*script.abort_arguments())
        return script.payload()

    def _announce(self, script: UnaryScript | StreamScript) -> None:
        script.context.send_initial_metadata(script.initial_metadata)
        script.context.set_trailing_metadata(script.trailing_metadata)

    def _rest(self, script: StreamScript) -> Iterator[messages.ConformancePayload]:
        while script.left:
            time.sleep(script.delay)
            yield script.payload()
        if script.fails:
            script.context.abort(*script.abort_arguments())


class AsyncServicer(ConformanceServiceServicer):
    """As `async def` handlers."""

    async def Unary(self, request: Any, context: Any) -> Any:
        return messages.UnaryResponse(payload=await self._answer([request], context))

    async def IdempotentUnary(self, request: Any, context: Any) -> Any:
        return messages.IdempotentUnaryResponse(payload=await self._answer([request], context))

    async def ClientStream(self, requests: AsyncIterator[Any], context: Any) -> Any:
        received = [request async for request in requests]
        return messages.ClientStreamResponse(payload=await self._answer(received, context))

    async def ServerStream(self, request: Any, context: Any) -> AsyncIterator[Any]:
        script = StreamScript(context)
        script.take(request)
        await self._announce(script)
        async for payload in self._rest(script):
            yield messages.ServerStreamResponse(payload=payload)

    async def BidiStream(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        script = StreamScript(context)
        full_duplex = False
        async for request in requests:
            if script.definition is None:
                script.take(request)
                full_duplex = request.full_duplex
                await self._announce(script)
            else:
                script.take(request)
            if full_duplex:
                if not script.left:
                    break
                await asyncio.sleep(script.delay)
                yield messages.BidiStreamResponse(payload=script.payload())
        async for payload in self._rest(script):
            yield messages.BidiStreamResponse(payload=payload)

    async def _answer(self, requests: Iterable[Any], context: Any) -> messages.ConformancePayload:
        script = UnaryScript(context, requests)
        await self._announce(script)
        await asyncio.sleep(script.delay)
        if script.fails:
            await context.abort(*script.abort_arguments())
        return script.payload()

    async def _announce(self, script: UnaryScript | StreamScript) -> None:
        await script.context.send_initial_metadata(script.initial_metadata)
        script.context.set_trailing_metadata(script.trailing_metadata)

    async def _rest(self, script: StreamScript) -> AsyncIterator[messages.ConformancePayload]:
        while script.left:
            await asyncio.sleep(script.delay)
            yield script.payload()
        if script.fails:
            await script.context.abort(*script.abort_arguments())
