"""Calls for tests: contexts without a transport, and statuses as grpcio has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from grpc_bridge.admission import Admission, RequestHead
from grpc_bridge.call import Call
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.context import AsyncContext, ContextT, SyncContext
from grpc_bridge.heads import KnownHeads
from grpc_bridge.plan import Plan
from grpc_bridge.protocol.metadata import Metadatum, decode_metadata
from grpc_bridge.protocol.negotiation import HttpAnswer
from grpc_bridge.protocol.wire import BINARY, BinaryWire
from grpc_bridge.registry import Method, Registry

PATH = "/test.v1.TestService/Method"


@dataclass
class Source:
    """What a transport tells a context. Counts how often metadata is decoded."""

    headers: tuple[tuple[str, str], ...] = ()
    address: str = "ipv4:127.0.0.1:50000"
    decoded: int = 0
    scheme_name: str = "http"

    def metadata(self) -> tuple[Metadatum, ...]:
        self.decoded += 1
        return decode_metadata(self.headers)

    def check_metadata_size(self, settings: BridgeSettings) -> None:
        """There is no limit here."""

    def peer(self) -> str:
        return self.address

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        return {}

    def meta(self, key: str) -> str | None:
        headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.headers}
        return ({"SERVER_NAME": "testserver", "SERVER_PORT": "80"} | headers).get(key)

    def scheme(self) -> str:
        return self.scheme_name


class Status(grpc.Status):
    """A `grpc.Status` such as `grpc_status.rpc_status.to_status` makes."""

    def __init__(self, code: grpc.StatusCode, details: str, trailing_metadata: Any = None) -> None:
        self.code = code
        self.details = details
        self.trailing_metadata = trailing_metadata


def sync_context(**asked: Any) -> SyncContext:
    """Gives the context of a `def` handler. `asked` is as for `_begun`."""
    return _begun(SyncContext(), **asked)


def async_context(**asked: Any) -> AsyncContext:
    """Gives the context of an `async def` handler. `asked` is as for `_begun`."""
    return _begun(AsyncContext(), **asked)


def _begun(
    context: ContextT,
    *,
    deadline: float | None = None,
    source: Source | None = None,
    accept_encoding: str | None = None,
) -> ContextT:
    method = Method(PATH, grpc.unary_unary_rpc_method_handler(lambda request, context: request))
    plan = Plan(method, PATH, BINARY, BINARY, BridgeSettings(), accept_encoding=accept_encoding)
    context.begin(plan, source or Source())
    context.deadline = deadline
    return context


def decided(
    handler: grpc.RpcMethodHandler[Any, Any],
    *,
    http_method: str = "POST",
    path: str = PATH,
    request_wire: BinaryWire = BINARY,
    settings: BridgeSettings | None = None,
    accept: str | None = None,
    timeout: str | None = None,
    encoding: str | None = None,
    accept_encoding: str | None = None,
    has_http_trailers: bool = True,
    host: str | None = "testserver",
    origin: str | None = None,
    fetch_site: str | None = None,
    source: Source | None = None,
) -> Call | HttpAnswer | None:
    """Gives what the bridge decides about a request where `PATH` is registered with a handler."""
    registry = Registry()
    registry.add_registered_method_handlers("test.v1.TestService", {"Method": handler})
    head = RequestHead(
        http_method, path, request_wire.content_type, accept, encoding, accept_encoding, has_http_trailers,
        host, origin, fetch_site,
    )  # fmt: skip
    admission, source = Admission(registry, settings or BridgeSettings(), KnownHeads), source or Source()
    decision = admission.decide(head, source)
    return admission.make_call(decision, source, timeout) if isinstance(decision, Plan) else decision


def admitted(handler: grpc.RpcMethodHandler[Any, Any], **head: Any) -> Call:
    """Gives a call of a handler. `head` is as for `decided`."""
    call = decided(handler, **head)
    assert isinstance(call, Call), call
    return call


def refused(handler: grpc.RpcMethodHandler[Any, Any], **head: Any) -> HttpAnswer:
    """Gives the answer to a request that makes no call. `head` is as for `decided`."""
    answer = decided(handler, **head)
    assert isinstance(answer, HttpAnswer), answer
    return answer
