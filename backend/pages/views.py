"""Ordinary Django views. What browsers call over gRPC-Web belongs to the services, not here."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The demo page. Its script makes the RPCs; this only delivers the document."""
    return render(request, "pages/index.html")


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Tells a load balancer that this process answers. Asks nothing of the database, so its faults stay its own."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})
