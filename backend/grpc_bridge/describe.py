"""What can be told about a registered method without calling it. For people: `list_rpcs` and the system checks."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

from grpc_bridge.registry import Method

KINDS = {
    (False, False): "unary",
    (False, True): "server streaming",
    (True, False): "client streaming",
    (True, True): "bidirectional streaming",
}
"""The kinds of methods by whether requests and responses stream."""


def kind(method: Method) -> str:
    """Gives one of `KINDS`."""
    return KINDS[method.request_streaming, method.response_streaming]


def function_of(method: Method) -> Callable[..., Any]:
    """Gives what the author has written: the function behind decorators that say what they wrap, not bound."""
    unwrapped: Callable[..., Any] = inspect.unwrap(method.behavior)
    return getattr(unwrapped, "__func__", unwrapped)


def location(method: Method) -> str:
    """Gives the dotted name of the handler, such as `services.echo.rpc.EchoServicer.Echo`.

    An inherited one has the name of the servicer that was registered, not of the class that it comes from.
    """
    function = function_of(method)
    servicer = getattr(method.behavior, "__self__", None)
    name: str = getattr(function, "__qualname__", type(function).__qualname__)
    if servicer is None or inspect.ismodule(servicer):
        return f"{getattr(function, '__module__', type(function).__module__)}.{name}"
    owner = servicer if isinstance(servicer, type) else type(servicer)
    return f"{owner.__module__}.{owner.__qualname__}.{name.rpartition('.')[2]}"


def is_implemented(method: Method) -> bool:
    """Whether somebody has written the method: False for the one that generated base classes have."""
    function = function_of(method)
    class_name, dot, _ = getattr(function, "__qualname__", "").rpartition(".")
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    return not (dot and hasattr(module, f"add_{class_name}_to_server"))
