"""Calls to the standard services: by path, because their names are not those of the contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from tests.contract.case import Answer
from tests.contract.grpc_web import MODES, Reply
from tests.contract.http_client import Connection
from tests.servers import Server

AnyMessage = TypeVar("AnyMessage", bound=Message)


@contextmanager
def opened(server: Server, path: str, requests: Sequence[Message], response: type[Message]) -> Iterator[Reply]:
    """Makes a call and gives its answer while it arrives. At the end of the block the caller goes."""
    connection, mode = Connection(server), MODES[0]
    try:
        body = mode.request_body(requests)
        connection.send_head("POST", path, [*mode.headers(), ("content-length", str(len(body)))])
        connection.send(body)
        yield Reply(connection.response(), response, mode)
    finally:
        connection.close()


def called(server: Server, path: str, request: Message, response: type[Message]) -> Answer:
    """Makes a call and gives its whole answer."""
    with opened(server, path, [request], response) as reply:
        return reply.answer()


def watchers(server: Server, prefix: str, service: str) -> int:
    """Gives how many callers watch the health of a service."""
    answer = called(server, f"/{prefix}standard.Control/Watchers", StringValue(value=service), Int32Value)
    return answer.messages[0].value  # type: ignore[attr-defined, no-any-return]
