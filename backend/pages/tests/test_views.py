"""The pages and the health check, through Django's sync and async handlers."""

from __future__ import annotations

import pytest
from django.test import AsyncClient, Client

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


async def ask(method: str, path: str, kind: type, **headers: str):
    """The answer to one request by Django's sync or async client."""
    response = getattr(kind(), method)(path, headers=headers)
    return await response if kind is AsyncClient else response


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_healthz_answers_any_host_by_plain_http_without_a_database(kind, settings):
    # A test that has not asked for the database cannot reach it.
    settings.SECURE_SSL_REDIRECT = True
    response = await ask("get", "/healthz", kind, host="10.0.0.7")
    assert response.status_code == 200
    assert response.content == b"ok\n"
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_healthz_answers_head_without_a_body(kind):
    response = await ask("head", "/healthz", kind)
    assert response.status_code == 200
    assert response.content == b""
    assert response["Content-Length"] == "3"


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("method", ["post", "put", "delete", "options"])
async def test_healthz_refuses_other_methods(kind, method: str):
    response = await ask(method, "/healthz", kind)
    assert response.status_code == 405
    assert response["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_other_paths_keep_the_checks_that_healthz_leaves_out(kind, settings):
    assert (await ask("get", "/", kind, host="10.0.0.7")).status_code == 400
    settings.SECURE_SSL_REDIRECT = True
    assert (await ask("get", "/", kind)).status_code == 301


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
