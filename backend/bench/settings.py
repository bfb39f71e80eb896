"""The project's own settings with the handlers to measure in them.

Environment read here:
    BENCH_CALL_LOG    "1" leaves the call log on; off by default, because no peer has one
"""

import os

from config.settings.base import *  # noqa: F403
from config.settings.base import GRPC_BRIDGE, INSTALLED_APPS, STORAGES

SECRET_KEY = "insecure-key-for-measurements"  # noqa: S105
ALLOWED_HOSTS = ["127.0.0.1"]

INSTALLED_APPS = [*INSTALLED_APPS, "bench"]
GRPC_BRIDGE = GRPC_BRIDGE | {"LOG_CALLS": os.environ.get("BENCH_CALL_LOG") == "1"}

# Nothing here needs collectstatic first.
STATIC_ROOT = None
STATICFILES_DIRS = []
STORAGES = STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
