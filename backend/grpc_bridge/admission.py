"""Which calls there are to be: both transports ask here what a request is, and do nothing else with its head.

request head -> Admission.decide -> a Call to serve, an HttpAnswer to send, or None: the request is Django's
"""

from __future__ import annotations

import time
from typing import NamedTuple

from grpc_bridge.call import Call
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.context import AsyncContext, CallSource, SyncContext
from grpc_bridge.protocol.compression import request_encoding
from grpc_bridge.protocol.negotiation import HttpAnswer, answer_wire, classify
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.protocol.timeout import decode_timeout
from grpc_bridge.protocol.wire import BinaryWire
from grpc_bridge.registry import Method, Registry


class RequestHead(NamedTuple):
    """What is asked of every request. `path` has no prefix under which the application is mounted."""

    http_method: str
    path: str
    content_type: str | None
    accept: str | None
    timeout: str | None
    encoding: str | None
    accept_encoding: str | None
    has_http_trailers: bool
    """Whether the server can send trailers after this answer."""


class Admission:
    """Decides about requests, by what is registered and set."""

    def __init__(self, registry: Registry, settings: BridgeSettings) -> None:
        self._registry = registry
        self._settings = settings

    def decide(self, head: RequestHead, source: CallSource) -> Call | HttpAnswer | None:
        """Gives the call that a request makes, the answer to one that cannot make any, or None for Django's."""
        method = self._registry.find(head.path)
        wire = classify(method is not None, head.http_method, head.content_type, head.has_http_trailers)
        if wire is None or isinstance(wire, HttpAnswer):
            return wire
        try:
            return self._admit(method or self._registry.find_generic(head.path), wire, head, source)
        except StatusError as error:
            return _refused(wire, head.accept, error)

    def _admit(self, method: Method | None, wire: BinaryWire, head: RequestHead, source: CallSource) -> Call:
        if method is None:
            raise StatusError(StatusCode.UNIMPLEMENTED, "Method not found!")
        source.check_metadata_size(self._settings)
        encoding = None if head.encoding is None else request_encoding(head.encoding)
        deadline = None if head.timeout is None else time.monotonic() + decode_timeout(head.timeout)
        context = (AsyncContext if method.is_async else SyncContext)(head.path, source, deadline, head.accept_encoding)
        return Call(method, wire, answer_wire(wire, head.accept), context, self._settings, encoding)


def _refused(request_wire: BinaryWire, accept: str | None, error: StatusError) -> HttpAnswer:
    """Gives the answer to a call that never began."""
    wire = answer_wire(request_wire, accept)
    status = error.code, error.message
    headers = [("content-type", wire.content_type), *error.headers]
    return HttpAnswer(200, headers, wire.trailers(*status), wire.http_trailers(*status))


def peer_address(host: str | None, port: int | str | None) -> str:
    """Gives a caller's address as grpcio writes it."""
    host = host or "unknown"
    return f"ipv6:[{host}]:{port or 0}" if ":" in host else f"ipv4:{host}:{port or 0}"
