"""Which calls there are to be: both transports ask here what a request is, and do nothing else with its head.

request head -> Admission.decide    -> the Plan of a call, an HttpAnswer to send, or None: the request is Django's
Plan         -> Admission.make_call -> a Call to serve, or the HttpAnswer to a deadline that cannot be understood
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from grpc_bridge import call_log
from grpc_bridge.call import Call
from grpc_bridge.call_log import LoggedCall
from grpc_bridge.call_state import CallSource
from grpc_bridge.conf import BridgeSettings, load_settings
from grpc_bridge.cors import configured_cors
from grpc_bridge.heads import KnownHeads
from grpc_bridge.interceptors import intercepted
from grpc_bridge.plan import CorsHeaders, Plan
from grpc_bridge.policy import RequestSource, SitePolicy
from grpc_bridge.protocol.compression import ACCEPT_ENCODING, request_encoding
from grpc_bridge.protocol.negotiation import HttpAnswer, answer_wire, classify
from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.protocol.timeout import decode_timeout
from grpc_bridge.protocol.wire import GRPCIO, BinaryWire
from grpc_bridge.registry import Method, Registry
from grpc_bridge.translated import TranslatedRequest

K = TypeVar("K", bound=KnownHeads[Any])

logger = logging.getLogger("grpc_bridge")

# What clients of gRPC-Web make of these statuses of HTTP.
_PAGE_CODES = {400: StatusCode.INVALID_ARGUMENT, 403: StatusCode.PERMISSION_DENIED}


class RequestHead(NamedTuple):
    """What is asked of every request. `path` has no prefix under which the application is mounted."""

    http_method: str
    path: str
    content_type: str | None
    accept: str | None
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


class Admission(Generic[K]):
    """Decides about requests, by what is registered and set. `override_settings` in a test counts at once."""

    def __init__(
        self, registry: Registry, settings: BridgeSettings, knows: Callable[[BridgeSettings, Iterable[str]], K]
    ) -> None:
        """`knows` makes what the transport keeps plans in; it is made anew when settings change."""
        self._methods = registry
        self._knows = knows
        self._apply(settings)
        setting_changed.connect(self._on_setting_changed)

    def _apply(self, settings: BridgeSettings) -> None:
        self._settings = settings
        self._registry = intercepted(self._methods, settings.interceptors)
        self._cors = configured_cors(settings)
        self._policy = SitePolicy(self._cors)
        self._grpcio_plans: dict[tuple[str, bool], Plan] = {}
        headers = self._policy.headers
        self.known: K | None = None if headers is None else self._knows(settings, headers)

    def _on_setting_changed(self, setting: str, **_: object) -> None:
        settings = self._settings
        if setting == "GRPC_BRIDGE":
            try:
                settings = load_settings()
            except ImproperlyConfigured as error:
                logger.error("The settings before stay in force: %s", error)
        self._apply(settings)

    def decide(self, head: RequestHead, source: Source) -> Plan | HttpAnswer | None:
        """Gives the plan for the call that a request makes, the answer to one that makes none, or None for Django's."""
        method = self._registry.find(head.path)
        if self._cors is not None and head.http_method == "OPTIONS":
            preflight = self._cors.preflight(head, method is not None, source)
            if preflight is not None:
                return self._policy.refusal(head, source) or preflight
        wire = classify(method is not None, head.http_method, head.content_type, head.has_http_trailers)
        if wire is None:
            return None
        cors = self._cors_headers(head.origin)
        refusal = self._policy.refusal(head, source)
        if refusal is not None:
            return _readable(refusal, cors)
        if isinstance(wire, HttpAnswer):
            return _readable(wire, cors)
        try:
            return self._plan(method, wire, head, source)
        except StatusError as error:
            return self._refused(head.path, answer_wire(wire, head.accept), cors, error, source)

    def make_call(self, plan: Plan, source: CallSource, timeout: str | None) -> Call | HttpAnswer:
        """Gives the call that a request makes whose head has this plan, or its refusal. `timeout` is the header."""
        deadline = None
        if timeout is not None:
            try:
                deadline = time.monotonic() + decode_timeout(timeout)
            except StatusError as error:
                return self._refused(plan.path, plan.wire, plan.cors, error, source)
        return self._call(plan, source, deadline)

    def decide_grpcio(self, path: str, source: NativeSource, deadline: float | None) -> Call | HttpAnswer:
        """Gives the call, or the refusal, of a request that a grpcio server has taken for an RPC and read the head of.

        Hosts and origins are for HTTP servers, and for what comes from one by a proxy. `deadline` is on the clock of
        `time.monotonic()`.
        """
        try:
            page = source.translated()
            if page is not None:
                self._check_page(path, page)
            plan = self._grpcio_plan(path, source, is_translated=page is not None)
            source.check_metadata_size(self._settings)
        except StatusError as error:
            return self._refused(path, GRPCIO, None, error, source)
        return self._call(plan, source, deadline)

    def _plan(self, method: Method | None, wire: BinaryWire, head: RequestHead, source: Source) -> Plan:
        # A generic handler may say something else next time, and without a host the server's address has a say.
        holds = method is not None and head.host is not None and self._policy.holds(head, source)
        method = method or self._registry.find_generic(head.path, source.metadata)
        if method is None:
            raise StatusError(StatusCode.UNIMPLEMENTED, "Method not found!")
        source.check_metadata_size(self._settings)
        return Plan(
            method,
            head.path,
            wire,
            answer_wire(wire, head.accept),
            self._settings,
            request_encoding=None if head.encoding is None else request_encoding(head.encoding),
            accept_encoding=head.accept_encoding,
            cors=self._cors_headers(head.origin),
            holds_for_its_head=holds,
        )

    def _check_page(self, path: str, page: TranslatedRequest) -> None:
        """Raises `StatusError` for what the policy refuses: the same code as a page makes of the HTTP answer."""
        asked = (page.meta(f"HTTP_{name}") for name in ("HOST", "ORIGIN", "SEC_FETCH_SITE"))
        head = RequestHead("POST", path, None, None, None, None, False, *asked)
        refusal = self._policy.refusal(head, page) if head.host else self._policy.refusal_without_host(head, page)
        if refusal is not None:
            raise StatusError(_PAGE_CODES[refusal.status], refusal.body.decode().partition(": ")[2].strip())

    def _grpcio_plan(self, path: str, source: CallSource, *, is_translated: bool) -> Plan:
        plan = self._grpcio_plans.get((path, is_translated))
        if plan is not None:
            return plan
        method = self._registry.find(path)
        is_registered = method is not None
        method = method or self._registry.find_generic(path, source.metadata)
        if method is None:
            raise StatusError(StatusCode.UNIMPLEMENTED, "Method not found!")
        # Which encodings a native caller takes is known to grpcio alone; of what is behind a proxy it knows nothing.
        encodings = None if is_translated else ACCEPT_ENCODING[1]
        plan = Plan(method, path, GRPCIO, GRPCIO, self._settings, accept_encoding=encodings)
        if is_registered:
            self._grpcio_plans[path, is_translated] = plan
        return plan

    def _call(self, plan: Plan, source: CallSource, deadline: float | None) -> Call:
        context = plan.context_type()
        context.begin(plan, source)
        context.deadline = deadline
        return (LoggedCall if plan.settings.log_calls and call_log.is_on() else Call)(context)

    def _cors_headers(self, origin: str | None) -> CorsHeaders | None:
        return None if self._cors is None else partial(self._cors.answer_headers, origin)

    def _refused(
        self, path: str, wire: BinaryWire, cors: CorsHeaders | None, error: StatusError, source: CallSource
    ) -> HttpAnswer:
        """Gives the answer to a call that never began. `wire` is that of the answer."""
        if self._settings.log_calls and call_log.is_on():
            call_log.log_refused(path, source, error)
        status = error.code, error.message
        headers = [("content-type", wire.content_type), *error.headers]
        return _readable(HttpAnswer(200, headers, wire.trailers(*status), wire.http_trailers(*status)), cors)


def _readable(answer: HttpAnswer, cors: CorsHeaders | None) -> HttpAnswer:
    """Gives an answer so that a page which may call can read it."""
    if cors is None:
        return answer
    keys = (name for name, _ in answer.headers if name.startswith("grpc-"))
    return answer._replace(headers=(*answer.headers, *cors(keys)))


def peer_address(host: str | None, port: int | str | None) -> str:
    """Gives a caller's address as grpcio writes it."""
    host = host or "unknown"
    return f"ipv6:[{host}]:{port or 0}" if ":" in host else f"ipv4:{host}:{port or 0}"
