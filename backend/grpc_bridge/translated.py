"""Calls of native gRPC that were gRPC-Web before a proxy translated them, as Envoy does: what is known of the request
that a page has made.

Proxies hand on a request's headers as metadata, the session's cookie among them. So whoever serves native gRPC has to
ask what an HTTP server asks: whether this page may use that cookie. Which host it has called, and whether by HTTPS, the
proxy says in `x-forwarded-host` and `x-forwarded-proto`; it has to set both itself, whatever its callers send.
"""

from __future__ import annotations

from collections.abc import Iterable

MARKS = frozenset(("origin", "sec-fetch-site", "x-grpc-web"))
"""Metadata that browsers and clients of gRPC-Web send, and native clients do not."""

HOST = "x-forwarded-host"
SCHEME = "x-forwarded-proto"

Entries = Iterable[tuple[str, str | bytes]]


class TranslatedRequest:
    """The request that the proxy has got, as far as the metadata of its call tells: what a `SitePolicy` asks for."""

    def __init__(self, entries: Entries) -> None:
        self._headers: dict[str, str] = {}
        for key, value in entries:
            if isinstance(value, str):
                before = self._headers.get(key)
                # HTTP/2 may split cookies. Of what else is asked for here, two are no better than a wrong one.
                self._headers[key] = value if before is None else f"{before}; {value}"

    def meta(self, key: str) -> str | None:
        """Gives what Django's `request.META` would hold, None for nothing."""
        name = key.removeprefix("HTTP_").replace("_", "-").lower()
        return self._headers.get(HOST if name == "host" else name)

    def scheme(self) -> str:
        """Gives `http` or `https`, as the page has come to the proxy."""
        return "https" if self._headers.get(SCHEME) == "https" else "http"


def translated_request(entries: Entries) -> TranslatedRequest | None:
    """Gives the request that a proxy has translated, None for a call that has always been native."""
    for key, _ in entries:
        if key in MARKS:
            return TranslatedRequest(entries)
    return None
