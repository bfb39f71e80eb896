"""What the test clients call: the project's bridge as the settings are now, with which headers, and what its handlers
raise."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from django.core.signals import got_request_exception
from django.test.signals import setting_changed

from grpc_bridge.calling.method import CallOptions, timeout_header
from grpc_bridge.conf import BridgeSettings, load_settings
from grpc_bridge.registry import Registry, discovered_registry

Bridge = TypeVar("Bridge")
Register = Callable[[Any], None]
"""A function like that of an `rpc` module."""

HOST = "testserver"
"""Django's test runner adds this one to ALLOWED_HOSTS."""


def request_headers(options: CallOptions) -> dict[str, str]:
    """Gives the headers of a request, one for each name, as WSGI has them.

    Raises `ValueError` for metadata that may not travel, and for credentials.
    """
    if options.credentials is not None:
        raise ValueError("call credentials need a channel with TLS; a test gives what they would add as metadata")
    headers: dict[str, str] = {}
    for name, value in options.headers():
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    if options.timeout is not None:
        headers.update([timeout_header(options.timeout)])
    return headers


_changes = {"of any setting": 0, "INSTALLED_APPS": 0}


def _count_change(*, setting: str, **_: Any) -> None:
    _changes["of any setting"] += 1
    if setting in _changes:
        _changes[setting] += 1


setting_changed.connect(_count_change, dispatch_uid="grpc_bridge.testing")


class CurrentBridge(Generic[Bridge]):
    """Keeps a bridge until a setting changes. Servicers are made once, unless the installed apps change."""

    def __init__(self, make: Callable[[Registry, BridgeSettings], Bridge], register: Register | None) -> None:
        self._make = make
        self._register = register
        self._made_after: Mapping[str, int] = {}
        self._registry: Registry | None = None
        self._bridge: Bridge | None = None

    def get(self) -> Bridge:
        """Gives the bridge. Raises `ImproperlyConfigured`, as a server does when it starts."""
        if self._bridge is None or self._made_after != _changes:
            if self._registry is None or self._made_after["INSTALLED_APPS"] != _changes["INSTALLED_APPS"]:
                self._registry = self._registered()
            self._bridge = self._make(self._registry, load_settings())
            self._made_after = dict(_changes)
        return self._bridge

    def _registered(self) -> Registry:
        if self._register is None:
            return discovered_registry()
        registry = Registry()
        self._register(registry)
        return registry


failures: ContextVar[list[BaseException]] = ContextVar("grpc_bridge_failures")
"""Where exceptions of handlers are collected that the caller is not told about. Set in the context of a call."""


def _remember_failure(**_: Any) -> None:
    collected, error = failures.get(None), sys.exc_info()[1]
    if collected is not None and error is not None:
        collected.append(error)


got_request_exception.connect(_remember_failure, dispatch_uid="grpc_bridge.testing")
