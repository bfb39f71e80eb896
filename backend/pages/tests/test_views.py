"""The pages, through Django's test client."""

from __future__ import annotations

from django.test import Client

POLICY = {
    "default-src 'none'",
    "base-uri 'none'",
    "connect-src 'self'",
    "font-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "img-src 'self' data:",
    "manifest-src 'self'",
    "script-src 'self'",
    "style-src 'self'",
}


def test_index_is_a_page_under_the_strict_policy(client: Client):
    response = client.get("/")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert set(response["Content-Security-Policy"].split("; ")) == POLICY
    assert response["X-Frame-Options"] == "DENY"


def test_index_is_only_read(client: Client):
    assert client.post("/").status_code == 405


def test_without_envoy_the_page_has_no_choice_of_ways(client: Client):
    page = client.get("/").content.decode()
    assert 'data-testid="path"' not in page
    assert "with no proxy in between" in page


def test_with_envoy_the_page_knows_both_origins(client: Client, settings):
    settings.CALL_PATHS = {"in_process": "http://127.0.0.1:8000", "envoy": "http://127.0.0.1:8080"}
    settings.CALL_ORIGINS = list(settings.CALL_PATHS.values())
    page = client.get("/").content.decode()
    assert 'data-in-process="http://127.0.0.1:8000" data-envoy="http://127.0.0.1:8080"' in page
    assert "no proxy" not in page
