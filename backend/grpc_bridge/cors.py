"""CORS for RPCs: which pages of other origins may call, and the headers that tell their browsers so.

There is no `Cors` object unless something is configured. Rules: the Fetch standard, "HTTP CORS protocol". Requests that
are no RPCs are Django's, and so is what it says of CORS for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from grpc_bridge.protocol.negotiation import HttpAnswer, text_answer

if TYPE_CHECKING:
    from grpc_bridge.admission import RequestHead
    from grpc_bridge.conf import BridgeSettings
    from grpc_bridge.policy import RequestSource

ANY_ORIGIN = "*"

EXPOSED = ("grpc-status", "grpc-message", "grpc-status-details-bin")
"""What clients look for in the headers of an answer, beside the metadata that was sent."""

VARY = ("vary", "origin")
"""Whoever keeps an answer must not give it to a page of another origin."""

_PREFLIGHT_VARY = ("vary", "origin, access-control-request-method, access-control-request-headers")

_RPC_PATH = re.compile(r"/[A-Za-z_][\w.]*/[A-Za-z_]\w*", re.ASCII)
_RPC_HEADER = re.compile(r"x-grpc-web|grpc-.+")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_DEFAULT_PORTS = {"http": 80, "https": 443}

NOT_ALLOWED = text_answer(403, "403 Forbidden: pages of this origin may not call; see CORS_ALLOWED_ORIGINS", VARY)


class Cors:
    """What the settings allow."""

    def __init__(
        self,
        origins: Iterable[str],
        regexes: Iterable[str] = (),
        *,
        allow_credentials: bool = False,
        max_age_seconds: int = 7200,
    ) -> None:
        self._origins = frozenset(origins)
        self._regexes = [re.compile(regex) for regex in regexes]
        self.allow_credentials = allow_credentials
        self._max_age = ("access-control-max-age", str(max_age_seconds))

    def allows(self, origin: str) -> bool:
        """Whether pages of this origin may call."""
        return (
            origin in self._origins
            or ANY_ORIGIN in self._origins
            or any(regex.fullmatch(origin) for regex in self._regexes)
        )

    def preflight(self, head: RequestHead, registered: bool, source: RequestSource) -> HttpAnswer | None:
        """Gives the answer to an OPTIONS request, or None where it is no preflight of an RPC.

        The path of a method that is not there counts where the headers that are asked for show a gRPC client: its page
        is then told UNIMPLEMENTED, and no view loses its own preflights.
        """
        if head.origin is None or source.meta("HTTP_ACCESS_CONTROL_REQUEST_METHOD") is None:
            return None
        headers = source.meta("HTTP_ACCESS_CONTROL_REQUEST_HEADERS") or ""
        asked = [name for name in map(str.strip, headers.lower().split(",")) if _TOKEN.fullmatch(name)]
        if not registered and not (_RPC_PATH.fullmatch(head.path) and any(map(_RPC_HEADER.fullmatch, asked))):
            return None
        if not self.allows(head.origin):
            return NOT_ALLOWED
        answer = [*self._grant(head.origin), ("access-control-allow-methods", "POST"), self._max_age, _PREFLIGHT_VARY]
        if asked:
            answer.append(("access-control-allow-headers", ", ".join(asked)))
        return HttpAnswer(200, answer, b"")  # not 204, which may not have the length that every answer here has

    def answer_headers(self, origin: str | None, sent: Iterable[str]) -> list[tuple[str, str]]:
        """Gives the headers that an answer needs for a page of `origin` to read it. `sent` are the metadata's keys."""
        if origin is None or not self.allows(origin):
            return [VARY]
        exposed = dict.fromkeys((*EXPOSED, *sent))
        return [*self._grant(origin), ("access-control-expose-headers", ", ".join(exposed)), VARY]

    def _grant(self, origin: str) -> list[tuple[str, str]]:
        if self.allow_credentials:
            return [("access-control-allow-origin", origin), ("access-control-allow-credentials", "true")]
        return [("access-control-allow-origin", ANY_ORIGIN if ANY_ORIGIN in self._origins else origin)]


def configured_cors(settings: BridgeSettings) -> Cors | None:
    """Gives what the settings allow, None where CORS is off."""
    if not settings.cors_allowed_origins and not settings.cors_allowed_origin_regexes:
        return None
    return Cors(
        settings.cors_allowed_origins,
        settings.cors_allowed_origin_regexes,
        allow_credentials=settings.cors_allow_credentials,
        max_age_seconds=settings.cors_max_age_seconds,
    )


def check_origin(origin: str) -> None:
    """Raises `ValueError` for what no browser sends as an origin, so that it could never match."""
    if origin == ANY_ORIGIN:
        return
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        raise ValueError(f"{origin!r} is no origin") from None
    if not parts.scheme or not parts.netloc:
        raise ValueError(f"{origin!r} is no origin: one begins with a scheme, such as 'https://app.example.com'")
    if origin != origin.lower() or not origin.isascii():
        raise ValueError(f"{origin!r} could never match: browsers send origins in lower case and in ASCII")
    if origin != f"{parts.scheme}://{parts.netloc}" or "@" in origin or "*" in origin:
        raise ValueError(f"{origin!r} is no origin: one has a scheme, a host and perhaps a port, and nothing else")
    if port is not None and port == _DEFAULT_PORTS.get(parts.scheme):
        raise ValueError(f"{origin!r} could never match: browsers leave out the port that the scheme implies")


def check_origin_regex(regex: str) -> None:
    """Raises `ValueError` for what is no regular expression."""
    try:
        re.compile(regex)
    except re.error as error:
        raise ValueError(f"{regex!r} is no regular expression: {error}") from None
