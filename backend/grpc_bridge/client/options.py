"""What a channel is made with: where it leads, and the options that mean something without HTTP/2.

Options have grpcio's names; those that are not here are left alone, as grpcio leaves those that it does not know.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import grpc
from yarl import URL

from grpc_bridge.calling.method import LARGEST_MESSAGE_BYTES

MAX_RECEIVE_BYTES = 4 * 1024 * 1024
"""grpcio's own limit for messages that a client takes. It sends any."""

USER_AGENT = f"grpc_bridge aiohttp/{aiohttp.__version__}"

_UNLIMITED = -1


@dataclass(frozen=True)
class ChannelOptions:
    """What all calls of a channel have in common."""

    base_url: str
    """Scheme, host, port and the path in front of those of the methods, without a slash at the end."""
    tls: ssl.SSLContext | None = None
    compression: grpc.Compression | None = None
    max_send_bytes: int = LARGEST_MESSAGE_BYTES
    max_receive_bytes: int = MAX_RECEIVE_BYTES
    authority: str | None = None
    """The host that requests name, where it is not that of the target."""
    server_name: str | None = None
    """The name that the server's certificate has to have, where it is not that of the target."""
    user_agent: str = USER_AGENT

    def url(self, path: str) -> URL:
        """Gives the address of a method."""
        return URL(f"{self.base_url}/{path.lstrip('/')}")


def channel_options(
    target: str,
    tls: ssl.SSLContext | None,
    options: Sequence[tuple[str, Any]] | None,
    compression: grpc.Compression | None,
) -> ChannelOptions:
    """Reads the arguments of `insecure_web_channel` and `secure_web_channel`. Raises `ValueError` for a bad target."""
    given = dict(options or ())
    agent = given.get("grpc.primary_user_agent")
    return ChannelOptions(
        _base_url(target, "http" if tls is None else "https"),
        tls,
        compression,
        _limit(given.get("grpc.max_send_message_length", _UNLIMITED)),
        _limit(given.get("grpc.max_receive_message_length", MAX_RECEIVE_BYTES)),
        given.get("grpc.default_authority"),
        given.get("grpc.ssl_target_name_override"),
        f"{agent} {USER_AGENT}" if agent else USER_AGENT,
    )


def _limit(given: int) -> int:
    return LARGEST_MESSAGE_BYTES if given == _UNLIMITED else given


def _base_url(target: str, scheme: str) -> str:
    address = target.removeprefix("dns:///") if target.startswith("dns:///") else target.removeprefix("dns:")
    if not _is_address(address):
        raise ValueError(f"target {target!r} must be host, host:port or host:port/path, without a scheme")
    return f"{scheme}://{address}".rstrip("/")


def _is_address(address: str) -> bool:
    try:
        parts = urlsplit(f"//{address}")
        is_host = bool(parts.hostname) and parts.port != 0 and not parts.netloc.endswith(":")
    except ValueError:  # of the port, or of what is in brackets
        return False
    has_more = "@" in parts.netloc or ":" in parts.path or parts.query or parts.fragment
    return is_host and not has_more and address == "".join(address.split())
