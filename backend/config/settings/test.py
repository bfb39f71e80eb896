"""Settings under pytest, also for the server processes that tests start.

The database is never the developer's. pytest-django makes one of its own: a file, because the threads of a test share a
database in memory only as long as none of them is in a transaction; or, where DATABASE_URL names a PostgreSQL, a
database beside that one. A server under test uses what its test names in DJANGO_SQLITE_PATH or DATABASE_URL.
"""

import os
import tempfile
from pathlib import Path

from config.settings.base import *  # noqa: F403
from config.settings.base import BACKEND_DIR, DATABASE_URL, DATABASES, STORAGES

SECRET_KEY = "insecure-key-for-tests"  # noqa: S105
DEMO_DATA = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", "testserver"]

if DATABASE_URL:
    DATABASES = {"default": DATABASES["default"] | {"CONN_MAX_AGE": 0}}
else:
    sqlite = {
        "CONN_MAX_AGE": 0,
        "NAME": os.environ.get("DJANGO_SQLITE_PATH", str(BACKEND_DIR / "test.sqlite3")),
        "TEST": {"NAME": str(Path(tempfile.gettempdir()) / f"django-tests-{os.getpid()}.sqlite3")},
    }
    DATABASES = {"default": DATABASES["default"] | sqlite}

# Slow on purpose in the world, so only a cost here.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Static files straight from their sources, so that tests need no collectstatic first.
STATIC_ROOT = None
STORAGES = STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_USE_FINDERS = True
