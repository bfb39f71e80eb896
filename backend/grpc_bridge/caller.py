"""Who calls: the session and the user that a view would have in its request, for a handler, on every server.

All that is asked of a context is the caller's metadata, where the cookie is. So these functions work under ASGI and
WSGI and with grpcio's own servers, and nothing is read before a handler asks.

    user = grpc_bridge.get_user(context)             in a `def` handler
    user = await grpc_bridge.aget_user(context)      in an `async def` handler
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest, parse_cookie

from grpc_bridge.executors import in_lookup_thread
from grpc_bridge.lifecycle import has_thread_of_its_own
from grpc_bridge.tokens import bearer_secret, user_of_token

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
    from django.contrib.sessions.backends.base import SessionBase

    User = AbstractBaseUser | AnonymousUser

_ATTRIBUTE = "_grpc_bridge_caller"

_native: ContextVar[tuple[Any, _Caller] | None] = ContextVar("grpc_bridge_native_caller", default=None)
"""The context and the caller of this task's call, or this thread's, where a context takes no attribute."""


class _Caller:
    """What has been found out about the caller of one call."""

    session: SessionBase | None = None
    user: User | None = None


def get_session(context: Any) -> SessionBase:
    """Gives the session of the caller's cookie, a new and empty one without a cookie. Reads nothing yet.

    It is for reading: what is changed is not saved, unless the handler calls `save()` itself, and no call can set or
    delete the browser's cookie. In an `async def` handler use its async methods, such as `aget`.
    """
    caller = _caller_of(context)
    if caller.session is None:
        caller.session = _session(_session_key(context))
    return caller.session


def get_user(context: Any) -> User:
    """Gives the user who is logged in, `AnonymousUser` if nobody is. Asks the database once for each call.

    In an `async def` handler use `aget_user`; there Django raises `SynchronousOnlyOperation` here.
    """
    caller = _caller_of(context)
    if caller.user is None:
        secret = bearer_secret(context)
        caller.user = auth.get_user(_request(context)) if secret is None else user_of_token(secret)
    return caller.user


async def aget_user(context: Any) -> User:
    """Gives what `get_user` gives, for `async def` handlers.

    The database is asked outside the handler's own thread, and outside a transaction that is open there.
    """
    caller = _caller_of(context)
    if caller.user is None:
        secret = bearer_secret(context)
        if has_thread_of_its_own():
            find = partial(auth.get_user, _request(context)) if secret is None else partial(user_of_token, secret)
            caller.user = await in_lookup_thread(find)
        elif secret is None:
            caller.user = await auth.aget_user(_request(context))
        else:
            caller.user = await sync_to_async(user_of_token)(secret)
    return caller.user


def set_user(context: Any, user: User) -> None:
    """Makes `user` the caller of a call, for interceptors that know the user by something else than the cookie.

    An interceptor that hands on a context of its own calls this with that one.
    """
    _caller_of(context).user = user


def _caller_of(context: Any) -> _Caller:
    # An object around a context that hands on what it does not know itself stands for the same call: its method is
    # bound to the context inside.
    context = getattr(context.invocation_metadata, "__self__", context)
    caller = getattr(context, _ATTRIBUTE, None)
    if not isinstance(caller, _Caller):
        caller = _new_caller(context)
    return caller


def _new_caller(context: Any) -> _Caller:
    caller = _Caller()
    try:
        setattr(context, _ATTRIBUTE, caller)
    except AttributeError:  # those of `grpc.aio` are not of Python
        known = _native.get()
        if known is not None and known[0] is context:
            return known[1]
        _native.set((context, caller))
    return caller


def _session_key(context: Any) -> str | None:
    cookies = [value for key, value in context.invocation_metadata() or () if key == "cookie"]
    return parse_cookie("; ".join(cookies)).get(settings.SESSION_COOKIE_NAME)


def _request(context: Any) -> HttpRequest:
    """Gives as much of a request as Django's functions for users look at."""
    request = HttpRequest()
    request.session = get_session(context)
    return request


def _session(key: str | None) -> SessionBase:
    """Gives the session with this key, which it keeps.

    Django gives a session that is signed with an old secret a new key, and the browser a new cookie. From here the
    cookie would go on naming the old one, and the user would be logged out; so that is left to the next view.
    """
    session: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore(key)
    session.cycle_key = _keep_key  # type: ignore[method-assign]
    session.acycle_key = _akeep_key  # type: ignore[method-assign]
    return session


def _keep_key() -> None:
    """Instead of `cycle_key`."""


async def _akeep_key() -> None:
    """Instead of `acycle_key`."""
