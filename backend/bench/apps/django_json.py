"""What one would write without gRPC: Django views that take JSON and give JSON, sync ones and async ones."""

from __future__ import annotations

import json
import os

os.environ["DJANGO_SETTINGS_MODULE"] = "bench.plain_settings"

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

wsgi = get_wsgi_application()
asgi = get_asgi_application()

from django.contrib.auth.models import Group


def echo(request: HttpRequest) -> JsonResponse:
    """Answers with what it was sent."""
    return JsonResponse({"message": json.loads(request.body)["message"], "messageCount": 1})


async def echo_async(request: HttpRequest) -> JsonResponse:
    """Answers with what it was sent."""
    return JsonResponse({"message": json.loads(request.body)["message"], "messageCount": 1})


def read(request: HttpRequest) -> JsonResponse:
    """Reads one row of the database by its key."""
    group = Group.objects.get(pk=int(json.loads(request.body)["message"]))
    return JsonResponse({"message": group.name, "messageCount": 1})


async def read_async(request: HttpRequest) -> JsonResponse:
    """Reads one row of the database by its key."""
    group = await Group.objects.aget(pk=int(json.loads(request.body)["message"]))
    return JsonResponse({"message": group.name, "messageCount": 1})


urlpatterns = [
    path("def/echo", echo),
    path("def/read", read),
    path("async/echo", echo_async),
    path("async/read", read_async),
]
