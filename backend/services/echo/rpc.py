"""The echo service on the wire: maps messages to `logic` and back. An ordinary grpcio servicer.

Some methods are `def` and some `async def` on purpose: both kinds run on every server, side by side.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import NoReturn

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from generated.echo.v1 import echo_pb2, echo_pb2_grpc
from grpc_bridge.access import allow, anyone
from services.echo import logic


class EchoServicer(echo_pb2_grpc.EchoServiceServicer):
    """Implements `echo.v1.EchoService`; the contract says what each method does."""

    @allow(anyone)
    def Echo(self, request: echo_pb2.EchoRequest, context: grpc.ServicerContext) -> echo_pb2.EchoResponse:
        return echo_pb2.EchoResponse(message=request.message, message_count=1)

    @allow(anyone)
    def EchoAbort(
        self, request: echo_pb2.EchoAbortRequest, context: grpc.ServicerContext
    ) -> echo_pb2.EchoAbortResponse:
        try:
            code = logic.check_abort_code(request.code)
        except logic.InvalidEchoError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        _abort(context, code, request.message, message_count=0)

    @allow(anyone)
    async def NoOp(
        self,
        request: echo_pb2.NoOpRequest,
        context: grpc.aio.ServicerContext[echo_pb2.NoOpRequest, echo_pb2.NoOpResponse],
    ) -> echo_pb2.NoOpResponse:
        return echo_pb2.NoOpResponse()

    @allow(anyone)
    async def ServerStreamingEcho(
        self,
        request: echo_pb2.ServerStreamingEchoRequest,
        context: grpc.aio.ServicerContext[echo_pb2.ServerStreamingEchoRequest, echo_pb2.ServerStreamingEchoResponse],
    ) -> AsyncIterator[echo_pb2.ServerStreamingEchoResponse]:
        try:
            plan = logic.plan_stream(request.message_count, _timedelta(request))
        except logic.InvalidEchoError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        for sequence, pause_seconds in plan.pauses():
            if pause_seconds:
                await asyncio.sleep(pause_seconds)
            yield echo_pb2.ServerStreamingEchoResponse(message=request.message, sequence=sequence)

    @allow(anyone)
    def ServerStreamingEchoAbort(
        self, request: echo_pb2.ServerStreamingEchoAbortRequest, context: grpc.ServicerContext
    ) -> Iterator[echo_pb2.ServerStreamingEchoAbortResponse]:
        try:
            code = logic.check_abort_code(request.code)
            plan = logic.plan_stream(request.message_count, _timedelta(request))
        except logic.InvalidEchoError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        over = threading.Event()  # a thread cannot be cancelled, so the pause listens for the call's end
        context.add_callback(over.set)
        for sequence, pause_seconds in plan.pauses():
            if pause_seconds and over.wait(pause_seconds):
                return
            yield echo_pb2.ServerStreamingEchoAbortResponse(message=request.message, sequence=sequence)
        _abort(context, code, request.message, plan.message_count)

    @allow(anyone)
    def ClientStreamingEcho(
        self, request_iterator: Iterator[echo_pb2.ClientStreamingEchoRequest], context: grpc.ServicerContext
    ) -> echo_pb2.ClientStreamingEchoResponse:
        return echo_pb2.ClientStreamingEchoResponse(message_count=sum(1 for _ in request_iterator))

    @allow(anyone)
    async def FullDuplexEcho(
        self,
        request_iterator: AsyncIterator[echo_pb2.FullDuplexEchoRequest],
        context: grpc.aio.ServicerContext[echo_pb2.FullDuplexEchoRequest, echo_pb2.FullDuplexEchoResponse],
    ) -> AsyncIterator[echo_pb2.FullDuplexEchoResponse]:
        sequence = 0
        async for request in request_iterator:
            sequence += 1
            yield echo_pb2.FullDuplexEchoResponse(message=request.message, sequence=sequence)

    @allow(anyone)
    def HalfDuplexEcho(
        self, request_iterator: Iterator[echo_pb2.HalfDuplexEchoRequest], context: grpc.ServicerContext
    ) -> Iterator[echo_pb2.HalfDuplexEchoResponse]:
        try:
            texts = logic.collect(request.message for request in request_iterator)
        except logic.TooMuchToEchoError as error:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        for sequence, text in enumerate(texts, start=1):
            yield echo_pb2.HalfDuplexEchoResponse(message=text, sequence=sequence)


def _abort(context: grpc.ServicerContext, code: int, message: str, message_count: int) -> NoReturn:
    details = any_pb2.Any()
    details.Pack(
        error_details_pb2.ErrorInfo(
            reason="ABORT_ASKED_FOR", domain="echo.v1.EchoService", metadata={"message_count": str(message_count)}
        )
    )
    status = rpc_status.to_status(status_pb2.Status(code=code, message=message, details=[details]))
    context.set_trailing_metadata((*status.trailing_metadata, ("echo-message-count", str(message_count))))
    context.abort(status.code, message)


def _timedelta(
    request: echo_pb2.ServerStreamingEchoRequest | echo_pb2.ServerStreamingEchoAbortRequest,
) -> timedelta:
    try:
        return request.message_interval.ToTimedelta()
    except (OverflowError, ValueError):  # a Duration holds more seconds than a timedelta, and may be malformed
        raise logic.InvalidEchoError("message_interval is not a duration that can be waited for") from None


def register(server: grpc.Server) -> None:
    """Adds the service to a server: the bridge's registry or a real grpcio one."""
    echo_pb2_grpc.add_EchoServiceServicer_to_server(EchoServicer(), server)
