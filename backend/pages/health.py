"""What a load balancer asks a process: is it alive, and can it do its work. Probes come often, and mean no harm.

/healthz    200 as long as this process answers. It asks nothing of the database, whose faults are not its own
/readyz     200 if the database answers and has all migrations, else 503 and the reason

`/healthz` is for whoever restarts processes, `/readyz` for whoever sends them requests.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from django.views.decorators.http import require_safe

from grpc_bridge.readiness import SILENCE, Probe, Problem

logger = logging.getLogger("pages.health")

ALIVE_PATH = "/healthz"
READY_PATH = "/readyz"

PATIENCE_SECONDS = 2.0
"""How long the databases may take to answer."""

Response = HttpResponseBase
SyncHandler = Callable[[HttpRequest], Response]
AsyncHandler = Callable[[HttpRequest], Awaitable[Response]]


@sync_and_async_middleware
def health_check(get_response: SyncHandler | AsyncHandler) -> SyncHandler | AsyncHandler:
    """Answers both itself, in front of everything else.

    Probes come by plain HTTP, with an IP address or nothing sensible as the host name: a URL behind the HTTPS redirect
    and the check of ALLOWED_HOSTS could not answer them.
    """
    if iscoroutinefunction(get_response):
        async_handler = cast("AsyncHandler", get_response)

        async def answer_async(request: HttpRequest) -> Response:
            if request.path_info == ALIVE_PATH:
                return healthz(request)
            if request.path_info == READY_PATH:
                return readyz(request, await _problem_async())
            return await async_handler(request)

        return answer_async
    sync_handler = cast("SyncHandler", get_response)

    def answer(request: HttpRequest) -> Response:
        if request.path_info == ALIVE_PATH:
            return healthz(request)
        if request.path_info == READY_PATH:
            return readyz(request, _problem())
        return sync_handler(request)

    return answer


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Tells that this process answers."""
    return _plain(request, 200, "ok")


@require_safe
def readyz(request: HttpRequest, problem: Problem | None) -> HttpResponse:
    """Tells whether it can do its work. What the database itself has said is for the log only."""
    if problem is None:
        return _plain(request, 200, "ready")
    response = _plain(request, 503, f"not ready: {problem.reason}")
    response._has_been_logged = True  # type: ignore[attr-defined]  # or Django would, for each probe
    return response


def _plain(request: HttpRequest, status: int, text: str) -> HttpResponse:
    body = f"{text}\n".encode()
    headers = {"Cache-Control": "no-store", "Content-Length": str(len(body))}
    # A server may warn about a body in the answer to HEAD.
    content = body if request.method == "GET" else b""
    return HttpResponse(content, status=status, content_type="text/plain; charset=utf-8", headers=headers)


_probe = Probe()
_told: Problem | None = None


def _problem() -> Problem | None:
    try:
        return _noted(_probe.look().result(PATIENCE_SECONDS))
    except TimeoutError:
        return _noted(SILENCE)


async def _problem_async() -> Problem | None:
    look = asyncio.wrap_future(_probe.look())
    await asyncio.wait((look,), timeout=PATIENCE_SECONDS)  # which does not cancel what others wait for, too
    return _noted(look.result() if look.done() else SILENCE)


def _noted(problem: Problem | None) -> Problem | None:
    """Logs what is new."""
    global _told
    before, _told = _told, problem
    if problem is not None and problem != before:
        logger.warning("Not ready: %s", problem)
    elif problem is None and before is not None:
        logger.info("Ready")
    return problem
