"""Registers the contract's servicers as generated code does: with any server that takes grpcio handlers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from tests.contract.methods import FLAVOURS, METHODS, MethodType
from tests.contract.servicers import aborts, bookkeeping, compression, lifetime, messages, metadata, site, status

_SUBJECTS = (aborts, bookkeeping, compression, lifetime, messages, metadata, site, status)

SERVICERS = {
    flavour: type(flavour, tuple(getattr(subject, flavour) for subject in _SUBJECTS), {}) for flavour in FLAVOURS
}
"""Each servicer has the handlers of all subjects."""


def _handler(method: MethodType, behavior: Callable[..., Any]) -> grpc.RpcMethodHandler[Any, Any]:
    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[method.request_streaming, method.response_streaming]
    return make(
        behavior,
        request_deserializer=method.request.FromString,
        response_serializer=method.response.SerializeToString,
    )


def add_servicer_to_server(flavour: str, servicer: object, server: Any) -> None:
    """Does what a generated `add_XServicer_to_server` does."""
    handlers = {name: _handler(method, getattr(servicer, name)) for name, method in METHODS.items()}
    service = f"contract.{flavour}"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_registered_method_handlers(service, handlers)


def register(server: Any) -> None:
    """Adds both services."""
    for flavour, servicer in SERVICERS.items():
        add_servicer_to_server(flavour, servicer(), server)
