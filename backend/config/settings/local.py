"""Settings for a developer's machine: works with nothing configured, reachable from this machine only.

Environment read here:
    DJANGO_DEBUG    "1" shows Django's error pages and serves static files from their sources (default: off)
"""

import os

from config.settings.base import *  # noqa: F403
from config.settings.base import STORAGES

DEBUG = os.environ.get("DJANGO_DEBUG") == "1"

# Known to everybody who has a copy of this project; `prod` refuses it.
SECRET_KEY = "insecure-development-key-for-this-machine-only"  # noqa: S105
DEMO_DATA = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

if DEBUG:
    STORAGES = STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
