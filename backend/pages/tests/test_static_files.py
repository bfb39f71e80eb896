"""Static files through Django's sync and async handlers. Warnings are errors here, so none may be raised on the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import AsyncClient, AsyncRequestFactory, Client

from pages import middleware

URL = "/static/admin/css/base.css"


@pytest.fixture
def content() -> bytes:
    path = finders.find("admin/css/base.css")
    assert isinstance(path, str)
    return Path(path).read_bytes()


async def fetch(kind: type, method: str = "get", url: str = URL, **headers: str):
    """The answer to one request and its body, by Django's sync or async client."""
    response = getattr(kind(), method)(url, headers=headers)
    if kind is AsyncClient:
        response = await response
    if response.streaming and response.is_async:
        return response, b"".join([piece async for piece in response])
    return response, response.getvalue()


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_a_file_arrives_whole(kind, content: bytes):
    response, body = await fetch(kind)
    assert response.status_code == 200
    assert response["Content-Type"] == 'text/css; charset="utf-8"'
    assert response["Content-Length"] == str(len(content))
    assert "Access-Control-Allow-Origin" not in response
    assert body == content


async def test_a_file_is_read_in_pieces_by_the_async_handler(monkeypatch, content: bytes):
    monkeypatch.setattr(middleware, "READ_SIZE", 1000)
    response = await AsyncClient().get(URL)
    assert response.is_async
    pieces = [piece async for piece in response]
    assert max(map(len, pieces)) == 1000
    assert b"".join(pieces) == content


@pytest.mark.parametrize("headers", [{}, {"range": "bytes=5-20"}])
@pytest.mark.parametrize("method", ["get", "head"])
async def test_the_async_handler_never_gets_a_synchronous_iterator(method: str, headers: dict[str, str]):
    async def no_page(request):
        raise AssertionError("the file was not found")

    request = getattr(AsyncRequestFactory(), method)(URL, headers=headers)
    response = await middleware.StaticFilesMiddleware(no_page)(request)
    assert response.is_async
    response.close()


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_part_of_a_file(kind, content: bytes):
    response, body = await fetch(kind, range="bytes=5-20")
    assert response.status_code == 206
    assert body == content[5:21]


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_headers_only(kind, content: bytes):
    response, body = await fetch(kind, "head")
    assert response.status_code == 200
    assert response["Content-Length"] == str(len(content))
    assert body == b""


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_a_file_that_the_browser_has(kind):
    first, _ = await fetch(kind)
    response, body = await fetch(kind, if_none_match=first["ETag"])
    assert response.status_code == 304
    assert body == b""


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_no_such_file(kind):
    response, _ = await fetch(kind, url="/static/nothing.css")
    assert response.status_code == 404
