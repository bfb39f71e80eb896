"""The bridge's settings: their names in `settings.GRPC_BRIDGE`, their defaults and what they may be."""

from __future__ import annotations

from dataclasses import dataclass, fields

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True)
class BridgeSettings:
    """All that can be set. In `settings.GRPC_BRIDGE` the names are upper case."""

    max_receive_message_bytes: int = 4 * 1024 * 1024
    """The largest request message, in bytes. A larger one is refused on its length prefix."""

    max_send_message_bytes: int = 4 * 1024 * 1024
    """The largest response message, in bytes. The browser client's own limit is the same."""

    sync_threads: int = 32
    """How many `def` handlers run at a time under ASGI, and under WSGI of those that have a deadline. A stream from a
    `def` handler holds its thread as long as it is open."""


def load_settings() -> BridgeSettings:
    """Reads `settings.GRPC_BRIDGE`. Raises `ImproperlyConfigured` for unknown names and impossible values."""
    given = getattr(settings, "GRPC_BRIDGE", {})
    if not isinstance(given, dict):
        raise ImproperlyConfigured(f"GRPC_BRIDGE must be a dict, not {given!r}")
    names = {field.name.upper(): field.name for field in fields(BridgeSettings)}
    values: dict[str, int] = {}
    for key, value in given.items():
        if key not in names:
            raise ImproperlyConfigured(f"GRPC_BRIDGE has no setting {key!r}; there are {', '.join(sorted(names))}")
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**32:
            raise ImproperlyConfigured(f"GRPC_BRIDGE[{key!r}] must be a positive integer below 2**32, not {value!r}")
        values[names[key]] = value
    return BridgeSettings(**values)
