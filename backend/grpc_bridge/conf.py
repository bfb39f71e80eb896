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

    max_metadata_bytes: int = 16 * 1024
    """The largest head of a request: the names and values of all its headers, in bytes. A grpcio server's hard limit is
    the same. What a handler sends is its own business; clients have limits, too."""

    max_metadata_entries: int = 128
    """The largest number of headers that a request may have, HTTP's own included."""

    max_concurrent_calls: int | None = 1_000
    """How many unary calls may be in progress at a time in one process, None for any number. With messages of the
    largest size they hold 8 GB, so more would not be a limit; Envoy's default for a cluster is about the same."""

    max_concurrent_streams: int | None = 10_000
    """How many calls may be open at a time in one process whose requests or responses stream, None for any number. An
    idle stream costs some kilobytes, and a chat or a page with live updates holds one for each visitor."""

    max_stream_seconds: float | None = None
    """How long a call may last whose requests or responses stream, in seconds, None for any time."""

    max_stream_idle_seconds: float | None = None
    """How long such a call may last without a message in either direction, in seconds, None for any time."""

    request_body_seconds: float = 60.0
    """How long the body of a unary request may take to arrive, in seconds; under WSGI, where who waits holds a thread,
    also how long a stream may keep the server waiting for its next piece, and over TLS any request. 4 MiB in a minute
    are 0.6 Mbit/s."""

    sync_threads: int = 32
    """How many `def` handlers run at a time under ASGI, and under WSGI of those that have a deadline, or whose requests
    stream over HTTP/2. A stream from a `def` handler holds its thread as long as it is open."""

    sync_queue: int = 1_000
    """How many calls may wait for one of these threads. Less than `max_concurrent_calls` turns calls away sooner."""

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

    default_access: str = "grpc_bridge.access.anyone"
    """Dotted path to the rule of methods that declare none by `@allow`; see `access.py`. With
    `grpc_bridge.access.nobody` methods are closed until somebody opens them."""

    token_user: str | None = None
    """Dotted path to a function that takes the secret of an `authorization: Bearer` entry and gives its user, or None
    for a secret that is no good. Without one such entries mean nothing to the bridge."""

    @property
    def limits_stream_time(self) -> bool:
        """Whether any stream may be ended for taking too long."""
        return self.max_stream_seconds is not None or self.max_stream_idle_seconds is not None


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


def _seconds(key: str, value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 2**32:
        raise ImproperlyConfigured(f"GRPC_BRIDGE[{key!r}] must be a positive number below 2**32, not {value!r}")
    return value


def _or_none(read: Callable[[str, object], Any]) -> Callable[[str, object], Any]:
    """Gives a reader that also takes None."""
    return lambda key, value: None if value is None else read(key, value)


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
    "DEFAULT_ACCESS": _function,
    "TOKEN_USER": _or_none(_function),
    "INTERCEPTORS": _interceptors,
    "LOG_CALLS": _boolean,
    "MAX_CONCURRENT_CALLS": _or_none(_positive),
    "MAX_CONCURRENT_STREAMS": _or_none(_positive),
    "MAX_STREAM_SECONDS": _or_none(_seconds),
    "MAX_STREAM_IDLE_SECONDS": _or_none(_seconds),
    "REQUEST_BODY_SECONDS": _seconds,
}
