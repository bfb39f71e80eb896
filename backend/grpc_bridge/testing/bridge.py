"""What the test clients call: the project's bridge as the settings are now, and what its handlers raise."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from django.core.signals import got_request_exception
from django.test.signals import setting_changed

from grpc_bridge.conf import BridgeSettings, load_settings
from grpc_bridge.registry import Registry, discovered_registry

Bridge = TypeVar("Bridge")
Register = Callable[[Any], None]
"""A function like that of an `rpc` module."""

_apps_changes = 0


def _count_change(*, setting: str, **_: Any) -> None:
    global _apps_changes
    _apps_changes += setting == "INSTALLED_APPS"


setting_changed.connect(_count_change, dispatch_uid="grpc_bridge.testing")


class CurrentBridge(Generic[Bridge]):
    """The bridge, which follows the settings by itself, but for the installed apps: for these it is made anew."""

    def __init__(self, make: Callable[[Registry, BridgeSettings], Bridge], register: Register | None) -> None:
        self._make = make
        self._register = register
        self._made_after = -1
        self._bridge: Bridge | None = None

    def get(self) -> Bridge:
        """Gives the bridge. Raises `ImproperlyConfigured`, as a server does when it starts."""
        if self._bridge is None or self._made_after != _apps_changes:
            self._bridge = self._make(self._registered(), load_settings())
            self._made_after = _apps_changes
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
