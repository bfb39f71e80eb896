"""Ordinary Django views. What browsers call over gRPC-Web belongs to the services, not here."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

HEALTHY = b"ok\n"


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The demo page. Its script makes the RPCs; this only delivers the document, which says who is signed in."""
    paths = settings.CALL_PATHS if settings.CALL_ORIGINS else None
    return render(request, "pages/index.html", {"has_demo": settings.DEMO_DATA, "paths": paths})


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Tells a load balancer that this process answers. Asks nothing of the database, so its faults stay its own."""
    headers = {"Cache-Control": "no-store", "Content-Length": str(len(HEALTHY))}
    # A server may warn about a body in the answer to HEAD, and probes come often.
    body = HEALTHY if request.method == "GET" else b""
    return HttpResponse(body, content_type="text/plain; charset=utf-8", headers=headers)
