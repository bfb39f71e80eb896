"""A gRPC-Web client: channels over HTTP/1.1 for the stubs that grpcio-tools generates, as they are.

    with grpc_bridge.client.insecure_web_channel("127.0.0.1:8000") as channel:
        stub = EchoServiceStub(channel)
        stub.Echo(EchoRequest(message="hello"), timeout=5)

    async with grpc_bridge.client.aio.insecure_web_channel("127.0.0.1:8000") as channel:
        await EchoServiceStub(channel).Echo(EchoRequest(message="hello"), timeout=5)

For programs that cannot reach a server by HTTP/2, because a load balancer in front of it speaks HTTP/1.1 only. Calls of
all kinds, metadata, deadlines, compression and interceptors are as with grpcio. It needs aiohttp. Django is not used.

Responses stream as they come. So do requests; but whether the server, or a proxy, begins to answer before the last of
them is its own business: with many the two directions come one after the other. Nothing is repeated by itself.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any

import grpc

from grpc_bridge.client import aio
from grpc_bridge.client.channel import WebChannel
from grpc_bridge.client.credentials import ssl_channel_credentials
from grpc_bridge.client.options import channel_options

__all__ = ["aio", "insecure_web_channel", "secure_web_channel", "ssl_channel_credentials"]


def insecure_web_channel(
    target: str,
    options: Sequence[tuple[str, Any]] | None = None,
    compression: grpc.Compression | None = None,
) -> WebChannel:
    """Gives a channel without encryption. Interceptors stand before it by `grpc.intercept_channel`.

    `target` is `host:port`, and a path behind it where the service is mounted on one. Of grpcio's options these count:
    `grpc.max_receive_message_length`, `grpc.max_send_message_length`, `grpc.primary_user_agent`,
    `grpc.default_authority`; and `grpc.ssl_target_name_override` with TLS. Raises `ValueError` for a bad target.
    """
    return WebChannel(channel_options(target, None, options, compression))


def secure_web_channel(
    target: str,
    credentials: ssl.SSLContext,
    options: Sequence[tuple[str, Any]] | None = None,
    compression: grpc.Compression | None = None,
) -> WebChannel:
    """Gives a channel with TLS. `credentials` are what `ssl_channel_credentials` gives, or any context for clients.

    All else is as with `insecure_web_channel`.
    """
    return WebChannel(channel_options(target, credentials, options, compression))
