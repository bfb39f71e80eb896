"""The bridge's own client under test: reads from stdin which calls to make, makes them, and says what came on stdout.

    python -m tests.conformance.client API DIRECTORY

`API` is "sync" or "aio"; `DIRECTORY` gets what goes to stderr. Messages have a prefix of four bytes with their length.
What belongs here: the suite's orders as calls of a generated stub, once with `grpc_bridge.client` and once with
`grpc_bridge.client.aio`.
"""

from __future__ import annotations

import asyncio
import os
import struct
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from connectrpc.conformance.v1 import config_pb2, service_pb2
from connectrpc.conformance.v1.client_compat_pb2 import ClientCompatRequest, ClientCompatResponse, ClientResponseResult
from connectrpc.conformance.v1.service_pb2_grpc import ConformanceServiceStub

from grpc_bridge.client import aio, insecure_web_channel, secure_web_channel, ssl_channel_credentials
from tests.conformance.servicer import headers_of, metadata_of

SERVICE = "connectrpc.conformance.v1.ConformanceService"
KINDS = {
    config_pb2.STREAM_TYPE_UNARY: (False, False),
    config_pb2.STREAM_TYPE_CLIENT_STREAM: (True, False),
    config_pb2.STREAM_TYPE_SERVER_STREAM: (False, True),
    config_pb2.STREAM_TYPE_HALF_DUPLEX_BIDI_STREAM: (True, True),
}
"""Whether requests and responses stream."""

COMPRESSIONS = {
    config_pb2.COMPRESSION_IDENTITY: grpc.Compression.NoCompression,
    config_pb2.COMPRESSION_GZIP: grpc.Compression.Gzip,
}
DETAILS = "grpc-status-details-bin"
MILLISECOND = 0.001
CALLS_AT_A_TIME = 64


class Order:
    """One call that the suite wants, and what has come of it."""

    def __init__(self, request: ClientCompatRequest) -> None:
        self.request = request
        self.result = ClientResponseResult()
        self.streams_requests, self.streams_responses = KINDS[request.stream_type]
        self.delay = request.request_delay_ms * MILLISECOND
        self.timeout = request.timeout_ms * MILLISECOND if request.HasField("timeout_ms") else None
        self.messages = [self._message(packed) for packed in request.request_messages]
        timing = request.cancel.WhichOneof("cancel_timing") if request.HasField("cancel") else None
        self.cancels_before_close = timing == "before_close_send"
        self.cancels_after_responses = request.cancel.after_num_responses
        self.cancel_seconds: float | None = None
        if request.HasField("cancel") and timing in (None, "after_close_send_ms"):
            self.cancel_seconds = request.cancel.after_close_send_ms * MILLISECOND

    def _message(self, packed: Any) -> Any:
        message = getattr(service_pb2, packed.TypeName().rpartition(".")[2])()
        packed.Unpack(message)
        return message

    @property
    def channel_key(self) -> tuple[Any, ...]:
        """What makes calls share a channel."""
        request = self.request
        creds = request.client_tls_creds
        address = f"{request.host}:{request.port}"
        return address, request.server_tls_cert, creds.cert, creds.key, request.message_receive_limit

    def arguments(self) -> dict[str, Any]:
        """Gives what the stub is called with besides the request."""
        return {
            "timeout": self.timeout,
            "metadata": metadata_of(self.request.request_headers),
            "compression": COMPRESSIONS[self.request.compression],
        }

    def take(self, response: Any) -> None:
        """Notes a response."""
        self.result.payloads.append(response.payload)

    def end(self, code: grpc.StatusCode, details: str, initial: Any, trailing: Any) -> None:
        """Notes how the call has ended."""
        self.result.response_headers.extend(headers_of(initial or ()))
        self.result.response_trailers.extend(headers_of(trailing or ()))
        if code is not grpc.StatusCode.OK:
            status = dict(trailing or ()).get(DETAILS)
            # `Error` has the fields of google.rpc.Status, under the same numbers.
            error = service_pb2.Error.FromString(status) if isinstance(status, bytes) else service_pb2.Error()
            error.code, error.message = code.value[0], details
            self.result.error.CopyFrom(error)

    def response(self) -> ClientCompatResponse:
        """Gives what the suite is told."""
        return ClientCompatResponse(test_name=self.request.test_name, response=self.result)


def make_channel(api: Any, key: tuple[Any, ...]) -> Any:
    """Makes the channel of a key."""
    address, server_cert, client_cert, client_key, limit = key
    options = [("grpc.max_receive_message_length", limit)] if limit else []
    if not server_cert:
        return api.insecure_web_channel(address, options)
    credentials = ssl_channel_credentials(server_cert, client_key or None, client_cert or None)
    return api.secure_web_channel(address, credentials, options)


class SyncApi:
    """Calls in threads."""

    insecure_web_channel = staticmethod(insecure_web_channel)
    secure_web_channel = staticmethod(secure_web_channel)

    def __init__(self) -> None:
        self._channels: dict[tuple[Any, ...], Any] = {}
        self._lock = threading.Lock()

    def run(self) -> None:
        """Makes all calls that stdin names."""
        with ThreadPoolExecutor(CALLS_AT_A_TIME) as pool:
            for future in [pool.submit(self._make, request) for request in iter(read_request, None)]:
                future.result()
        for channel in self._channels.values():
            channel.close()

    def _make(self, request: ClientCompatRequest) -> None:
        order = Order(request)
        with self._lock:
            if order.channel_key not in self._channels:
                self._channels[order.channel_key] = make_channel(self, order.channel_key)
        method = getattr(ConformanceServiceStub(self._channels[order.channel_key]), request.method)
        self._call(order, method)
        with self._lock:
            write_response(order.response())

    def _call(self, order: Order, method: Any) -> None:
        is_called, is_sent = threading.Event(), threading.Event()
        calls: list[Any] = []

        def requests() -> Iterator[Any]:
            for message in order.messages:
                time.sleep(order.delay)
                yield message
            if order.cancels_before_close:
                is_called.wait()
                calls[0].cancel()
            is_sent.set()

        def cancel_later() -> None:
            is_sent.wait()
            time.sleep(order.cancel_seconds)
            call.cancel()

        if not order.streams_requests:
            is_sent.set()
        request = requests() if order.streams_requests else order.messages[0]
        begin = method if order.streams_responses else method.future
        call = begin(request, **order.arguments())
        calls.append(call)
        is_called.set()
        if order.cancel_seconds is not None:
            threading.Thread(target=cancel_later, daemon=True).start()
        try:
            for number, response in enumerate(call if order.streams_responses else (call.result(),), 1):
                order.take(response)
                if number == order.cancels_after_responses:
                    call.cancel()
        except (grpc.RpcError, grpc.FutureCancelledError):
            pass
        order.end(call.code(), call.details(), call.initial_metadata(), call.trailing_metadata())


class AioApi:
    """Calls in tasks."""

    insecure_web_channel = staticmethod(aio.insecure_web_channel)
    secure_web_channel = staticmethod(aio.secure_web_channel)

    def __init__(self) -> None:
        self._channels: dict[tuple[Any, ...], Any] = {}

    def run(self) -> None:
        """Makes all calls that stdin names."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while (request := await asyncio.to_thread(read_request)) is not None:
                tasks.create_task(self._make(request))
        for channel in self._channels.values():
            await channel.close()

    async def _make(self, request: ClientCompatRequest) -> None:
        order = Order(request)
        if order.channel_key not in self._channels:
            self._channels[order.channel_key] = make_channel(self, order.channel_key)
        method = getattr(ConformanceServiceStub(self._channels[order.channel_key]), request.method)
        await self._call(order, method)
        write_response(order.response())

    async def _call(self, order: Order, method: Any) -> None:
        is_sent = asyncio.Event()

        async def requests() -> AsyncIterator[Any]:
            for message in order.messages:
                await asyncio.sleep(order.delay)
                yield message
            if order.cancels_before_close:
                call.cancel()
            is_sent.set()

        async def cancel_later() -> None:
            await is_sent.wait()
            await asyncio.sleep(order.cancel_seconds or 0)
            call.cancel()

        if not order.streams_requests:
            is_sent.set()
        call = method(requests() if order.streams_requests else order.messages[0], **order.arguments())
        canceller = None if order.cancel_seconds is None else asyncio.create_task(cancel_later())
        try:
            if order.streams_responses:
                await self._take_all(order, call)
            else:
                order.take(await call)
        except (grpc.RpcError, asyncio.CancelledError):
            pass
        order.end(
            await call.code(), await call.details(), await call.initial_metadata(), await call.trailing_metadata()
        )
        if canceller is not None:
            canceller.cancel()

    async def _take_all(self, order: Order, call: Any) -> None:
        number = 0
        async for response in call:
            order.take(response)
            number += 1
            if number == order.cancels_after_responses:
                call.cancel()


def read_request() -> ClientCompatRequest | None:
    """Waits for the next call to make. Gives None after the last."""
    prefix = sys.stdin.buffer.read(4)
    if not prefix:
        return None
    return ClientCompatRequest.FromString(sys.stdin.buffer.read(*struct.unpack(">I", prefix)))


def write_response(response: ClientCompatResponse) -> None:
    """Tells the suite what came of a call."""
    data = response.SerializeToString()
    sys.stdout.buffer.write(struct.pack(">I", len(data)) + data)
    sys.stdout.buffer.flush()


APIS = {"sync": SyncApi, "aio": AioApi}


def main() -> None:
    """Makes all calls that stdin names."""
    api, directory = sys.argv[1:]
    log_file, _ = tempfile.mkstemp(prefix="client-", suffix=".log", dir=directory)
    os.dup2(log_file, sys.stderr.fileno())
    APIS[api]().run()


if __name__ == "__main__":
    main()
