"""Methods whose answers tell of the server: of its process, its callers' certificates, and its end."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue

SERVICE = "native.Lab"
POLL_SECONDS = 0.01
FOR_EVER_SECONDS = 3600


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
                ("WaitForFile", stream, wait_for_file),
                ("WaitForEver", stream, wait_for_ever),
            )
        },
    )
