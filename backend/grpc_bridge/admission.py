"""Which calls there are to be: both transports ask here what a request is, and do nothing else with its head.

request head -> Admission.decide -> a Call to serve, an HttpAnswer to send, or None: the request is Django's
"""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import NamedTuple, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from grpc_bridge import call_log
from grpc_bridge.call import Call
from grpc_bridge.call_log import LoggedCall
from grpc_bridge.call_state import CallSource
from grpc_bridge.conf import BridgeSettings, load_settings
from grpc_bridge.context import AsyncContext, SyncContext
from grpc_bridge.cors import configured_cors
from grpc_bridge.interceptors import intercepted
from grpc_bridge.policy import RequestSource, SitePolicy
from grpc_bridge.protocol.compression import ACCEPT_ENCODING, request_encoding
from grpc_bridge.protocol.negotiation import HttpAnswer, answer_wire, classify
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.protocol.timeout import decode_timeout
from grpc_bridge.protocol.wire import GRPCIO, BinaryWire
from grpc_bridge.registry import Method, Registry
from grpc_bridge.translated import TranslatedRequest

logger = logging.getLogger("grpc_bridge")

# What clients of gRPC-Web make of these statuses of HTTP.
_PAGE_CODES = {400: StatusCode.INVALID_ARGUMENT, 403: StatusCode.PERMISSION_DENIED}


class RequestHead(NamedTuple):
    """What is asked of every request. `path` has no prefix under which the application is mounted."""

    http_method: str
    path: str
    content_type: str | None
    accept: str | None
    timeout: str | None
    encoding: str | None
    accept_encoding: str | None
    has_http_trailers: bool
    """Whether the server can send trailers after this answer."""
    host: str | None = None
    origin: str | None = None
    fetch_site: str | None = None


class Source(CallSource, RequestSource, Protocol):
    """The request itself, for what its head does not say and hardly any call needs."""


class NativeSource(CallSource, Protocol):
    """The request that a grpcio server has taken."""

    def translated(self) -> TranslatedRequest | None:
        """Gives the request of gRPC-Web that a proxy has made this call of, None where there was none."""


class Admission:
    """Decides about requests, by what is registered and set. `override_settings` in a test counts at once."""

    def __init__(self, registry: Registry, settings: BridgeSettings) -> None:
        self._methods = registry
        self._apply(settings)
        setting_changed.connect(self._on_setting_changed)

    def _apply(self, settings: BridgeSettings) -> None:
        self._settings = settings
        self._registry = intercepted(self._methods, settings.interceptors)
        self._cors = configured_cors(settings)
        self._policy = SitePolicy(self._cors)

    def _on_setting_changed(self, setting: str, **_: object) -> None:
        settings = self._settings
        if setting == "GRPC_BRIDGE":
            try:
                settings = load_settings()
            except ImproperlyConfigured as error:
                logger.error("The settings before stay in force: %s", error)
        self._apply(settings)

    def decide(self, head: RequestHead, source: Source) -> Call | HttpAnswer | None:
        """Gives the call that a request makes, the answer to one that cannot make any, or None for Django's."""
        method = self._registry.find(head.path)
        if self._cors is not None and head.http_method == "OPTIONS":
            preflight = self._cors.preflight(head, method is not None, source)
            if preflight is not None:
                return self._policy.refusal(head, source) or preflight
        wire = classify(method is not None, head.http_method, head.content_type, head.has_http_trailers)
        if wire is None:
            return None
        refusal = self._policy.refusal(head, source)
        if refusal is not None:
            return self._answer(refusal, head)
        if isinstance(wire, HttpAnswer):
            return self._answer(wire, head)
        try:
            method = method or self._registry.find_generic(head.path, source.metadata)
            call = self._admit(method, wire, head, source)
        except StatusError as error:
            if call_log.is_on(self._settings):
                call_log.log_refused(head.path, source, error)
            return self._answer(_refused(wire, head.accept, error), head)
        if self._cors is not None:
            call.cors = partial(self._cors.answer_headers, head.origin)
        return call

    def decide_grpcio(self, path: str, source: NativeSource, deadline: float | None) -> Call | HttpAnswer:
        """Gives the call, or the refusal, of a request that a grpcio server has taken for an RPC and read the head of.

        Hosts and origins are for HTTP servers, and for what comes from one by a proxy. `deadline` is on the clock of
        `time.monotonic()`.
        """
        try:
            page = source.translated()
            if page is not None:
                self._check_page(path, page)
            return self._admit_grpcio(path, source, deadline, is_translated=page is not None)
        except StatusError as error:
            if call_log.is_on(self._settings):
                call_log.log_refused(path, source, error)
            return _refused(GRPCIO, None, error)

    def _answer(self, answer: HttpAnswer, head: RequestHead) -> HttpAnswer:
        """Gives an answer so that a page which may call can read it."""
        if self._cors is None:
            return answer
        keys = (name for name, _ in answer.headers if name.startswith("grpc-"))
        return answer._replace(headers=(*answer.headers, *self._cors.answer_headers(head.origin, keys)))

    def _admit(self, method: Method | None, wire: BinaryWire, head: RequestHead, source: CallSource) -> Call:
        if method is None:
            raise StatusError(StatusCode.UNIMPLEMENTED, "Method not found!")
        source.check_metadata_size(self._settings)
        encoding = None if head.encoding is None else request_encoding(head.encoding)
        deadline = None if head.timeout is None else time.monotonic() + decode_timeout(head.timeout)
        context = (AsyncContext if method.is_async else SyncContext)(head.path, source, deadline, head.accept_encoding)
        return self._kind()(method, wire, answer_wire(wire, head.accept), context, self._settings, encoding)

    def _check_page(self, path: str, page: TranslatedRequest) -> None:
        """Raises `StatusError` for what the policy refuses: the same code as a page makes of the HTTP answer."""
        asked = (page.meta(f"HTTP_{name}") for name in ("HOST", "ORIGIN", "SEC_FETCH_SITE"))
        head = RequestHead("POST", path, None, None, None, None, None, False, *asked)
        refusal = self._policy.refusal(head, page) if head.host else self._policy.refusal_without_host(head, page)
        if refusal is not None:
            raise StatusError(_PAGE_CODES[refusal.status], refusal.body.decode().partition(": ")[2].strip())

    def _admit_grpcio(self, path: str, source: CallSource, deadline: float | None, *, is_translated: bool) -> Call:
        method = self._registry.find(path) or self._registry.find_generic(path, source.metadata)
        if method is None:
            raise StatusError(StatusCode.UNIMPLEMENTED, "Method not found!")
        source.check_metadata_size(self._settings)
        # Which encodings a native caller takes is known to grpcio alone; of what is behind a proxy it knows nothing.
        encodings = None if is_translated else ACCEPT_ENCODING[1]
        context = (AsyncContext if method.is_async else SyncContext)(path, source, deadline, encodings)
        return self._kind()(method, GRPCIO, GRPCIO, context, self._settings)

    def _kind(self) -> type[Call]:
        return LoggedCall if call_log.is_on(self._settings) else Call


def _refused(request_wire: BinaryWire, accept: str | None, error: StatusError) -> HttpAnswer:
    """Gives the answer to a call that never began."""
    wire = answer_wire(request_wire, accept)
    status = error.code, error.message
    headers = [("content-type", wire.content_type), *error.headers]
    return HttpAnswer(200, headers, wire.trailers(*status), wire.http_trailers(*status))


def peer_address(host: str | None, port: int | str | None) -> str:
    """Gives a caller's address as grpcio writes it."""
    host = host or "unknown"
    return f"ipv6:[{host}]:{port or 0}" if ":" in host else f"ipv4:{host}:{port or 0}"
