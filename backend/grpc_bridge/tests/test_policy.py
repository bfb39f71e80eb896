"""Hosts and origins: the same requests are taken and refused as by Django itself."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware
from django.test import RequestFactory

from grpc_bridge.admission import RequestHead
from grpc_bridge.cors import Cors
from grpc_bridge.policy import BAD_HOST, CACHE_ENTRIES, FOREIGN_PAGE, SitePolicy
from grpc_bridge.protocol.negotiation import HttpAnswer
from grpc_bridge.tests.calls import PATH, Source

COOKIE = ("cookie", "theme=dark; sessionid=abc")
PARTNER = "https://partner.example.net"

HOSTS: list[tuple[str, list[str], bool]] = [
    # host, ALLOWED_HOSTS, DEBUG
    ("example.com", ["example.com"], False),
    ("EXAMPLE.com:8000", ["example.com"], False),
    ("example.com.", ["example.com"], False),
    ("www.example.com", ["example.com"], False),
    ("www.example.com", [".example.com"], False),
    ("evilexample.com", [".example.com"], False),
    ("anything.at.all", ["*"], False),
    ("not a host", ["*"], False),
    ("", ["*"], False),
    ("example.com:port", ["*"], False),
    ("[::1]:8000", ["[::1]"], False),
    ("user@example.com", ["example.com"], False),
    ("example.com,evil.com", ["example.com"], False),
    ("localhost:8000", [], True),
    ("app.localhost", [], True),
    ("127.0.0.1", [], True),
    ("example.com", [], True),
    ("localhost", [], False),
    ("localhost", ["example.com"], True),
]

FORWARDED: list[tuple[dict[str, str], bool]] = [
    # headers, USE_X_FORWARDED_HOST
    ({"host": "example.com", "x-forwarded-host": "evil.com"}, False),
    ({"host": "example.com", "x-forwarded-host": "evil.com"}, True),
    ({"host": "inside:8000", "x-forwarded-host": "example.com"}, True),
    ({"host": "inside:8000", "x-forwarded-host": "example.com"}, False),
    ({"host": "example.com", "x-forwarded-host": ""}, True),
    ({"host": "example.com"}, True),
    ({}, False),
]


def meta(headers: Mapping[str, str]) -> dict[str, str]:
    return {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}


def refusal(headers: Mapping[str, str], *, policy: SitePolicy | None = None, scheme: str = "http") -> HttpAnswer | None:
    """Gives what the policy says of an RPC with these headers, twice: what it remembers must change nothing."""
    policy = policy or SitePolicy()
    head = RequestHead(
        "POST", PATH, None, None, None, None, False,
        headers.get("host"), headers.get("origin"), headers.get("sec-fetch-site"),
    )  # fmt: skip
    source = Source(headers=tuple(headers.items()), scheme_name=scheme)
    first = policy.refusal(head, source)
    assert policy.refusal(head, source) is first
    return first


def django_request(headers: Mapping[str, str], scheme: str = "http") -> HttpRequest:
    request = RequestFactory().post(PATH, secure=scheme == "https")
    request.META.pop("HTTP_HOST", None)
    request.META.update(meta(headers))
    return request


def django_takes_host(headers: Mapping[str, str]) -> bool:
    try:
        django_request(headers).get_host()
    except DisallowedHost:
        return False
    return True


@pytest.mark.parametrize(("host", "allowed", "debug"), HOSTS)
def test_hosts_are_judged_as_by_django(settings: Any, host: str, allowed: list[str], debug: bool) -> None:
    settings.ALLOWED_HOSTS, settings.DEBUG = allowed, debug
    assert refusal({"host": host}) is (None if django_takes_host({"host": host}) else BAD_HOST)


@pytest.mark.parametrize(("headers", "forwarded"), FORWARDED)
def test_forwarded_hosts_are_judged_as_by_django(settings: Any, headers: dict[str, str], forwarded: bool) -> None:
    settings.ALLOWED_HOSTS, settings.USE_X_FORWARDED_HOST = ["example.com", "testserver"], forwarded
    assert refusal(headers) is (None if django_takes_host(headers) else BAD_HOST)


def test_the_tables_have_both_outcomes(settings: Any) -> None:
    for cases in (
        [({"host": host}, (allowed, debug, False)) for host, allowed, debug in HOSTS],
        [(headers, (["example.com", "testserver"], False, used)) for headers, used in FORWARDED],
    ):
        outcomes = set()
        for headers, (settings.ALLOWED_HOSTS, settings.DEBUG, settings.USE_X_FORWARDED_HOST) in cases:
            outcomes.add(django_takes_host(headers))
        assert outcomes == {True, False}


def test_a_wrong_host_is_logged_where_django_logs_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "django.security.DisallowedHost")
    policy = SitePolicy()
    refusal({"host": "evil.example.org"}, policy=policy)
    assert [record.name for record in caplog.records] == ["django.security.DisallowedHost"] * 2
    assert "You may need to add 'evil.example.org' to ALLOWED_HOSTS" in caplog.text


def test_a_wrong_host_is_not_repeated_to_the_caller() -> None:
    assert (BAD_HOST.status, FOREIGN_PAGE.status) == (400, 403)
    assert b"evil" not in (refusal({"host": "<evil>"}) or FOREIGN_PAGE).body


ORIGINS: list[tuple[str, str, str, list[str]]] = [
    # origin, host, scheme, CSRF_TRUSTED_ORIGINS
    ("http://testserver", "testserver", "http", []),
    ("http://testserver:8000", "testserver:8000", "http", []),
    ("https://testserver", "testserver", "https", []),
    ("https://testserver", "testserver", "http", []),
    ("http://testserver", "testserver", "https", []),
    ("http://testserver:8001", "testserver:8000", "http", []),
    ("http://testserver", "testserver:80", "http", []),
    ("http://sub.testserver", "testserver", "http", []),
    ("null", "testserver", "http", []),
    ("", "testserver", "http", []),
    ("http://[broken", "testserver", "http", ["https://*.example.net"]),
    (PARTNER, "testserver", "http", []),
    (PARTNER, "testserver", "http", [PARTNER]),
    (PARTNER, "testserver", "http", ["https://*.example.net"]),
    (PARTNER, "testserver", "http", ["http://*.example.net"]),
    ("https://a.b.example.net", "testserver", "http", ["https://*.example.net"]),
    ("https://evilexample.net", "testserver", "http", ["https://*.example.net"]),
    ("https://partner.example.net:444", "testserver", "http", [PARTNER]),
    ("https://partner.example.net:444", "testserver", "http", ["https://*.example.net"]),
]


@pytest.mark.parametrize(("origin", "host", "scheme", "trusted"), ORIGINS)
@pytest.mark.parametrize("fetch_site", [None, "same-origin", "same-site"])
def test_origins_are_judged_as_by_django(
    settings: Any, origin: str, host: str, scheme: str, trusted: list[str], fetch_site: str | None
) -> None:
    settings.CSRF_TRUSTED_ORIGINS = trusted
    headers = {"host": host, "origin": origin} | ({"sec-fetch-site": fetch_site} if fetch_site else {})
    request = django_request(headers, scheme)
    verified = CsrfViewMiddleware(lambda _: None)._origin_verified(request)  # type: ignore[arg-type, return-value]
    assert refusal(headers | dict([COOKIE]), scheme=scheme) is (None if verified else FOREIGN_PAGE)


def test_origins_have_both_outcomes() -> None:
    assert refusal({"host": "testserver", "origin": "http://testserver"} | dict([COOKIE])) is None
    assert refusal({"host": "testserver", "origin": PARTNER} | dict([COOKIE])) is FOREIGN_PAGE


@pytest.mark.parametrize(
    ("proxied", "scheme", "origin", "taken"),
    [
        ("https", "http", "https://testserver", True),
        ("https", "http", "http://testserver", False),
        ("http", "https", "http://testserver", True),
        ("https, http", "http", "https://testserver", True),
        (None, "https", "https://testserver", True),
        (None, "http", "https://testserver", False),
    ],
)
def test_a_proxy_may_say_how_the_browser_came(
    settings: Any, proxied: str | None, scheme: str, origin: str, taken: bool
) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    headers = {"host": "testserver", "origin": origin} | dict([COOKIE])
    headers |= {} if proxied is None else {"x-forwarded-proto": proxied}
    assert refusal(headers, scheme=scheme) is (None if taken else FOREIGN_PAGE)


def test_the_same_origin_is_judged_anew_when_the_scheme_is_another(settings: Any) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    policy = SitePolicy()
    headers = {"host": "testserver", "origin": "https://testserver"} | dict([COOKIE])
    assert refusal(headers | {"x-forwarded-proto": "https"}, policy=policy) is None
    assert refusal(headers | {"x-forwarded-proto": "http"}, policy=policy) is FOREIGN_PAGE
    assert refusal(headers, policy=policy, scheme="https") is None
    assert refusal(headers, policy=policy) is FOREIGN_PAGE


@pytest.mark.parametrize(
    ("origin", "fetch_site", "taken"),
    [
        (None, None, True),
        (None, "none", True),
        (None, "same-origin", True),
        (None, "same-site", False),
        (None, "cross-site", False),
        (None, "something-new", False),
        ("http://testserver", "cross-site", False),
        ("http://testserver", "same-origin", True),
        (PARTNER, "cross-site", True),
        (PARTNER, "same-origin", True),
        ("https://other.example.org", "same-origin", False),
    ],
)
def test_what_the_browser_says_of_the_page_counts_too(
    settings: Any, origin: str | None, fetch_site: str | None, taken: bool
) -> None:
    settings.CSRF_TRUSTED_ORIGINS = [PARTNER]
    headers = {"host": "testserver", "origin": origin, "sec-fetch-site": fetch_site}
    given = {name: value for name, value in headers.items() if value is not None}
    assert refusal(given | dict([COOKIE])) is (None if taken else FOREIGN_PAGE)
    assert refusal(given) is None, "without a cookie, nobody's rights are used"


@pytest.mark.parametrize(
    ("cookie", "name", "taken"),
    [
        ("sessionid=abc", "sessionid", False),
        ("a=b; sessionid=abc", "sessionid", False),
        ("sessionid=", "sessionid", False),
        ("sessionid=abc", "__Host-sessionid", True),
        ("__Host-sessionid=abc", "__Host-sessionid", False),
        ("xsessionid=abc", "sessionid", True),
        ("a=sessionid", "sessionid", True),
        ("csrftoken=abc", "sessionid", True),
        ("", "sessionid", True),
    ],
)
def test_only_the_session_s_cookie_is_protected(settings: Any, cookie: str, name: str, taken: bool) -> None:
    settings.SESSION_COOKIE_NAME = name
    headers = {"host": "testserver", "origin": PARTNER, "cookie": cookie}
    assert refusal(headers) is (None if taken else FOREIGN_PAGE)


@pytest.mark.parametrize(
    ("cors", "taken"),
    [
        (Cors([PARTNER], allow_credentials=True), True),
        (Cors([], [r"https://.*\.example\.net"], allow_credentials=True), True),
        (Cors(["https://other.example.org"], allow_credentials=True), False),
        (Cors([PARTNER]), False),
        (Cors(["*"]), False),
    ],
)
def test_origins_that_cors_allows_with_credentials_may_use_the_cookie(cors: Cors, taken: bool) -> None:
    headers = {"host": "testserver", "origin": PARTNER, "sec-fetch-site": "cross-site"} | dict([COOKIE])
    assert refusal(headers, policy=SitePolicy(cors)) is (None if taken else FOREIGN_PAGE)


def test_a_refused_page_is_logged_where_django_logs_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "django.security.csrf")
    refusal({"host": "testserver", "origin": PARTNER} | dict([COOKIE]))
    assert caplog.records[0].name == "django.security.csrf"
    assert PARTNER in caplog.text
    assert PATH in caplog.text


def test_no_client_can_fill_the_memory(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    policy = SitePolicy()
    for number in range(3 * CACHE_ENTRIES):
        assert (
            refusal({"host": f"{number}.example.com", "origin": f"http://{number}.example.com"}, policy=policy) is None
        )
    assert len(policy._good_hosts) <= CACHE_ENTRIES
    assert len(policy._kinds) <= CACHE_ENTRIES
