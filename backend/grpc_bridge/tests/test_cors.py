"""CORS headers of answers and preflights, by what the settings allow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import grpc
import pytest
from django.core.exceptions import ImproperlyConfigured

from grpc_bridge.conf import BridgeSettings, load_settings
from grpc_bridge.cors import EXPOSED, configured_cors
from grpc_bridge.protocol.negotiation import HttpAnswer
from grpc_bridge.tests.calls import PATH, Source, admitted, decided, refused

PAGE = "https://app.example.com"
OTHER = "https://other.example.org"
UNKNOWN = "/test.v1.Missing/Method"
HANDLER = grpc.unary_unary_rpc_method_handler(lambda request, context: request)

NAMED = BridgeSettings(cors_allowed_origins=(PAGE,))
WITH_COOKIES = replace(NAMED, cors_allow_credentials=True)
BY_REGEX = BridgeSettings(cors_allowed_origin_regexes=(r"https://[a-z]+\.example\.com",), cors_max_age_seconds=60)
ANYBODY = BridgeSettings(cors_allowed_origins=("*",))

FIXED = ", ".join(EXPOSED)


def cors_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Gives what concerns CORS. Nothing may stand there twice."""
    found = [(name, value) for name, value in headers if name.startswith("access-control-") or name == "vary"]
    assert len(dict(found)) == len(found), found
    return dict(found)


def preflight(
    settings: BridgeSettings | None,
    origin: str | None = PAGE,
    *,
    path: str = PATH,
    method: str | None = "POST",
    headers: str | None = "content-type,x-grpc-web,x-user-agent",
    **head: Any,
) -> HttpAnswer | None:
    """Gives the answer to a preflight."""
    asked = {"access-control-request-method": method, "access-control-request-headers": headers}
    source = Source(headers=tuple((name, value) for name, value in asked.items() if value is not None))
    answer = decided(HANDLER, settings=settings, http_method="OPTIONS", path=path, origin=origin, source=source, **head)
    assert answer is None or isinstance(answer, HttpAnswer)
    return answer


@pytest.mark.parametrize(
    ("settings", "origin", "granted"),
    [
        (NAMED, PAGE, {"access-control-allow-origin": PAGE}),
        (WITH_COOKIES, PAGE, {"access-control-allow-origin": PAGE, "access-control-allow-credentials": "true"}),
        (BY_REGEX, PAGE, {"access-control-allow-origin": PAGE}),
        (ANYBODY, OTHER, {"access-control-allow-origin": "*"}),
    ],
    ids=["named", "with cookies", "by regex", "anybody"],
)
@pytest.mark.parametrize("path", [PATH, UNKNOWN])
def test_preflights_of_pages_that_may_call(
    settings: BridgeSettings, origin: str, granted: dict[str, str], path: str
) -> None:
    answer = preflight(settings, origin, path=path)
    assert answer is not None
    assert (answer.status, answer.body) == (200, b"")
    assert cors_headers(answer.headers) == granted | {
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "content-type, x-grpc-web, x-user-agent",
        "access-control-max-age": "60" if settings is BY_REGEX else "7200",
        "vary": "origin, access-control-request-method, access-control-request-headers",
    }


REFUSED_ORIGINS = [
    (NAMED, OTHER),
    (NAMED, "http://app.example.com"),
    (NAMED, "https://app.example.com:8443"),
    (NAMED, "https://app.example.com.evil.org"),
    (NAMED, "HTTPS://app.example.com"),
    (NAMED, "null"),
    (NAMED, ""),
    (NAMED, "*"),
    (BY_REGEX, "https://app.example.com.evil.org"),
    (BY_REGEX, "https://evil.org/https://app.example.com"),
    (BY_REGEX, "https://app.example.com\n"),
    (BY_REGEX, "https://app2.example.com"),
]


@pytest.mark.parametrize(("settings", "origin"), REFUSED_ORIGINS)
def test_pages_that_may_not_call(settings: BridgeSettings, origin: str) -> None:
    answer = preflight(settings, origin)
    assert answer is not None
    assert answer.status == 403
    assert cors_headers(answer.headers) == {"vary": "origin"}
    call = admitted(HANDLER, settings=settings, origin=origin)
    assert cors_headers(call.headers()) == {"vary": "origin"}


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        (None, None),
        ("", None),
        (",", None),
        ("X-Grpc-Web", "x-grpc-web"),
        ("a,b , c", "a, b, c"),
        ("a\r\nset-cookie: x=y,b", "b"),
        ("a b,é,c", "c"),
        ("authorization,x-csrftoken,grpc-timeout", "authorization, x-csrftoken, grpc-timeout"),
    ],
)
def test_the_headers_that_are_asked_for_are_allowed(asked: str | None, allowed: str | None) -> None:
    answer = preflight(NAMED, headers=asked)
    assert answer is not None
    assert cors_headers(answer.headers).get("access-control-allow-headers") == allowed


@pytest.mark.parametrize(
    ("path", "headers", "is_ours"),
    [
        (PATH, None, True),
        (PATH, "content-type", True),
        (UNKNOWN, "content-type", False),
        (UNKNOWN, None, False),
        (UNKNOWN, "content-type,X-Grpc-Web", True),
        (UNKNOWN, "grpc-timeout", True),
        (UNKNOWN, "x-grpc-website,my-grpc-web", False),
        ("/Service/Method", "x-grpc-web", True),
        ("/api/users/", "x-grpc-web", False),
        ("/api/users/1", "x-grpc-web", False),
        ("/users", "x-grpc-web", False),
        ("/test.v1/../Method", "x-grpc-web", False),
        ("/", "x-grpc-web", False),
    ],
)
def test_views_keep_their_preflights(path: str, headers: str | None, is_ours: bool) -> None:
    for origin in (PAGE, OTHER):
        assert (preflight(NAMED, origin, path=path, headers=headers) is not None) is is_ours


@pytest.mark.parametrize("path", [PATH, UNKNOWN])
@pytest.mark.parametrize(
    "missing",
    [{"origin": None}, {"method": None}, {"settings": BridgeSettings()}],
    ids=["origin", "method", "settings"],
)
def test_what_is_no_preflight(path: str, missing: dict[str, Any]) -> None:
    answer = preflight(**({"settings": NAMED, "path": path} | missing))
    assert (None if answer is None else answer.status) == (405 if path == PATH else None)


def test_a_preflight_for_a_wrong_host_is_refused() -> None:
    asked = (("host", "evil.example.org"), ("access-control-request-method", "POST"))
    answer = refused(
        HANDLER,
        settings=NAMED,
        http_method="OPTIONS",
        host="evil.example.org",
        origin=PAGE,
        source=Source(headers=asked),
    )
    assert answer.status == 400


def test_without_settings_no_answer_has_any_header() -> None:
    assert configured_cors(BridgeSettings()) is None
    for origin in (None, PAGE):
        assert cors_headers(admitted(HANDLER, origin=origin).headers()) == {}
        assert cors_headers(refused(HANDLER, origin=origin, path=UNKNOWN).headers) == {}
        assert cors_headers(refused(HANDLER, origin=origin, http_method="GET").headers) == {}


@pytest.mark.parametrize("origin", [None, "http://testserver"])
def test_own_pages_need_nothing(origin: str | None) -> None:
    assert cors_headers(admitted(HANDLER, settings=NAMED, origin=origin).headers()) == {"vary": "origin"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (NAMED, {"access-control-allow-origin": PAGE}),
        (WITH_COOKIES, {"access-control-allow-origin": PAGE, "access-control-allow-credentials": "true"}),
        (ANYBODY, {"access-control-allow-origin": "*"}),
    ],
)
def test_a_page_may_read_all_that_is_sent(settings: BridgeSettings, expected: dict[str, str]) -> None:
    call = admitted(HANDLER, settings=settings, origin=PAGE, accept_encoding="gzip")
    assert cors_headers(call.headers()) == expected | {"access-control-expose-headers": FIXED, "vary": "origin"}
    call = admitted(HANDLER, settings=settings, origin=PAGE, accept_encoding="gzip")
    call.context.set_compression(grpc.Compression.Gzip)
    call.context.send_initial_metadata((("x-one", "1"), ("x-two-bin", b"2"), ("x-one", "3")))  # type: ignore[attr-defined]
    exposed = f"{FIXED}, x-one, x-two-bin, grpc-encoding"
    assert cors_headers(call.headers())["access-control-expose-headers"] == exposed


@pytest.mark.parametrize(
    ("head", "status", "more"),
    [
        ({"path": UNKNOWN}, 200, ""),
        ({"timeout": "soon"}, 200, ""),
        ({"encoding": "br"}, 200, ", grpc-accept-encoding"),
        ({"http_method": "GET"}, 405, ""),
        ({"http_method": "OPTIONS"}, 405, ""),
        ({"request_wire": type("Json", (), {"content_type": "application/json"})}, 415, ""),
        ({"host": "evil", "source": Source(headers=(("host", "evil"),))}, 400, ""),
    ],
)
def test_a_page_may_read_refusals_too(head: dict[str, Any], status: int, more: str) -> None:
    answer = refused(HANDLER, settings=NAMED, origin=PAGE, **head)
    assert answer.status == status
    assert cors_headers(answer.headers) == {
        "access-control-allow-origin": PAGE,
        "access-control-expose-headers": FIXED + more,
        "vary": "origin",
    }
    assert cors_headers(refused(HANDLER, settings=NAMED, origin=OTHER, **head).headers) == {"vary": "origin"}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CORS_ALLOWED_ORIGINS", PAGE, "list of strings"),
        ("CORS_ALLOWED_ORIGINS", [5], "list of strings"),
        ("CORS_ALLOWED_ORIGINS", ["app.example.com"], "begins with a scheme"),
        ("CORS_ALLOWED_ORIGINS", ["//app.example.com"], "begins with a scheme"),
        ("CORS_ALLOWED_ORIGINS", ["null"], "begins with a scheme"),
        ("CORS_ALLOWED_ORIGINS", [""], "begins with a scheme"),
        ("CORS_ALLOWED_ORIGINS", [f"{PAGE}/"], "nothing else"),
        ("CORS_ALLOWED_ORIGINS", [f"{PAGE}/path"], "nothing else"),
        ("CORS_ALLOWED_ORIGINS", ["https://*.example.com"], "nothing else"),
        ("CORS_ALLOWED_ORIGINS", ["https://user@example.com"], "nothing else"),
        ("CORS_ALLOWED_ORIGINS", ["https://App.example.com"], "lower case"),
        ("CORS_ALLOWED_ORIGINS", ["https://äpp.example.com"], "ASCII"),
        ("CORS_ALLOWED_ORIGINS", [f"{PAGE}:443"], "port"),
        ("CORS_ALLOWED_ORIGINS", ["http://app.example.com:80"], "port"),
        ("CORS_ALLOWED_ORIGINS", [f"{PAGE}:none"], "no origin"),
        ("CORS_ALLOWED_ORIGIN_REGEXES", ["("], "no regular expression"),
        ("CORS_ALLOWED_ORIGIN_REGEXES", r".*", "list of strings"),
        ("CORS_ALLOW_CREDENTIALS", 1, "True or False"),
        ("CORS_ALLOW_CREDENTIALS", "yes", "True or False"),
        ("CORS_MAX_AGE_SECONDS", -1, "positive"),
    ],
)
def test_wrong_settings_are_refused_by_name(settings: Any, name: str, value: Any, said: str) -> None:
    settings.GRPC_BRIDGE = {name: value}
    with pytest.raises(ImproperlyConfigured, match=said) as caught:
        load_settings()
    assert name in str(caught.value)


def test_cookies_and_every_origin_do_not_go_together(settings: Any) -> None:
    settings.GRPC_BRIDGE = {"CORS_ALLOWED_ORIGINS": ["*"], "CORS_ALLOW_CREDENTIALS": True}
    with pytest.raises(ImproperlyConfigured, match="CORS_ALLOW_CREDENTIALS"):
        load_settings()


def test_good_settings_are_taken(settings: Any) -> None:
    origins = [PAGE, "http://localhost:5173", "https://app.example.com:8443", "http://[::1]:3000"]
    regexes = [r"https://.+\.example\.com"]
    settings.GRPC_BRIDGE = {
        "CORS_ALLOWED_ORIGINS": origins,
        "CORS_ALLOWED_ORIGIN_REGEXES": regexes,
        "CORS_ALLOW_CREDENTIALS": True,
        "CORS_MAX_AGE_SECONDS": 60,
    }
    assert load_settings() == BridgeSettings(
        cors_allowed_origins=tuple(origins),
        cors_allowed_origin_regexes=tuple(regexes),
        cors_allow_credentials=True,
        cors_max_age_seconds=60,
    )
