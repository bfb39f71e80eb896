"""What can be told to a native server, and what grpcio calls it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import grpc

from grpc_bridge.conf import BridgeSettings

ChannelOption = tuple[str, int | str]

METADATA_ENTRY_BYTES = 32
"""What grpcio counts an entry of metadata for beside its key and its value (RFC 9113, 6.5.2)."""

HTTP_HEAD_BYTES = 1024
"""What the headers take in it that are no metadata."""

UNLIMITED = -1


@dataclass(frozen=True)
class Tls:
    """The files of TLS, in PEM. With `client_ca` only callers with a certificate of that authority are served."""

    cert: Path
    key: Path
    client_ca: Path | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """Reads the files. Raises `OSError` for one that cannot be read."""
        pair = self.key.read_bytes(), self.cert.read_bytes()
        authority = None if self.client_ca is None else self.client_ca.read_bytes()
        return grpc.ssl_server_credentials([pair], authority, require_client_auth=authority is not None)


@dataclass(frozen=True)
class ServerOptions:
    """All times are in seconds, all sizes in bytes. `manage.py rungrpc --help` says what each is for."""

    addresses: Sequence[str] = ("[::]:50051",)
    tls: Tls | None = None
    health: bool = True
    reflection: bool = True
    unready_seconds: float = 0.0
    grace_seconds: float = 30.0
    keepalive_seconds: float = 60.0
    keepalive_timeout_seconds: float = 20.0
    min_ping_seconds: float = 10.0
    max_connection_age_seconds: float | None = None
    max_receive_message_bytes: int | None = None
    max_send_message_bytes: int | None = None
    channel_options: Sequence[ChannelOption] = ()
    shares_port: bool = False
    """Whether other processes listen on the same addresses. If not, an address that is taken is an error."""

    def applied(self, settings: BridgeSettings) -> BridgeSettings:
        """Gives the bridge's settings with the sizes that are set here."""
        return replace(
            settings,
            max_receive_message_bytes=self.max_receive_message_bytes or settings.max_receive_message_bytes,
            max_send_message_bytes=self.max_send_message_bytes or settings.max_send_message_bytes,
        )

    def channel(self, settings: BridgeSettings) -> list[ChannelOption]:
        """Gives grpcio's own options. Those named by hand come last and so count."""
        # The bridge refuses too much metadata with its own words; grpcio bounds what it keeps before it asks.
        metadata_bytes = (
            settings.max_metadata_bytes + METADATA_ENTRY_BYTES * settings.max_metadata_entries + HTTP_HEAD_BYTES
        )
        options: list[ChannelOption] = [
            ("grpc.max_receive_message_length", settings.max_receive_message_bytes),
            ("grpc.max_send_message_length", UNLIMITED),  # the bridge has looked already
            ("grpc.max_metadata_size", metadata_bytes),
            ("grpc.absolute_max_metadata_size", metadata_bytes),
            ("grpc.so_reuseport", int(self.shares_port)),
            ("grpc.keepalive_time_ms", _milliseconds(self.keepalive_seconds)),
            ("grpc.keepalive_timeout_ms", _milliseconds(self.keepalive_timeout_seconds)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.http2.min_ping_interval_without_data_ms", _milliseconds(self.min_ping_seconds)),
        ]
        if self.max_connection_age_seconds is not None:
            options += [
                ("grpc.max_connection_age_ms", _milliseconds(self.max_connection_age_seconds)),
                ("grpc.max_connection_age_grace_ms", _milliseconds(self.grace_seconds)),
            ]
        return [*options, *self.channel_options]


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
