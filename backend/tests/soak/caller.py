"""Calls as browsers make them, many at a time in one process: gRPC-Web over HTTP/1.1 on asyncio.

One call has one connection to itself; those of calls that have ended are used again, as a browser does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from generated.echo.v1 import echo_pb2
from generated.orders.v1 import orders_pb2
from grpc_bridge.protocol.frames import encode_frame
from grpc_bridge.protocol.status import StatusCode
from grpc_bridge.protocol.text import encode_text
from tests.servers import HOST
from tests.soak.answers import AnswerReader, Outcome, lost

REFUSED = "connection refused"
TOO_SLOW = "no answer in time"

R = TypeVar("R", bound=Message)


@dataclass(frozen=True)
class Method(Generic[R]):
    """What is called."""

    path: str
    response: type[R]

    @property
    def name(self) -> str:
        """Its name without the service."""
        return self.path.rpartition("/")[2]


def _method(service: ServiceDescriptor, name: str) -> Method[Any]:
    output = service.methods_by_name[name].output_type
    return Method(f"/{service.full_name}/{name}", GetMessageClass(output))


_ECHO = echo_pb2.DESCRIPTOR.services_by_name["EchoService"]
_ORDERS = orders_pb2.DESCRIPTOR.services_by_name["OrderService"]
ECHO: Method[echo_pb2.EchoResponse] = _method(_ECHO, "Echo")
ECHO_STREAM: Method[echo_pb2.ServerStreamingEchoResponse] = _method(_ECHO, "ServerStreamingEcho")
LIST_PRODUCTS: Method[orders_pb2.ListProductsResponse] = _method(_ORDERS, "ListProducts")
PLACE: Method[orders_pb2.PlaceOrderResponse] = _method(_ORDERS, "PlaceOrder")
GET: Method[orders_pb2.GetOrderResponse] = _method(_ORDERS, "GetOrder")
LIST: Method[orders_pb2.ListOrdersResponse] = _method(_ORDERS, "ListOrders")
CANCEL: Method[orders_pb2.CancelOrderResponse] = _method(_ORDERS, "CancelOrder")
MOVE: Method[orders_pb2.UpdateOrderStatusResponse] = _method(_ORDERS, "UpdateOrderStatus")
UPDATES: Method[orders_pb2.StreamOrderUpdatesResponse] = _method(_ORDERS, "StreamOrderUpdates")


class CallError(Exception):
    """A call has not ended with OK."""

    def __init__(self, method: Method[Any], route: Route, outcome: Outcome) -> None:
        super().__init__(f"{method.name} on {route.name}: {outcome}: {outcome.details}")
        self.outcome = outcome


class _Connection(asyncio.Protocol):
    """One connection, with one call at a time."""

    transport: asyncio.Transport
    is_open = False

    def __init__(self) -> None:
        self._reader: AnswerReader | None = None
        self._done: asyncio.Future[Outcome] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins."""
        self.transport = cast("asyncio.Transport", transport)  # not by its class under uvloop
        self.is_open = True

    async def exchange(self, request: bytes, reader: AnswerReader, on_message: Callable[[bytes], None]) -> Outcome:
        """Sends a request and reads its answer. Gives how the call has ended; raises what `on_message` raises."""
        self._reader, self._on_message = reader, on_message
        self._done = asyncio.get_running_loop().create_future()
        if not self.is_open:
            self.connection_lost(None)
        self.transport.write(request)
        try:
            return await self._done
        finally:
            self._reader = self._done = None

    def data_received(self, data: bytes) -> None:
        """Reads on."""
        if self._reader is None or self._done is None or self._done.done():
            self.transport.abort()  # nobody has asked for anything
            return
        try:
            for message in self._reader.receive_data(data):
                self._on_message(message)
        except Exception as error:
            self._done.set_exception(error)
            return
        if self._reader.is_over:
            self._done.set_result(self._outcome(self._reader))

    def connection_lost(self, error: Exception | None) -> None:
        """Ends the call, if there is one."""
        self.is_open = False
        if self._reader is not None and self._done is not None and not self._done.done():
            self._reader.connection_lost()
            self._done.set_result(self._outcome(self._reader))

    @staticmethod
    def _outcome(reader: AnswerReader) -> Outcome:
        assert reader.outcome is not None
        return reader.outcome


@dataclass(eq=False)
class Route:
    """A way to the servers: an address and a mode of gRPC-Web. Calls on it come from one event loop."""

    place: str
    port: int
    is_text: bool
    _idle: list[_Connection] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What figures are called by."""
        return f"{self.place}, {'text' if self.is_text else 'binary'}"

    def head(self, path: str, length: int, cookie: str = "") -> bytes:
        """Gives the head of a request whose body has so many bytes."""
        content_type = "application/grpc-web-text" if self.is_text else "application/grpc-web+proto"
        lines = [
            f"POST {path} HTTP/1.1",
            f"host: {HOST}:{self.port}",
            f"content-type: {content_type}",
            f"accept: {content_type}",
            "x-grpc-web: 1",
            *([f"cookie: {cookie}"] if cookie else []),
            f"content-length: {length}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def request(self, path: str, message: Message, cookie: str = "") -> bytes:
        """Gives the bytes of a whole request."""
        frame = encode_frame(message.SerializeToString())
        body = encode_text(frame) if self.is_text else frame
        return self.head(path, len(body), cookie) + body

    async def stream(self, method: Method[R], request: Message, cookie: str, on_message: Callable[[R], None]) -> None:
        """Calls a method and hands over its messages until it ends. Raises `CallError` unless it ends with OK.

        What is cancelled drops its connection, as a browser does.
        """
        parse = method.response.FromString
        connection = await self._connection(method)
        reader = AnswerReader(is_text=self.is_text)
        try:
            outcome = await connection.exchange(
                self.request(method.path, request, cookie), reader, lambda data: on_message(parse(data))
            )
        except BaseException:
            connection.transport.abort()
            raise
        if reader.keeps_open and connection.is_open:
            self._idle.append(connection)
        else:
            connection.transport.abort()
        if outcome.code is not StatusCode.OK:
            raise CallError(method, self, outcome)

    async def unary(self, method: Method[R], request: Message, cookie: str = "", seconds: float = 30.0) -> R:
        """Calls a method and gives its one message. Raises `CallError`."""
        messages: list[R] = []
        try:
            async with asyncio.timeout(seconds):
                await self.stream(method, request, cookie, messages.append)
        except TimeoutError:
            outcome = Outcome(StatusCode.DEADLINE_EXCEEDED, f"after {seconds} s", TOO_SLOW)
            raise CallError(method, self, outcome) from None
        (message,) = messages
        return message

    async def _connection(self, method: Method[Any]) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and not connection.transport.is_closing():
                return connection
        try:
            _, connection = await asyncio.get_running_loop().create_connection(_Connection, HOST, self.port)
        except OSError as error:
            raise CallError(method, self, lost(str(error), REFUSED)) from None
        return connection

    def close(self) -> None:
        """Closes the connections that no call uses."""
        for connection in self._idle:
            with contextlib.suppress(RuntimeError):
                connection.transport.abort()
        self._idle.clear()
