"""Calls for tests: contexts without a transport, and statuses as grpcio has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc

from grpc_bridge.call import Call, admit
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.context import AsyncContext, SyncContext
from grpc_bridge.protocol.metadata import Metadatum, decode_metadata
from grpc_bridge.protocol.wire import BINARY, BinaryWire
from grpc_bridge.registry import Registry

PATH = "/test.v1.TestService/Method"


@dataclass
class Source:
    """What a transport tells a context. Counts how often metadata is decoded."""

    headers: tuple[tuple[str, str], ...] = ()
    address: str = "ipv4:127.0.0.1:50000"
    decoded: int = 0

    def metadata(self) -> tuple[Metadatum, ...]:
        self.decoded += 1
        return decode_metadata(self.headers)

    def peer(self) -> str:
        return self.address


class Status(grpc.Status):
    """A `grpc.Status` such as `grpc_status.rpc_status.to_status` makes."""

    def __init__(self, code: grpc.StatusCode, details: str, trailing_metadata: Any = None) -> None:
        self.code = code
        self.details = details
        self.trailing_metadata = trailing_metadata


def sync_context(*, deadline: float | None = None, source: Source | None = None) -> SyncContext:
    """Gives the context of a `def` handler."""
    return SyncContext(PATH, source or Source(), deadline)


def async_context(*, deadline: float | None = None, source: Source | None = None) -> AsyncContext:
    """Gives the context of an `async def` handler."""
    return AsyncContext(PATH, source or Source(), deadline)


def admitted(
    handler: grpc.RpcMethodHandler[Any, Any],
    *,
    request_wire: BinaryWire = BINARY,
    settings: BridgeSettings | None = None,
    accept: str | None = None,
    timeout: str | None = None,
    encoding: str | None = None,
) -> Call:
    """Gives a call of a handler, admitted with these headers."""
    registry = Registry()
    registry.add_registered_method_handlers("test.v1.TestService", {"Method": handler})
    return admit(
        PATH, registry.find(PATH), request_wire, Source(), settings or BridgeSettings(),
        accept=accept, timeout=timeout, encoding=encoding,
    )  # fmt: skip
