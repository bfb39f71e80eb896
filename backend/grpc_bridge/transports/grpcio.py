"""The transport of grpcio: `grpc.aio.server` reads and writes, and hands the bridge messages instead of bytes.

To the rest of the bridge it looks like a server of ASGI: what grpcio has read comes as a request's body, and what is
sent as an answer is given to grpcio as metadata, messages and a status. So a call is served here as everywhere else.

grpcio does HTTP/2, flow control, frames and compression, and refuses on its own what is too large. It destroys its
call when our task for it ends, and whatever is asked of the call afterwards crashes the process. A `def` handler may
live longer than its call; therefore what it may ask for is read when the call begins.
"""

from __future__ import annotations

import asyncio
import time
import types
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from typing import Any

import grpc

from grpc_bridge.admission import Admission
from grpc_bridge.call import Call
from grpc_bridge.call_state import CallContext
from grpc_bridge.codes import GRPCIO_CODES
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.heads import KnownHeads
from grpc_bridge.limits import too_much_metadata
from grpc_bridge.protocol.frames import FLAG_COMPRESSED, HEADER, HEADER_BYTES, encode_frame
from grpc_bridge.protocol.metadata import Metadatum, decode_metadata
from grpc_bridge.protocol.negotiation import HttpAnswer
from grpc_bridge.protocol.status import StatusCode, StatusError, decode_message
from grpc_bridge.registry import Handler, Registry
from grpc_bridge.translated import TranslatedRequest, translated_request
from grpc_bridge.transports.asgi import serve_call
from grpc_bridge.transports.asgi_request import Event, Receive, RequestBody
from grpc_bridge.transports.asgi_send import send_answer

Native = Any
"""grpcio's context of a call, `grpc.aio.ServicerContext`. Its class is not of Python."""

EXPIRED = StatusError(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
GONE = StatusError(StatusCode.CANCELLED, "The caller has disconnected")

_COMPRESSIONS = {b"gzip": grpc.Compression.Gzip, b"deflate": grpc.Compression.Deflate}
_HTTP_HEADERS = frozenset((b"content-type", b"grpc-encoding", b"grpc-accept-encoding"))

PLAIN_HEADERS = 2
"""How many headers there are where a handler has neither sent metadata nor set a compression."""

TURNS_UNTIL_CANCELLED = 3
"""How many turns of the event loop grpcio may take to cancel a task once it knows that the caller has gone."""


class GrpcioRequest:
    """What a call asks of grpcio's context, read before it is asked for."""

    __slots__ = ("_auth_context", "_entries", "_peer")

    def __init__(self, native: Native, *, is_secure: bool) -> None:
        self._entries: tuple[tuple[str, str | bytes], ...] = native.invocation_metadata()
        self._peer: str = native.peer()
        self._auth_context: Mapping[str, Sequence[bytes]] = native.auth_context() if is_secure else {}

    def metadata(self) -> tuple[Metadatum, ...]:
        """Gives the invocation metadata."""
        return tuple(Metadatum(key, value) for key, value in self._entries)

    def check_metadata_size(self, settings: BridgeSettings) -> None:
        """Raises `StatusError` RESOURCE_EXHAUSTED for more metadata than the settings allow."""
        size = 0
        for key, value in self._entries:
            size += len(key) + len(value)
        if size > settings.max_metadata_bytes or len(self._entries) > settings.max_metadata_entries:
            raise too_much_metadata(len(self._entries), size, settings)

    def translated(self) -> TranslatedRequest | None:
        """Gives the request of gRPC-Web that a proxy has made this call of, None where there was none."""
        return translated_request(self._entries)

    def peer(self) -> str:
        """Gives the caller's address."""
        return self._peer

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        """Gives what TLS has found out about the caller."""
        return self._auth_context


def receiver(call: Call, native: Native) -> Receive:
    """Gives what stands for ASGI's `receive()`. To be made in the task of the call."""
    task, loop, ended = asyncio.current_task(), asyncio.get_running_loop(), False

    async def receive() -> Event:
        nonlocal ended
        if ended:
            await loop.create_future()  # when the caller goes, grpcio cancels the task of the call
        message = await native.read()
        if message is not grpc.aio.EOF:
            return {"type": "http.request", "body": encode_frame(message), "more_body": True}
        ended = True
        if call.method.request_streaming and await _has_gone(native, task):
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive


async def _has_gone(native: Native, task: asyncio.Task[Any] | None) -> bool:
    """Whether what grpcio gives out as the end of the requests is the end of the caller, which it tells a moment later.

    A handler that took the one for the other would take half an upload for a whole one.
    """
    await native.read()  # what it has to tell comes before the answer to this
    for _ in range(TURNS_UNTIL_CANCELLED):
        await asyncio.sleep(0)
    return task is not None and task.cancelling() > 0


EARLY_SECONDS = 0.05
"""By how much grpcio's clock for deadlines may be ahead of ours."""


@types.coroutine
def ended_by_cancellation(coroutine: Coroutine[Any, Any, None], context: CallContext) -> Generator[Any, Any, None]:
    """Awaits `coroutine` in this task, and ends the call before a cancellation of the task gets there.

    grpcio cancels the task of a call whose caller has gone, or whose time is over. So a handler that sees the exception
    finds that the call is over, as it does on other servers.
    """
    step: Callable[..., Any] = coroutine.send
    argument: Any = None
    while True:
        try:
            awaited = step(argument)
        except StopIteration:
            return
        finally:
            argument = None  # an error's traceback has this frame: they would keep each other, and all that it has
        try:
            step, argument = coroutine.send, (yield awaited)
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                is_late = context.deadline is not None and time.monotonic() > context.deadline - EARLY_SECONDS
                context.reject(EXPIRED if is_late else GONE)
            step, argument = coroutine.throw, error


class GrpcioAnswer:
    """The answer of one call: takes the events that a server of ASGI is sent, and has grpcio send what they say.

    That of a unary call is held back for grpcio to send all of it at once.
    """

    def __init__(self, native: Native, *, is_unary: bool) -> None:
        self._native = native
        self._is_unary = is_unary
        self._is_over = False
        self._has_sent_metadata = False
        self._compresses = False
        self._message: bytes | None = None
        self._trailers: Sequence[tuple[bytes, bytes]] = ()

    def close(self) -> None:
        """grpcio's call is about to be destroyed."""
        self._is_over = True

    async def send(self, event: Event) -> None:
        """Takes an event. Raises for a caller that has gone."""
        if self._is_over:
            raise ConnectionError("the call is over")
        match event["type"]:
            case "http.response.start":
                await self._start(event["headers"])
            case "http.response.body":
                await self._write(event["body"], flush=event["more_body"])
            case "http.response.trailers":
                self._trailers = event["headers"]

    async def _start(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        if len(headers) == PLAIN_HEADERS:
            return  # grpcio makes these itself
        for name, value in headers:
            if name == b"grpc-encoding":
                self._compresses = True
                self._native.set_compression(_COMPRESSIONS[value])
        metadata = _metadata_of(entry for entry in headers if entry[0] not in _HTTP_HEADERS)
        if metadata or (self._is_unary and self._compresses):  # what it sends at once it does not compress
            await self._send_metadata(metadata)

    async def _send_metadata(self, metadata: Sequence[Metadatum]) -> None:
        self._has_sent_metadata = True
        await self._native.send_initial_metadata(metadata)

    async def _write(self, frames: bytes, *, flush: bool) -> None:
        if flush and not frames and not self._has_sent_metadata:
            await self._send_metadata(())
        start = 0
        while start < len(frames):
            flags, length = HEADER.unpack_from(frames, start)
            start += HEADER_BYTES + length
            message = frames[start - length : start]
            if self._compresses and not flags & FLAG_COMPRESSED:
                self._native.disable_next_message_compression()
            if self._is_unary:
                self._message = message
            else:
                self._has_sent_metadata = True
                await self._native.write(message)

    def finish_stream(self) -> None:
        """Tells grpcio the status that it sends when the handler returns."""
        code, details, metadata = self._status()
        self._native.set_code(code)
        self._native.set_details(details)
        self._native.set_trailing_metadata(metadata)

    async def finish_unary(self) -> bytes:
        """Gives the message that grpcio sends with the status when the handler returns.

        Raises what ends a call for grpcio where there is none, or one beside an error, for which it would send none.
        """
        code, details, metadata = self._status()
        if code is not grpc.StatusCode.OK or self._message is None:
            if self._message is not None:
                await self._native.write(self._message)
            await self._native.abort(code, details, metadata)
        if details:
            self._native.set_details(details)
        if metadata:
            self._native.set_trailing_metadata(metadata)
        return self._message or b""

    def _status(self) -> tuple[grpc.StatusCode, str, tuple[Metadatum, ...]]:
        code, details, metadata = grpc.StatusCode.OK, "", []
        for name, value in self._trailers:
            if name == b"grpc-status":
                code = GRPCIO_CODES[StatusCode(int(value))]  # by numbers grpcio knows all codes but the last
            elif name == b"grpc-message":
                details = decode_message(value.decode("ascii"))
            else:
                metadata.append((name, value))
        return code, details, _metadata_of(metadata)


def _metadata_of(headers: Iterable[tuple[bytes, bytes]]) -> tuple[Metadatum, ...]:
    return decode_metadata((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)


class GrpcioBridge(grpc.GenericRpcHandler):
    """Serves the methods of a registry: to be added to a `grpc.aio.server` as a generic handler.

    `is_secure` says whether callers come by TLS, `is_last` whether no handler follows that may know other methods.

    grpcio could be told of each method, too, but looks at all that it has been told of for each call.
    """

    def __init__(
        self, registry: Registry, settings: BridgeSettings, *, is_secure: bool = False, is_last: bool = True
    ) -> None:
        self._admission: Admission[KnownHeads[Any]] = Admission(registry, settings, KnownHeads)
        self._is_secure = is_secure
        self._is_last = is_last
        self._handlers = {
            method.path: self._streaming(method.path) if method.response_streaming else self._unary(method.path)
            for method in registry
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """Gives grpcio what serves a path. Whether there is such a method is for the admission to say."""
        path = handler_call_details.method
        handler = self._handlers.get(path)
        return self._streaming(path) if handler is None and self._is_last else handler

    # Requests are read as a stream in any case: grpcio never answers a unary call that brings no message.

    def _unary(self, path: str) -> Handler:
        async def serve(_: Any, native: Native) -> bytes:
            answer = GrpcioAnswer(native, is_unary=True)
            await self._serve(path, native, answer)
            return await answer.finish_unary()

        return grpc.stream_unary_rpc_method_handler(serve)

    def _streaming(self, path: str) -> Handler:
        async def serve(_: Any, native: Native) -> None:
            answer = GrpcioAnswer(native, is_unary=False)
            await self._serve(path, native, answer)
            answer.finish_stream()

        return grpc.stream_stream_rpc_method_handler(serve)

    async def _serve(self, path: str, native: Native, answer: GrpcioAnswer) -> None:
        remaining: float | None = native.time_remaining()
        deadline = None if remaining is None else time.monotonic() + remaining
        decision = self._admission.decide_grpcio(path, GrpcioRequest(native, is_secure=self._is_secure), deadline)
        try:
            if isinstance(decision, HttpAnswer):
                await send_answer(answer.send, decision)
            else:
                body = RequestBody()
                body.receive = receiver(decision, native)
                body.begin(decision)
                await ended_by_cancellation(serve_call(decision, body, answer.send), decision.context)
        finally:
            answer.close()
