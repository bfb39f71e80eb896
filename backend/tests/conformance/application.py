"""The application that gunicorn serves to the suite: the bridge in front of the smallest Django project there can be.

Environment read here:
    CONFORMANCE_HANDLERS       "def" or "async-def": the kind of the servicer's handlers
    CONFORMANCE_RECEIVE_LIMIT  the largest request message in bytes
"""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

import grpc_bridge

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    CONFORMANCE_HANDLERS=os.environ["CONFORMANCE_HANDLERS"],
    GRPC_BRIDGE={"MAX_RECEIVE_MESSAGE_BYTES": int(os.environ["CONFORMANCE_RECEIVE_LIMIT"])},
    INSTALLED_APPS=["grpc_bridge", "tests.conformance"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="insecure-key-for-tests",
)

urlpatterns: list[Any] = []


def asgi() -> Any:
    """Gives the ASGI application."""
    return grpc_bridge.asgi(get_asgi_application())


def wsgi() -> Any:
    """Gives the WSGI application."""
    return grpc_bridge.wsgi(get_wsgi_application())
