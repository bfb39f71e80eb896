"""The bridge's settings: their names in `settings.GRPC_BRIDGE`, their defaults and what they may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import grpc
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from grpc_bridge.cors import ANY_ORIGIN, check_origin, check_origin_regex

Interceptor = grpc.ServerInterceptor | grpc.aio.ServerInterceptor
INTERCEPTOR_TYPES = (grpc.ServerInterceptor, grpc.aio.ServerInterceptor)


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

    interceptors: tuple[Interceptor, ...] = ()
    """What every call passes before its handler, in this order. Set as dotted paths to classes, instances or functions
    that give one; loading the settings makes the instances."""

    log_calls: bool = True
    """Whether each call is written to the logger `grpc_bridge.calls`, at level INFO."""

    cors_allowed_origins: tuple[str, ...] = ()
    """Origins whose pages may call, such as `https://app.example.com`, or `*` for every page there is. Without any, and
    without a regex, CORS is off."""

    cors_allowed_origin_regexes: tuple[str, ...] = ()
    """The same as regular expressions, each of which has to match the whole origin."""

    cors_allow_credentials: bool = False
    """Whether pages of these origins may call with cookies, that is, as the user who is logged in."""

    cors_max_age_seconds: int = 2 * 60 * 60
    """How long a browser may remember the answer to a preflight, in seconds. Browsers have limits of their own."""


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
    loaded = BridgeSettings(**values)
    if loaded.cors_allow_credentials and ANY_ORIGIN in loaded.cors_allowed_origins:
        raise ImproperlyConfigured(
            f"GRPC_BRIDGE['CORS_ALLOWED_ORIGINS'] must name the origins, not {ANY_ORIGIN!r}, with"
            " CORS_ALLOW_CREDENTIALS: every page there is would call as whoever is logged in"
        )
    return loaded


def _positive(key: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**32:
        raise ImproperlyConfigured(f"GRPC_BRIDGE[{key!r}] must be a positive integer below 2**32, not {value!r}")
    return value


def _boolean(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ImproperlyConfigured(f"GRPC_BRIDGE[{key!r}] must be True or False, not {value!r}")
    return value


def _interceptors(key: str, value: object) -> tuple[Interceptor, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(path, str) for path in value):
        raise ImproperlyConfigured(f"GRPC_BRIDGE[{key!r}] must be a list of dotted paths, not {value!r}")
    return tuple(_interceptor(key, path) for path in value)


def _interceptor(key: str, path: str) -> Interceptor:
    try:
        found = import_string(path)
        interceptor = found if isinstance(found, INTERCEPTOR_TYPES) else found()
    except Exception as error:
        raise ImproperlyConfigured(f"GRPC_BRIDGE[{key!r}] names {path!r}, which fails: {error!r}") from error
    if not isinstance(interceptor, INTERCEPTOR_TYPES):
        raise ImproperlyConfigured(
            f"GRPC_BRIDGE[{key!r}] names {path!r}, which gives {interceptor!r}, no grpc.ServerInterceptor"
        )
    return interceptor


def _texts(check: Callable[[str], None]) -> Callable[[str, object], tuple[str, ...]]:
    """Gives a reader of a list of strings, each of which passes `check`: it raises `ValueError` for a wrong one."""

    def read(key: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or not all(isinstance(entry, str) for entry in value):
            raise ImproperlyConfigured(f"GRPC_BRIDGE[{key!r}] must be a list of strings, not {value!r}")
        for entry in value:
            try:
                check(entry)
            except ValueError as error:
                raise ImproperlyConfigured(f"GRPC_BRIDGE[{key!r}]: {error}") from None
        return tuple(value)

    return read


_READERS: dict[str, Callable[[str, object], Any]] = {
    "CORS_ALLOWED_ORIGINS": _texts(check_origin),
    "CORS_ALLOWED_ORIGIN_REGEXES": _texts(check_origin_regex),
    "CORS_ALLOW_CREDENTIALS": _boolean,
    "INTERCEPTORS": _interceptors,
    "LOG_CALLS": _boolean,
}
