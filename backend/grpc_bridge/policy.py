"""Whose calls are taken: the host that a call is for and the page that it comes from, judged as Django does for a view.

    wrong host                                             HTTP 400, as for ALLOWED_HOSTS in a view
    a page of a foreign origin, with the session's cookie  HTTP 403: it would act as whoever is logged in
    anything else                                          taken

Browsers say where a page comes from by Origin and Sec-Fetch-Site, and a page cannot change either. Other clients send
neither; nobody makes those send somebody's cookie.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, parse_cookie
from django.utils.http import is_same_domain

from grpc_bridge.cors import Cors
from grpc_bridge.protocol.negotiation import HttpAnswer, text_answer

if TYPE_CHECKING:
    from grpc_bridge.admission import RequestHead

BAD_HOST = text_answer(400, "400 Bad Request: this host is not among ALLOWED_HOSTS")
FOREIGN_PAGE = text_answer(
    403, "403 Forbidden: a page of another origin may not call with the session's cookie; see CSRF_TRUSTED_ORIGINS"
)

CACHE_ENTRIES = 256
"""How many hosts and how many origins are remembered. Clients may make them up, so there has to be an end."""

_OWN_FETCHES = (None, "same-origin", "none")
"""Sec-Fetch-Site (W3C Fetch Metadata) of a page of this origin, and of no page at all."""

# What an origin is: the site's own, one that the settings name, any other.
_OWN, _NAMED, _FOREIGN = range(3)

# Where Django itself logs the same.
_host_logger = logging.getLogger("django.security.DisallowedHost")
_origin_logger = logging.getLogger("django.security.csrf")


class RequestSource(Protocol):
    """What the policy asks the transport's request for, where the request's head does not say it."""

    def meta(self, key: str) -> str | None:
        """Gives what Django's `request.META` would hold: `HTTP_*`, `SERVER_NAME`, `SERVER_PORT`. None for nothing."""

    def scheme(self) -> str:
        """Gives `http` or `https`, as the server sees the connection."""


class SitePolicy:
    """The policy by the settings that hold when it is made. Remembers what it has found out about hosts and origins."""

    def __init__(self, cors: Cors | None = None) -> None:
        self._cors = cors
        self._uses_forwarded_host = settings.USE_X_FORWARDED_HOST
        self._scheme_key = settings.SECURE_PROXY_SSL_HEADER[0] if settings.SECURE_PROXY_SSL_HEADER else None
        self.headers: tuple[str, ...] | None = ()
        """What it looks at besides host, origin and sec-fetch-site, None where that is not only headers."""
        if self._uses_forwarded_host:
            self.headers += ("x-forwarded-host",)
        if self._scheme_key is not None:
            is_header = self._scheme_key.startswith("HTTP_")
            self.headers = (*self.headers, self._scheme_key[5:].replace("_", "-").lower()) if is_header else None
        self._good_hosts: set[str | None] = set()
        self._kinds: dict[tuple[str | None, ...], int] = {}

    def refusal(self, head: RequestHead, source: RequestSource) -> HttpAnswer | None:
        """Gives the answer to a request that is not taken, None for one that is."""
        host = self._host_of(head, source)
        if host not in self._good_hosts and not self._is_good_host(host, source):
            return BAD_HOST
        return None if self._is_trusted_page(head, host, source) else _refused_page(head, source)

    def holds(self, head: RequestHead, source: RequestSource) -> bool:
        """Whether what `refusal` says is said of every request with the same head. A cookie may make the difference."""
        host = self._host_of(head, source)
        return source.meta("HTTP_COOKIE") is None or self._is_trusted_page(head, host, source)

    def _host_of(self, head: RequestHead, source: RequestSource) -> str | None:
        forwarded = source.meta("HTTP_X_FORWARDED_HOST") if self._uses_forwarded_host else None
        return head.host if forwarded is None else forwarded

    def _is_trusted_page(self, head: RequestHead, host: str | None, source: RequestSource) -> bool:
        """Whether a call comes from a page that may use the cookie, or from no page at all."""
        if head.origin is None:
            return head.fetch_site in _OWN_FETCHES
        kind = self._kind_of(head.origin, host, source)
        return kind == _NAMED or (kind == _OWN and head.fetch_site != "cross-site")

    def refusal_without_host(self, head: RequestHead, source: RequestSource) -> HttpAnswer | None:
        """Gives the same where nobody says which host a call is for: no origin is the site's own then."""
        if head.fetch_site in _OWN_FETCHES if head.origin is None else self._is_named(head.origin):
            return None
        return _refused_page(head, source)

    def _is_good_host(self, host: str | None, source: RequestSource) -> bool:
        try:
            _Request(source).get_host()
        except DisallowedHost as error:
            _host_logger.error("%s", error)
            return False
        if host is not None:  # else it was put together from the server's address
            if len(self._good_hosts) >= CACHE_ENTRIES:
                self._good_hosts.clear()
            self._good_hosts.add(host)
        return True

    def _kind_of(self, origin: str, host: str | None, source: RequestSource) -> int:
        """Says what an origin is to a request for this host, which is a good one."""
        key = (origin, host, source.scheme(), self._scheme_key and source.meta(self._scheme_key))
        kind = self._kinds.get(key)
        if kind is None:
            request = _Request(source)
            own = f"{request.scheme}://{request.get_host()}"
            kind = _OWN if origin == own else _NAMED if self._is_named(origin) else _FOREIGN
            if len(self._kinds) >= CACHE_ENTRIES:
                self._kinds.clear()
            self._kinds[key] = kind
        return kind

    def _is_named(self, origin: str) -> bool:
        """Whether the settings let pages of this origin use the cookie."""
        if self._cors is not None and self._cors.allow_credentials and self._cors.allows(origin):
            return True
        if origin in settings.CSRF_TRUSTED_ORIGINS:
            return True
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        trusted = (urlsplit(entry) for entry in settings.CSRF_TRUSTED_ORIGINS if "*" in entry)
        return any(
            parts.scheme == entry.scheme and is_same_domain(parts.netloc, entry.netloc.lstrip("*")) for entry in trusted
        )


def _refused_page(head: RequestHead, source: RequestSource) -> HttpAnswer | None:
    """Gives the answer to a page that may not use the cookie, None where there is no cookie."""
    if settings.SESSION_COOKIE_NAME not in parse_cookie(source.meta("HTTP_COOKIE") or ""):
        return None
    _origin_logger.warning(
        "Forbidden (Origin checking failed - %s, Sec-Fetch-Site %s, is not trusted.): %s",
        head.origin,
        head.fetch_site,
        head.path,
    )
    return FOREIGN_PAGE


class _Request(HttpRequest):
    """A request with as much in it as Django needs to say which host it is for and whether it came by HTTPS."""

    def __init__(self, source: RequestSource) -> None:
        super().__init__()
        self._source = source
        keys = ["HTTP_HOST", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT", "SERVER_NAME", "SERVER_PORT"]
        if settings.SECURE_PROXY_SSL_HEADER:
            keys.append(settings.SECURE_PROXY_SSL_HEADER[0])
        self.META = {key: value for key in keys if (value := source.meta(key)) is not None}

    def _get_scheme(self) -> str:
        return self._source.scheme()
