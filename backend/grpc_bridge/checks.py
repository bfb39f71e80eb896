"""System checks: what is wrong with settings or registration is said by `manage.py check`, before a server starts."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from grpc_bridge.conf import load_settings
from grpc_bridge.registry import discovered_registry


@register("grpc_bridge")
def check_settings(**_: Any) -> list[CheckMessage]:
    """`settings.GRPC_BRIDGE` holds known names and possible values."""
    try:
        load_settings()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="grpc_bridge.E001")]
    return []


@register("grpc_bridge")
def check_registration(**_: Any) -> list[CheckMessage]:
    """Every `rpc` module registers its servicers, and no method is registered twice."""
    try:
        discovered_registry()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="grpc_bridge.E002")]
    return []
