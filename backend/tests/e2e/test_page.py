"""The page as a document: it loads whole, quietly, and within its content security policy."""

from __future__ import annotations

from playwright.sync_api import Page


def test_the_health_check_answers(page: Page) -> None:
    response = page.request.get("/healthz")
    assert response.status == 200
    assert response.text() == "ok\n"
