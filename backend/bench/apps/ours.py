"""The project itself, as `config.wsgi` and `config.asgi` make it."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")

from config.asgi import application as asgi
from config.wsgi import application as wsgi

__all__ = ["asgi", "wsgi"]
