"""Settings under pytest, also for the server processes that tests start.

The database is never the developer's: pytest-django keeps its own in memory, and a server under test uses the file that
its test names in DJANGO_SQLITE_PATH.
"""

import os

from config.settings.base import *  # noqa: F403
from config.settings.base import BACKEND_DIR, DATABASES, STORAGES

SECRET_KEY = "insecure-key-for-tests"  # noqa: S105
DEMO_DATA = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", "testserver"]

DATABASES = {
    "default": DATABASES["default"] | {"NAME": os.environ.get("DJANGO_SQLITE_PATH", str(BACKEND_DIR / "test.sqlite3"))},
}

# Slow on purpose in the world, so only a cost here.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Static files straight from their sources, so that tests need no collectstatic first.
STATIC_ROOT = None
STORAGES = STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_USE_FINDERS = True
