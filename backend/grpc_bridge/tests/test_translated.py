"""Calls that a proxy has translated: on a native server, pages get what they would get from an HTTP server."""

from __future__ import annotations

import logging
from typing import Any

import grpc
import pytest

from grpc_bridge.admission import Admission
from grpc_bridge.call import Call
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.heads import KnownHeads
from grpc_bridge.protocol.compression import GZIP
from grpc_bridge.protocol.negotiation import HttpAnswer
from grpc_bridge.registry import Registry
from grpc_bridge.tests.calls import PATH, Source
from grpc_bridge.translated import TranslatedRequest, translated_request

COOKIE = ("cookie", "theme=dark; sessionid=abc")
WEB = ("x-grpc-web", "1")
HOST = ("x-forwarded-host", "testserver:8080")
OWN = ("origin", "http://testserver:8080")
PARTNER = ("origin", "https://partner.example.net")
FOREIGN = ("origin", "https://evil.example.org")

TAKEN = None
BAD_HOST = ("3", "this host is not among ALLOWED_HOSTS")
FOREIGN_PAGE = (
    "7",
    "a page of another origin may not call with the session's cookie; see CSRF_TRUSTED_ORIGINS",
)


class NativeSource(Source):
    """A request that grpcio has taken."""

    def translated(self) -> TranslatedRequest | None:
        return translated_request(self.headers)


def decided(*entries: tuple[str, str]) -> Call | HttpAnswer:
    """Gives what the bridge decides about a native call with this metadata."""
    return admission().decide_grpcio(PATH, NativeSource(entries), None)


def admission() -> Admission[KnownHeads[Any]]:
    registry = Registry()
    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: request)
    registry.add_registered_method_handlers("test.v1.TestService", {"Method": handler})
    return Admission(registry, BridgeSettings(), KnownHeads)


def refusal(*entries: tuple[str, str]) -> tuple[str, str] | None:
    """Gives code and message of the refusal of such a call, None for one that is taken."""
    decision = decided(*entries)
    if isinstance(decision, Call):
        return None
    trailers = dict(decision.trailers)
    return trailers["grpc-status"], trailers["grpc-message"]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], TAKEN),
        ([COOKIE], TAKEN),
        ([HOST, COOKIE], TAKEN),
        ([("x-forwarded-host", "evil.example.org")], TAKEN),
        # A page's host is one that the site has.
        ([WEB, HOST], TAKEN),
        ([WEB, ("x-forwarded-host", "evil.example.org")], BAD_HOST),
        ([WEB, ("x-forwarded-host", "testserver, evil.example.org")], BAD_HOST),
        ([WEB, HOST, ("x-forwarded-host", "testserver")], BAD_HOST),
        # A page with the cookie is the site's own, or one that the settings name.
        ([WEB, HOST, OWN, COOKIE], TAKEN),
        ([WEB, HOST, PARTNER, COOKIE], TAKEN),
        ([WEB, HOST, FOREIGN, COOKIE], FOREIGN_PAGE),
        ([HOST, FOREIGN, COOKIE], FOREIGN_PAGE),
        ([WEB, HOST, ("origin", "null"), COOKIE], FOREIGN_PAGE),
        ([WEB, HOST, ("origin", "http://testserver"), COOKIE], FOREIGN_PAGE),
        ([WEB, HOST, ("origin", "https://testserver:8080"), COOKIE], FOREIGN_PAGE),
        ([WEB, HOST, ("sec-fetch-site", "cross-site"), COOKIE], FOREIGN_PAGE),
        ([HOST, ("sec-fetch-site", "same-site"), COOKIE], FOREIGN_PAGE),
        ([WEB, HOST, OWN, ("sec-fetch-site", "same-origin"), COOKIE], TAKEN),
        ([WEB, HOST, FOREIGN], TAKEN),
        ([WEB, HOST, FOREIGN, ("cookie", "theme=dark")], TAKEN),
        ([WEB, HOST, FOREIGN, ("cookie", "theme=dark"), ("cookie", "sessionid=abc")], FOREIGN_PAGE),
        # Without a host no origin is the site's own, but the settings' are.
        ([WEB], TAKEN),
        ([WEB, COOKIE], TAKEN),
        ([WEB, OWN, COOKIE], FOREIGN_PAGE),
        ([WEB, PARTNER, COOKIE], TAKEN),
        ([WEB, ("sec-fetch-site", "same-origin"), COOKIE], TAKEN),
        ([WEB, ("sec-fetch-site", "cross-site"), COOKIE], FOREIGN_PAGE),
        ([WEB, ("x-forwarded-host", ""), OWN, COOKIE], FOREIGN_PAGE),
    ],
)
def test_pages(settings: Any, entries: list[tuple[str, str]], expected: tuple[str, str] | None) -> None:
    settings.CSRF_TRUSTED_ORIGINS = [PARTNER[1]]
    assert refusal(*entries) == expected


@pytest.mark.parametrize("setting", [None, ("HTTP_X_FORWARDED_PROTO", "https")])
def test_the_proxy_says_how_the_browser_came(settings: Any, setting: tuple[str, str] | None) -> None:
    settings.SECURE_PROXY_SSL_HEADER = setting
    page = (WEB, HOST, ("origin", "https://testserver:8080"), COOKIE)
    assert refusal(*page, ("x-forwarded-proto", "https")) is TAKEN
    assert refusal(*page, ("x-forwarded-proto", "http")) == FOREIGN_PAGE
    assert refusal(*page) == FOREIGN_PAGE
    assert refusal(WEB, HOST, OWN, COOKIE, ("x-forwarded-proto", "https")) == FOREIGN_PAGE


def test_a_refusal_is_logged_as_a_call_and_as_django_does(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    refusal(WEB, HOST, FOREIGN, COOKIE)
    assert [record.name for record in caplog.records] == ["django.security.csrf", "grpc_bridge.calls"]
    assert "evil.example.org" in caplog.records[0].getMessage()
    assert "status=PERMISSION_DENIED" in caplog.records[1].getMessage()


@pytest.mark.parametrize(("entries", "compresses"), [([], True), ([WEB], False), ([OWN, HOST], False)])
def test_nothing_is_compressed_for_a_browser(entries: list[tuple[str, str]], compresses: bool) -> None:
    call = decided(*entries)
    assert isinstance(call, Call)
    call.context.set_compression(grpc.Compression.Gzip)
    assert call.context.response_encoding == (GZIP if compresses else None)


def test_what_is_known_of_a_method_is_not_taken_for_another_kind_of_caller() -> None:
    one = admission()
    for entries, compresses, is_taken in [
        ((), True, True),
        ((WEB,), False, True),
        ((WEB, FOREIGN, COOKIE), False, False),
    ] * 2:
        decision = one.decide_grpcio(PATH, NativeSource(entries), None)
        assert isinstance(decision, Call) == is_taken
        if isinstance(decision, Call):
            decision.context.set_compression(grpc.Compression.Gzip)
            assert decision.context.response_encoding == (GZIP if compresses else None)
