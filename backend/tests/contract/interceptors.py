"""Interceptors of the servers that have some: those that do what a call asks for by its metadata."""

from __future__ import annotations

from typing import Any

import grpc

from tests.contract.servicers.site import variable

REFUSE = "x-refuse"
HAND_ON = "x-hand-on"


class Refusing(grpc.ServerInterceptor):
    """Refuses a call that asks for it, as a check of credentials does."""

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        reason = dict(details.invocation_metadata).get(REFUSE)
        if reason is None:
            return continuation(details)
        return grpc.unary_unary_rpc_method_handler(
            lambda _, context: context.abort(grpc.StatusCode.UNAUTHENTICATED, f"{reason}, {context.peer()[:15]}")
        )


class HandingOn(grpc.aio.ServerInterceptor):
    """Hands what a call's metadata says to its handler, as the one who knows the caller does."""

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        value = dict(details.invocation_metadata).get(HAND_ON)
        if value is not None:
            variable.set(value)
        return await continuation(details)
