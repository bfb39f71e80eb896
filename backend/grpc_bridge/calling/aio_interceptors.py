"""Asyncio calls behind interceptors, which `grpc.aio` takes from a list: its own code for them is tied to its core.

An interceptor gives a call, or in place of one a response, or an iterator of responses. What the stub gives is there
before all that: it waits for what the outermost interceptor gives, and from then on is as good as that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import grpc

from grpc_bridge.calling.aio_intercepted import (
    InterceptedCall,
    Response,
    Responses,
    StreamStream,
    StreamUnary,
    UnaryStream,
    UnaryUnary,
)
from grpc_bridge.calling.method import CallOptions


class Kind(NamedTuple):
    """What there is for a kind of methods: the interceptors' base class and its method, and the classes of calls."""

    interceptor: type[Any]
    method: str
    call: type[InterceptedCall]
    in_place_of_call: type[Any]


class Interception:
    """One call's way through the interceptors."""

    def __init__(
        self,
        kind: Kind,
        interceptors: Sequence[grpc.aio.ClientInterceptor],
        begin: Callable[..., grpc.aio.Call],
        path: str,
        options: CallOptions,
    ) -> None:
        self._kind = kind
        self._interceptors = interceptors
        self._begin = begin
        self._path = path
        self._options = options
        self._call: Any = None  # the last that was given; an iterator has its status

    def start(self, request: Any) -> InterceptedCall:
        """Starts on the way, and gives the call that the stub gives."""
        return self._kind.call(self._run, request, self._options)

    async def _run(self, request: Any) -> Any:
        metadata = grpc.aio.Metadata(*(self._options.metadata or ()))
        details = grpc.aio.ClientCallDetails(
            self._path.encode(),  # type: ignore[arg-type] # it is bytes at run time
            self._options.timeout,
            metadata,
            self._options.credentials,
            self._options.wait_for_ready,
        )
        return await self._continue(0, details, request)

    async def _continue(self, index: int, details: grpc.aio.ClientCallDetails, request: Any) -> Any:
        if index == len(self._interceptors):
            path = details.method.decode() if isinstance(details.method, bytes) else details.method
            options = CallOptions(
                details.timeout,
                details.metadata,
                details.credentials,
                details.wait_for_ready,
                self._options.compression,
            )
            self._call = self._begin(request, options, path)
            return self._call
        intercept = getattr(self._interceptors[index], self._kind.method)
        given = await intercept(partial(self._continue, index + 1), details, request)
        if not isinstance(given, grpc.aio.Call):
            given = self._kind.in_place_of_call(given, self._call)
        self._call = given
        return given


KINDS = {
    (False, False): Kind(grpc.aio.UnaryUnaryClientInterceptor, "intercept_unary_unary", UnaryUnary, Response),
    (False, True): Kind(grpc.aio.UnaryStreamClientInterceptor, "intercept_unary_stream", UnaryStream, Responses),
    (True, False): Kind(grpc.aio.StreamUnaryClientInterceptor, "intercept_stream_unary", StreamUnary, Response),
    (True, True): Kind(grpc.aio.StreamStreamClientInterceptor, "intercept_stream_stream", StreamStream, Responses),
}
"""By whether requests and responses stream."""
