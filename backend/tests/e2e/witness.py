"""Watches pages: their console, their requests, the content security policy.

A page must stay silent and load all that it asks for. A test that makes the page fail on purpose says so beforehand.
"""

from __future__ import annotations

from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response, WebError

FIRST_BAD_STATUS = 400

REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP: ${event.effectiveDirective} blocks ${event.blockedURI} in ${event.sourceFile}`);
});
"""
"""Runs before the page's own scripts. Chromium's own message about a violation may miss the reason."""


class Witness:
    """Collects what the pages of a context do, from their first request on."""

    def __init__(self, context: BrowserContext) -> None:
        self.requests: list[Request] = []
        self.problems: list[str] = []
        self._expected: list[str] = []
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)
        context.on("request", self._on_request)
        context.on("requestfailed", self._on_request_failed)
        context.on("response", self._on_response)

    def expect_problem(self, *parts: str) -> None:
        """Lets problems pass whose text has one of these parts: the test causes them."""
        self._expected.extend(parts)

    def unexpected_problems(self) -> list[str]:
        """Gives what pages did and must not do."""
        return [text for text in self.problems if not any(part in text for part in self._expected)]

    def check(self) -> None:
        """Fails if there is such a thing."""
        unexpected = self.unexpected_problems()
        assert not unexpected, "\n".join(unexpected)

    def _on_request(self, request: Request) -> None:
        self.requests.append(request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self.problems.append(f"console {message.type}: {message.text} {message.location.get('url', '')}")

    def _on_error(self, error: WebError) -> None:
        self.problems.append(f"uncaught: {error.error}")

    def _on_request_failed(self, request: Request) -> None:
        self.problems.append(f"request failed: {request.method} {request.url}: {request.failure}")

    def _on_response(self, response: Response) -> None:
        if response.status >= FIRST_BAD_STATUS:
            self.problems.append(f"status {response.status}: {response.request.method} {response.url}")


def record_preflights(page: Page) -> list[str]:
    """Gives a list that grows by the address of each CORS preflight, which Playwright itself does not report."""
    addresses: list[str] = []

    def on_request(event: dict[str, Any]) -> None:
        if event["request"]["method"] == "OPTIONS":
            addresses.append(event["request"]["url"])

    session = page.context.new_cdp_session(page)
    session.on("Network.requestWillBeSent", on_request)
    session.send("Network.enable")
    return addresses
