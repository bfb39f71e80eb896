"""The caller's session and user: what Django's middleware gives a view, from the cookie in the metadata."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import SynchronousOnlyOperation
from django.test import Client
from google.protobuf.wrappers_pb2 import StringValue

from grpc_bridge import aget_user, get_session, get_user, set_user
from grpc_bridge.testing import Client as RpcClient
from grpc_bridge.tests.calls import Source, async_context, sync_context

ENGINES = ["db", "cache", "cached_db", "file", "signed_cookies"]

Ask = Callable[[Any], Any]
ways = pytest.mark.parametrize("ask", [get_user, async_to_sync(aget_user)], ids=["get_user", "aget_user"])


@pytest.fixture
def user(db: None) -> Any:
    return get_user_model().objects.create_user(email="ada@example.com", password="a password")


@pytest.fixture
def cookie(user: Any, client: Client) -> str:
    """What the browser of a user sends who has logged in."""
    return log_in(client, user)


def log_in(client: Client, user: Any) -> str:
    client.force_login(user)
    return f"theme=dark; sessionid={client.cookies['sessionid'].value}"


def context_with(*cookies: str) -> Any:
    return sync_context(source=Source(headers=tuple(("cookie", cookie) for cookie in cookies)))


@ways
def test_the_user_who_has_logged_in(user: Any, cookie: str, ask: Ask) -> None:
    found = ask(context_with(cookie))
    assert found == user
    assert type(found) is type(user)
    assert found.is_authenticated


@ways
@pytest.mark.django_db
@pytest.mark.parametrize(
    "cookies", [(), ("",), ("theme=dark",), ("sessionid=",), ("sessionid=unknown",), ("sessionid=../../x;sessionid=y",)]
)
def test_nobody(ask: Ask, cookies: tuple[str, ...]) -> None:
    assert ask(context_with(*cookies)) == AnonymousUser()


@ways
def test_without_a_cookie_no_database_is_asked(ask: Ask) -> None:
    """pytest-django refuses each access here."""
    assert not ask(context_with()).is_authenticated


@ways
def test_it_is_found_once_for_each_call(cookie: str, ask: Ask, django_assert_num_queries: Any) -> None:
    context = context_with(cookie)
    with django_assert_num_queries(2):  # the session and the user
        first = ask(context)
    with django_assert_num_queries(0):
        assert ask(context) is first
        assert get_user(context) is first
        assert get_session(context).session_key in cookie
    with django_assert_num_queries(2):
        assert ask(context_with(cookie)) is not first


def test_nothing_is_read_before_it_is_asked_for(cookie: str, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        get_session(context_with(cookie))


@ways
def test_http_2_may_split_the_cookies(user: Any, cookie: str, ask: Ask) -> None:
    assert ask(context_with(*cookie.split("; "), "last=1")) == user


@ways
@pytest.mark.parametrize("engine", ENGINES)
def test_every_session_engine(settings: Any, tmp_path: Any, user: Any, client: Client, ask: Ask, engine: str) -> None:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    context = context_with(log_in(client, user))
    assert ask(context) == user
    assert isinstance(get_session(context), SessionBase)


@ways
def test_the_cookie_s_name_is_a_setting(settings: Any, user: Any, client: Client, ask: Ask) -> None:
    settings.SESSION_COOKIE_NAME = "__Host-session"
    client.force_login(user)
    value = client.cookies["__Host-session"].value
    assert ask(context_with(f"__Host-session={value}")) == user
    assert not ask(context_with(f"sessionid={value}")).is_authenticated


def test_the_session_is_that_of_the_views(user: Any, cookie: str, client: Client) -> None:
    session = client.session
    session["cart"] = [1, 2]
    session.save()
    found = get_session(context_with(cookie))
    assert found["cart"] == [1, 2]
    found["cart"] = []
    assert client.session["cart"] == [1, 2], "what a handler changes is not saved by itself"


@ways
def test_a_new_password_ends_other_sessions(user: Any, cookie: str, ask: Ask) -> None:
    user.set_password("another")
    user.save()
    assert ask(context_with(cookie)) == AnonymousUser()


@ways
def test_a_user_who_is_gone_or_locked_is_nobody(user: Any, cookie: str, ask: Ask) -> None:
    user.is_active = False
    user.save()
    assert ask(context_with(cookie)) == AnonymousUser()
    user.delete()
    assert ask(context_with(cookie)) == AnonymousUser()


@ways
def test_a_new_secret_key_logs_nobody_out(settings: Any, user: Any, cookie: str, client: Client, ask: Ask) -> None:
    """Django gives such a session a new key and cookie. A call cannot set one, so the old one stays good for both."""
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new secret key"
    assert ask(context_with(cookie)) == user
    assert ask(context_with(cookie)) == user
    assert get_session(context_with(cookie)).session_key in cookie
    assert client.get("/admin/login/").wsgi_request.user == user


@ways
def test_an_interceptor_may_know_the_user_by_something_else(user: Any, cookie: str, ask: Ask) -> None:
    token_user = get_user_model()(email="token@example.com")
    for context in (context_with(), context_with(cookie)):
        set_user(context, token_user)
        assert ask(context) is token_user
    context = context_with(cookie)
    assert ask(context) == user
    set_user(context, token_user)
    assert ask(context) is token_user
    assert get_session(context).session_key in cookie


class Around:
    """What an interceptor may hand on: an object around a context that passes on what it does not know."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


@ways
def test_an_object_around_a_context_is_the_same_call(user: Any, cookie: str, ask: Ask) -> None:
    context = context_with(cookie)
    assert ask(Around(Around(context))) is ask(context)
    token_user = get_user_model()(email="token@example.com")
    set_user(Around(context), token_user)
    assert ask(context) is ask(Around(context)) is token_user


@ways
def test_any_object_with_metadata_will_do(user: Any, cookie: str, ask: Ask) -> None:
    class Context:
        def invocation_metadata(self) -> Any:
            return (("cookie", cookie),)

    class Bare:
        def invocation_metadata(self) -> Any:
            return None

    assert ask(Context()) == user
    assert ask(Bare()) == AnonymousUser()


async def test_in_an_async_handler_django_says_what_to_use() -> None:
    context = async_context(source=Source(headers=(("cookie", "sessionid=" + 32 * "x"),)))
    with pytest.raises(SynchronousOnlyOperation):
        get_user(context)


async def test_a_user_who_has_been_found_can_be_had_anywhere() -> None:
    context = async_context()
    assert get_user(context) is await aget_user(context)


def knows_token(context: Any) -> None:
    """What an interceptor does that logs in by a bearer token."""
    token = dict(context.invocation_metadata()).get("authorization", "").removeprefix("Bearer ")
    if token:
        set_user(context, get_user_model()(email=f"{token}@example.com"))


class TokenInterceptor(grpc.ServerInterceptor):
    """Knows callers by a bearer token."""

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = continuation(details)

        def behavior(request: Any, context: Any) -> Any:
            knows_token(context)
            return handler.unary_unary(request, context)

        return handler._replace(unary_unary=behavior)


class AsyncTokenInterceptor(grpc.aio.ServerInterceptor):
    """The same for `async def` handlers."""

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)

        async def behavior(request: Any, context: Any) -> Any:
            knows_token(Around(context))
            return await handler.unary_unary(request, context)

        return handler._replace(unary_unary=behavior)


def say_who(request: StringValue, context: Any) -> StringValue:
    return StringValue(value=get_user(context).get_username())


async def asay_who(request: StringValue, context: Any) -> StringValue:
    return StringValue(value=(await aget_user(context)).get_username())


def register(server: Any) -> None:
    codec = (StringValue.FromString, StringValue.SerializeToString)
    behaviors = {"Def": say_who, "Async": asay_who}
    handlers = {name: grpc.unary_unary_rpc_method_handler(each, *codec) for name, each in behaviors.items()}
    server.add_registered_method_handlers("test.v1.Who", handlers)


@pytest.mark.django_db
@pytest.mark.parametrize("interceptor", [TokenInterceptor, AsyncTokenInterceptor])
@pytest.mark.parametrize("name", ["Def", "Async"])
def test_what_an_interceptor_of_either_kind_knows_a_handler_of_either_kind_sees(
    settings: Any, interceptor: type, name: str
) -> None:
    settings.GRPC_BRIDGE = {"INTERCEPTORS": [f"{__name__}.{interceptor.__name__}"]}
    client = RpcClient(register=register)
    call = client.unary_unary(f"/test.v1.Who/{name}", StringValue.SerializeToString, StringValue.FromString)
    assert call(StringValue()).value == ""
    assert call(StringValue(), metadata=(("authorization", "Bearer token"),)).value == "token@example.com"
