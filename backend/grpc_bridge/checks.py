"""System checks: what is wrong with settings or servicers is said by `manage.py check`, before a server starts.

E001    settings.GRPC_BRIDGE has an unknown name or an impossible value
E002    an rpc module does not register, or registers a method that is there already
E003    a handler cannot be called with a request and a context
E004    a generator is registered for a method with one response
E005    a decorator hides that a handler is `async def`
E006    pages of any origin may call with cookies
W001    a method of a service is not implemented
W002    the handler of a method with a stream of responses is annotated to give one
W003    pages of any origin may call
W004    CORS_ALLOW_CREDENTIALS changes nothing without an origin
W005    the origins in the settings of django-cors-headers do not hold for RPCs
W006    `runserver` would not serve RPCs
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured
from google.protobuf.message import Message

from grpc_bridge.conf import load_settings
from grpc_bridge.cors import ANY_ORIGIN, configured_cors
from grpc_bridge.describe import function_of, is_implemented, location
from grpc_bridge.registry import Method, discovered_registry

UNKNOWN_ORIGINS = ("https://grpc-bridge-system-check.invalid", "http://grpc-bridge-system-check.invalid:1")
"""Nobody means to allow these: a regex that matches one matches every origin."""


@register("grpc_bridge")
def check_settings(**_: Any) -> list[CheckMessage]:
    """`settings.GRPC_BRIDGE` holds known names and possible values."""
    try:
        load_settings()
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="The settings stand in grpc_bridge/README.md.", id="grpc_bridge.E001")]
    return []


@register("grpc_bridge")
def check_cors(**_: Any) -> list[CheckMessage]:
    """CORS lets no more pages call than it says."""
    try:
        loaded = load_settings()
    except ImproperlyConfigured:
        return []  # said by `check_settings`
    cors = configured_cors(loaded)
    if cors is None:
        return [*_unused_credentials(loaded.cors_allow_credentials), *_other_cors()]
    if not any(map(cors.allows, UNKNOWN_ORIGINS)):
        return []
    if loaded.cors_allow_credentials:
        return [
            Error(
                "GRPC_BRIDGE lets pages of any origin call as whoever is logged in.",
                hint="Write CORS_ALLOWED_ORIGIN_REGEXES so that they match your own hosts only, or name the origins.",
                id="grpc_bridge.E006",
            )
        ]
    return [
        CheckWarning(
            "GRPC_BRIDGE lets pages of any origin call.",
            hint=f"Name the origins, unless everybody may see all that RPCs give without a login. ({ANY_ORIGIN!r} also"
            " lets pages call a site that only its own network can reach.)",
            id="grpc_bridge.W003",
        )
    ]


def _unused_credentials(allow_credentials: bool) -> Iterator[CheckMessage]:
    if allow_credentials:
        yield CheckWarning(
            "GRPC_BRIDGE['CORS_ALLOW_CREDENTIALS'] changes nothing, because no origin is allowed.",
            hint="Name the origins in CORS_ALLOWED_ORIGINS.",
            id="grpc_bridge.W004",
        )


def _other_cors() -> Iterator[CheckMessage]:
    names = ("CORS_ALLOWED_ORIGINS", "CORS_ALLOWED_ORIGIN_REGEXES", "CORS_ALLOW_ALL_ORIGINS")
    if apps.is_installed("corsheaders") and any(getattr(settings, name, None) for name in names):
        yield CheckWarning(
            "The origins in the settings of django-cors-headers do not hold for RPCs, which never reach it.",
            hint="Name the origins whose pages may make RPCs in GRPC_BRIDGE['CORS_ALLOWED_ORIGINS'].",
            id="grpc_bridge.W005",
        )


@register("grpc_bridge")
def check_wsgi_application(**_: Any) -> list[CheckMessage]:
    """`runserver` takes the project's WSGI application, and with it the bridge."""
    if settings.WSGI_APPLICATION is not None:
        return []
    return [
        CheckWarning(
            "WSGI_APPLICATION is not set, so runserver serves Django without the bridge.",
            hint="Set it to the application that grpc_bridge.wsgi(...) gives, such as 'config.wsgi.application'.",
            id="grpc_bridge.W006",
        )
    ]


@register("grpc_bridge")
def check_registration(**_: Any) -> list[CheckMessage]:
    """Every `rpc` module registers its servicers, no method is registered twice, and each handler fits its method."""
    try:
        registry = discovered_registry()
    except ImproperlyConfigured as error:
        hint = "An rpc module has a function register(server) that adds its servicers, each service once."
        return [Error(str(error), hint=hint, id="grpc_bridge.E002")]
    return [message for method in registry for message in _check_method(method)]


def _check_method(method: Method) -> Iterator[CheckMessage]:
    if not is_implemented(method):
        yield CheckWarning(
            f"{method.path} is not implemented: callers get UNIMPLEMENTED.",
            hint=f"Write {location(method)}(self, request, context), or silence this check.",
            obj=location(method),
            id="grpc_bridge.W001",
        )
        return
    for check in (_check_signature, _check_generator, _check_hidden_coroutine, _check_annotation):
        found = check(method)
        if found is not None:
            yield found
            return  # what else is wrong follows from it


def _check_signature(method: Method) -> CheckMessage | None:
    try:
        inspect.signature(method.behavior).bind(object(), object())
    except TypeError:
        return _wrong(
            method,
            "cannot be called with a request and a context",
            "Register an instance of the servicer, not its class.",
            "E003",
        )
    except ValueError:  # a callable without a signature
        return None
    return None


def _check_generator(method: Method) -> CheckMessage | None:
    has_yield = inspect.isgeneratorfunction(function_of(method)) or _is(inspect.isgeneratorfunction, method)
    if method.response_streaming or not (method.is_async_generator or has_yield):
        return None
    return _wrong(
        method,
        "has yield, but the method has one response",
        "Return the response, or declare a stream in the .proto.",
        "E004",
    )


def _check_hidden_coroutine(method: Method) -> CheckMessage | None:
    function = function_of(method)
    if method.is_async or not (iscoroutinefunction(function) or inspect.isasyncgenfunction(function)):
        return None
    return _wrong(
        method, "is async def inside a decorator that is not", "Make the decorator's wrapper async def as well.", "E005"
    )


def _check_annotation(method: Method) -> CheckMessage | None:
    if not method.response_streaming or method.is_async:
        return None
    try:
        result = inspect.signature(function_of(method), eval_str=True).return_annotation
    except Exception:  # an annotation may name what only a type checker imports
        return None
    if not (isinstance(result, type) and issubclass(result, Message)):
        return None
    hint = "Write a generator, or return an iterator of responses, and annotate it as Iterator[...]."
    text = f"{method.path}: {location(method)} is annotated to give one response, but the method has a stream of them."
    return CheckWarning(text, hint=hint, obj=location(method), id="grpc_bridge.W002")


def _is(test: Callable[[Any], bool], method: Method) -> bool:
    return test(method.behavior) or test(type(method.behavior).__call__)


def _wrong(method: Method, what: str, hint: str, number: str) -> CheckMessage:
    return Error(
        f"{method.path}: {location(method)} {what}.", hint=hint, obj=location(method), id=f"grpc_bridge.{number}"
    )
