"""Settings that hold everywhere. What differs by place comes from the environment or from the other modules here.

Environment read here:
    DATABASE_URL           a PostgreSQL database, as postgresql://user:password@host:port/name (default: SQLite)
    DJANGO_SQLITE_PATH     file of the SQLite database (default: db.sqlite3 in the backend folder)
    DJANGO_PROXY_COUNT     how many proxies stand in front and add to X-Forwarded-For (default: 0)
    DJANGO_LOG_LEVEL       lowest level that is logged (default: INFO)
    DJANGO_CALL_LOG_LEVEL  the same for the line that each RPC leaves at INFO; WARNING for none (default: as above)
    DJANGO_LOG_FORMAT      "json" or "line"; see config/logs.py (default: line, in production json)
    WEB_IN_PROCESS_URL     the two origins of a site that is served by Django alone and through Envoy as well, such as
    WEB_ENVOY_URL          http://127.0.0.1:8000 and :8080. With both, the page offers the choice (default: none)
"""

import os
from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from config.logs import logging_config

BACKEND_DIR = Path(__file__).resolve().parent.parent.parent
FRONTEND_DIR = BACKEND_DIR.parent / "frontend"


def number(name: str, default: int) -> int:
    """Gives what the environment has under a name. Raises `ImproperlyConfigured` for what is no number."""
    given = os.environ.get(name, "").strip()
    if given and not given.isdecimal():
        raise ImproperlyConfigured(f"{name} must be a number, not {given!r}")
    return int(given) if given else default


DEBUG = False

# Whether `manage.py seed` may write its demo users, whose passwords everybody knows.
DEMO_DATA = False

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "grpc_bridge",
    "services.echo",
    "services.orders",
    "services.users",
    "pages",
]

MIDDLEWARE = [
    # First, so that a load balancer's probe meets no redirect, no host check, no session and no database.
    "pages.health.health_check",
    "pages.request_id.request_id",
    "django.middleware.security.SecurityMiddleware",
    "pages.middleware.StaticFilesMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# A connection is kept for a minute between uses: opening one costs more than most queries.
CONN_MAX_AGE = 60

SQLITE: dict[str, Any] = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": os.environ.get("DJANGO_SQLITE_PATH", str(BACKEND_DIR / "db.sqlite3")),
    "CONN_MAX_AGE": CONN_MAX_AGE,
    "OPTIONS": {
        # Readers do not wait for the writer, and a transaction that will write takes its lock at once instead of
        # failing half-way.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        "transaction_mode": "IMMEDIATE",
        "timeout": 5,
    },
}
DATABASE_URL = os.environ.get("DATABASE_URL", "")
DATABASES: dict[str, Any] = {
    # A server is asked whether it still knows the connection, before the first use in a request or call.
    "default": dj_database_url.parse(DATABASE_URL, conn_max_age=CONN_MAX_AGE, conn_health_checks=True)
    if DATABASE_URL
    else SQLITE
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "users.User"
LOGIN_URL = "pages:sign-in"
LOGIN_REDIRECT_URL = "pages:index"
LOGOUT_REDIRECT_URL = "pages:index"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# The page of either origin may call the other, as whoever is signed in: cookies know hosts and no ports.
CALL_PATHS = {"in_process": os.environ.get("WEB_IN_PROCESS_URL", ""), "envoy": os.environ.get("WEB_ENVOY_URL", "")}
CALL_ORIGINS = list(CALL_PATHS.values()) if all(CALL_PATHS.values()) else []
CSRF_TRUSTED_ORIGINS = CALL_ORIGINS

# How many proxies stand in front, each of which adds to X-Forwarded-For the address that it has seen.
TRUSTED_PROXY_COUNT = number("DJANGO_PROXY_COUNT", 0)

GRPC_BRIDGE: dict[str, Any] = {
    "DEFAULT_ACCESS": "grpc_bridge.access.nobody",
    "TOKEN_USER": "services.users.logic.user_of_token",
    "CORS_ALLOWED_ORIGINS": CALL_ORIGINS,
    "CORS_ALLOW_CREDENTIALS": bool(CALL_ORIGINS),
}

# What all prices are in. A change converts nothing, and a currency without hundredths needs another field than cents.
SHOP_CURRENCY = "EUR"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT: str | None = str(BACKEND_DIR / "staticfiles")
STATICFILES_DIRS = [FRONTEND_DIR / "dist"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Cross-origin pages have no business with these files; whitenoise would allow all of them.
WHITENOISE_ALLOW_ALL_ORIGINS = False

# Nothing is allowed but what the pages and the admin use, all of it from this origin, calls through Envoy apart.
# `data:` images are the icons in the style sheets.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "base-uri": [NONE],
        "connect-src": [SELF, *CALL_ORIGINS],
        "font-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "img-src": [SELF, "data:"],
        "manifest-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
    },
}

LOGGING = logging_config(
    level=os.environ.get("DJANGO_LOG_LEVEL", "INFO"), call_level=os.environ.get("DJANGO_CALL_LOG_LEVEL", "NOTSET")
)
