"""Methods whose answers tell of the server: of its process, its callers' certificates, and its end."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue

SERVICE = "native.Lab"
POLL_SECONDS = 0.01
FOR_EVER_SECONDS = 3600

AFTERWARDS_SECONDS = 0.3
"""Long enough for grpcio to destroy the call."""


async def pid(request: StringValue, context: Any) -> StringValue:
    """Gives the number of this process."""
    return StringValue(value=str(os.getpid()))


def identity(request: StringValue, context: Any) -> StringValue:
    """Gives what the caller's certificate says."""
    return StringValue(value=f"{context.peer_identity_key()} {list(context.peer_identities() or ())}")


async def wait_for_file(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
    """Begins, and ends when a file exists that the request names."""
    yield StringValue(value="begun")
    while not Path(request.value).exists():  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(POLL_SECONDS)
    yield StringValue(value="done")


def wait_for_ever(request: StringValue, context: Any) -> Iterator[StringValue]:
    """Begins, and nothing can make it end."""
    yield StringValue(value="begun")
    time.sleep(FOR_EVER_SECONDS)


def outlive(request: StringValue, context: Any) -> StringValue:
    """Goes on after the end of its call, and writes to the file that the request names what its context still says."""
    over = threading.Event()
    context.add_callback(over.set)
    over.wait(FOR_EVER_SECONDS)
    time.sleep(AFTERWARDS_SECONDS)
    asked = [
        context.is_active(),
        context.peer().partition(":")[0],
        ("key", "value") in context.invocation_metadata(),
        dict(context.auth_context()),
    ]
    for change in (
        lambda: context.set_trailing_metadata((("late", "1"),)),
        lambda: context.set_code(grpc.StatusCode.NOT_FOUND),
        lambda: context.send_initial_metadata((("late", "1"),)),
    ):
        try:
            change()
        except grpc.RpcError:
            asked.append("RpcError")
    partial = Path(f"{request.value}.partial")
    partial.write_text(repr(asked))
    partial.rename(request.value)
    return request


class RefuseStrangers(grpc.ServerInterceptor):
    """Lets nobody in without a token."""

    def intercept_service(self, continuation: Callable[..., Any], handler_call_details: Any) -> Any:
        """Looks for the token."""
        if ("authorization", "Bearer token") in handler_call_details.invocation_metadata:
            return continuation(handler_call_details)

        def refuse(request: Any, context: Any) -> Any:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")

        return grpc.unary_unary_rpc_method_handler(refuse)


def register(server: Any) -> None:
    """Adds the methods."""
    unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
    server.add_registered_method_handlers(
        SERVICE,
        {
            name: factory(behavior, StringValue.FromString, StringValue.SerializeToString)
            for name, factory, behavior in (
                ("Pid", unary, pid),
                ("Identity", unary, identity),
                ("Outlive", unary, outlive),
                ("WaitForFile", stream, wait_for_file),
                ("WaitForEver", stream, wait_for_ever),
            )
        },
    )
