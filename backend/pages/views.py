"""Ordinary Django views. What browsers call over gRPC-Web belongs to the services, not here."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The demo page. Its script makes the RPCs; this only delivers the document, which says who is signed in."""
    paths = settings.CALL_PATHS if settings.CALL_ORIGINS else None
    return render(request, "pages/index.html", {"has_demo": settings.DEMO_DATA, "paths": paths})
