"""The bridge's settings: their names in `settings.GRPC_BRIDGE`, their defaults and what they may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string


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

    default_access: str = "grpc_bridge.access.anyone"
    """Dotted path to the rule of methods that declare none by `@allow`; see `access.py`. With
    `grpc_bridge.access.nobody` methods are closed until somebody opens them."""

    token_user: str | None = None
    """Dotted path to a function that takes the secret of an `authorization: Bearer` entry and gives its user, or None
    for a secret that is no good. Without one such entries mean nothing to the bridge."""


def load_settings() -> BridgeSettings:
    """Reads `settings.GRPC_BRIDGE`. Raises `ImproperlyConfigured` for unknown names and impossible values."""
    given = getattr(settings, "GRPC_BRIDGE", {})
    if not isinstance(given, dict):
        raise ImproperlyConfigured(f"GRPC_BRIDGE must be a dict, not {given!r}")
    names = {field.name.upper(): field.name for field in fields(BridgeSettings)}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in names:
            raise ImproperlyConfigured(f"GRPC_BRIDGE has no setting {key!r}; there are {', '.join(sorted(names))}")
        values[names[key]] = _READERS.get(key, _positive)(key, value)
    return BridgeSettings(**values)


def _positive(key: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**32:
        raise ImproperlyConfigured(f"GRPC_BRIDGE[{key!r}] must be a positive integer below 2**32, not {value!r}")
    return value


def _function(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise ImproperlyConfigured(f"GRPC_BRIDGE[{key!r}] must be a dotted path to a function, not {value!r}")
    try:
        found = import_string(value)
    except ImportError as error:
        raise ImproperlyConfigured(f"GRPC_BRIDGE[{key!r}] names {value!r}, which fails: {error}") from error
    if not callable(found):
        raise ImproperlyConfigured(f"GRPC_BRIDGE[{key!r}] names {value!r}, which is no function")
    return value


def named_function(key: str) -> Callable[..., Any] | None:
    """Gives the function that one setting names, None if it names none. Raises `ImproperlyConfigured` for a wrong name.

    For what is asked where no `BridgeSettings` are at hand; other settings are not looked at.
    """
    given = getattr(settings, "GRPC_BRIDGE", {})
    path = given.get(key) if isinstance(given, dict) else None
    path = path or getattr(BridgeSettings, key.lower())
    return None if path is None else import_string(_function(key, path))


_READERS: dict[str, Callable[[str, object], Any]] = {"DEFAULT_ACCESS": _function, "TOKEN_USER": _function}
