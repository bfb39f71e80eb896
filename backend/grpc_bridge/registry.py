"""Which methods there are. `Registry` takes what the generated `add_XServicer_to_server` functions give a server."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from typing import Any, Protocol, TypeAlias

import grpc
from asgiref.sync import iscoroutinefunction
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import module_has_submodule

from grpc_bridge.protocol.metadata import Metadatum
from grpc_bridge.protocol.status import StatusCode, StatusError

logger = logging.getLogger("grpc_bridge")

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Method:
    """One registered method, with all that can be known of it before the first call."""

    __slots__ = (
        "behavior", "deserialize", "interceptors", "is_async", "is_async_generator", "path", "request_streaming",
        "response_streaming", "serialize",
    )  # fmt: skip

    def __init__(self, path: str, handler: Handler) -> None:
        self.path = path
        self.interceptors: Interceptors | None = None
        self.request_streaming: bool = handler.request_streaming
        self.response_streaming: bool = handler.response_streaming
        self.deserialize: Callable[[bytes], Any] = handler.request_deserializer or _as_it_is
        self.serialize: Callable[[Any], bytes] = handler.response_serializer or _as_it_is
        self.behavior: Callable[[Any, Any], Any] = _behavior(handler)
        # A behavior may also be an object whose class says how it is called.
        written_as = (self.behavior, getattr(type(self.behavior), "__call__", None))  # noqa: B004
        self.is_async_generator = any(map(inspect.isasyncgenfunction, written_as))
        self.is_async = self.is_async_generator or any(map(iscoroutinefunction, written_as))


class Interceptors(Protocol):
    """What decides, call by call, which handler serves a method; see `interceptors.py`.

    Both ways set `call.method` and `call.context` to those of the handler. They give False for a call that is over, and
    raise nothing that an interceptor raises.
    """

    def find_handler(self, call: Any) -> bool:
        """In a thread, for calls whose context is a `SyncContext`."""

    async def find_handler_async(self, call: Any) -> bool:
        """In a task, for calls whose context is an `AsyncContext`."""


def _behavior(handler: Handler) -> Callable[[Any, Any], Any]:
    name = "_".join(
        "stream" if streaming else "unary" for streaming in (handler.request_streaming, handler.response_streaming)
    )
    behavior: Callable[[Any, Any], Any] = getattr(handler, name)
    return behavior


def _as_it_is(message: Any) -> Any:
    return message


class Registry:
    """The bridge's side of `add_XServicer_to_server`: it collects handlers as a `grpc.Server` does."""

    def __init__(self) -> None:
        self._methods: dict[str, Method] = {}
        self._generic_handlers: list[grpc.GenericRpcHandler] = []

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Handler]) -> None:
        """Takes the handlers of one service. Raises `ImproperlyConfigured` for a method that is registered already."""
        for name, handler in method_handlers.items():
            path = f"/{service_name}/{name}"
            if path in self._methods:
                raise ImproperlyConfigured(f"{path} is registered twice")
            self._methods[path] = Method(path, handler)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Takes handlers that decide themselves which methods they serve; asked for paths that are not registered."""
        self._generic_handlers.extend(generic_rpc_handlers)

    def find(self, path: str) -> Method | None:
        """Gives the registered method of a path such as `/echo.v1.EchoService/Echo`, None if there is none."""
        return self._methods.get(path)

    def find_generic(self, path: str, metadata: Callable[[], tuple[Metadatum, ...]] = tuple) -> Method | None:
        """Asks the generic handlers for the method of a path that is not registered. `metadata` gives the caller's.

        Only for requests that are RPCs by their content type: a generic handler may claim any path, also one of
        Django's. Raises `StatusError` UNKNOWN, in grpcio's words, if one of them fails.
        """
        details = _HandlerCallDetails(path, metadata)
        try:
            for generic_handler in self._generic_handlers:
                handler = generic_handler.service(details)
                if handler is not None:
                    return Method(path, handler)
        except StatusError:  # metadata that cannot be decoded
            raise
        except Exception:
            logger.exception("A generic handler failed for %s", path)
            raise StatusError(StatusCode.UNKNOWN, "Error in service handler!") from None
        return None

    def __iter__(self) -> Iterator[Method]:
        return iter(self._methods.values())


class _HandlerCallDetails(grpc.HandlerCallDetails):
    """What a generic handler is asked with. The metadata is decoded when it is asked for."""

    def __init__(self, method: str, metadata: Callable[[], tuple[Metadatum, ...]]) -> None:
        self.method = method
        self._metadata = metadata

    @cached_property
    def invocation_metadata(self) -> tuple[Metadatum, ...]:  # type: ignore[override]
        """The caller's metadata. Raises `StatusError` INTERNAL when it cannot be decoded."""
        return self._metadata()


def autodiscover(server: Any) -> None:
    """Calls `register(server)` of the `rpc` module of every installed app that has one, as Django's admin does.

    `server` is a `Registry` or a real `grpc.Server`; its handlers ask whether the caller may, as `access.py` says.
    Raises `ImproperlyConfigured` for an `rpc` module without `register`; an error while importing one is not caught.
    """
    from grpc_bridge.access import GuardedServer  # noqa: PLC0415 - it knows this module

    guarded = GuardedServer(server)
    for config in apps.get_app_configs():
        if config.module is None or not module_has_submodule(config.module, "rpc"):
            continue
        module = import_module(f"{config.name}.rpc")
        register = getattr(module, "register", None)
        if register is None:
            raise ImproperlyConfigured(f"{module.__name__} has no function register(server)")
        register(guarded)


def discovered_registry() -> Registry:
    """Gives a registry with the servicers of all installed apps. Raises what `autodiscover` raises."""
    registry = Registry()
    autodiscover(registry)
    return registry
