"""Settings for the world. Refuses to start when what must be secret or known is missing, or fit for development only.

Environment read here:
    DJANGO_SECRET_KEY            required: a long random text, the same for all processes
    DJANGO_ALLOWED_HOSTS         required: the host names that are served, separated by commas; `.example.com` is
                                 example.com with all its subdomains
    DJANGO_CSRF_TRUSTED_ORIGINS  further origins that may post forms, separated by commas, each with its scheme
    DJANGO_HTTPS                 "0" only where nobody can reach the site but over a trusted network (default: on)
    DJANGO_HSTS_SECONDS          how long browsers shall insist on HTTPS (default: a year)

Behind a proxy that ends TLS, the server has to trust what that says of the scheme: see FORWARDED_ALLOW_IPS in
config/gunicorn.conf.py.
"""

import logging
import os

from django.core.exceptions import ImproperlyConfigured

from config.settings import local
from config.settings.base import *  # noqa: F403
from config.settings.base import CALL_ORIGINS, DATABASES, number

YEAR_SECONDS = 365 * 24 * 60 * 60

# What Django's own check of deployments asks of a key, which is only a warning there.
MIN_KEY_LENGTH = 50
MIN_KEY_CHARACTERS = 5
GENERATED_KEY_PREFIX = "django-insecure-"


def _list(name: str) -> list[str]:
    return [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]


def _secret_key() -> str:
    key = os.environ.get("DJANGO_SECRET_KEY", "").strip()
    if not key:
        raise ImproperlyConfigured("DJANGO_SECRET_KEY must be set in the environment for production")
    if key == local.SECRET_KEY:
        raise ImproperlyConfigured("DJANGO_SECRET_KEY is the public development key; set a secret one")
    if len(key) < MIN_KEY_LENGTH or len(set(key)) < MIN_KEY_CHARACTERS or key.startswith(GENERATED_KEY_PREFIX):
        raise ImproperlyConfigured(
            f"DJANGO_SECRET_KEY can be guessed: it needs {MIN_KEY_LENGTH} characters or more, taken at random,"
            ' such as `python -c "import secrets; print(secrets.token_urlsafe(64))"` prints'
        )
    return key


def _allowed_hosts() -> list[str]:
    hosts = _list("DJANGO_ALLOWED_HOSTS")
    if not hosts:
        raise ImproperlyConfigured("DJANGO_ALLOWED_HOSTS must be set in the environment for production")
    if any("*" in host for host in hosts):
        raise ImproperlyConfigured("DJANGO_ALLOWED_HOSTS must name the hosts; any other must get no answer")
    return hosts


if os.environ.get("DJANGO_DEBUG", "0") not in ("", "0"):
    raise ImproperlyConfigured("DJANGO_DEBUG is for development: its error pages show settings and source code")

if DATABASES["default"].get("PASSWORD") == "insecure-demo-password":
    raise ImproperlyConfigured("DATABASE_URL has the public password of docker-compose.yml; set a secret one")

SECRET_KEY = _secret_key()
ALLOWED_HOSTS = _allowed_hosts()
CSRF_TRUSTED_ORIGINS = [*CALL_ORIGINS, *_list("DJANGO_CSRF_TRUSTED_ORIGINS")]

HTTPS = os.environ.get("DJANGO_HTTPS", "1") != "0"
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
if HTTPS:
    # A year is what browsers' lists ask for, and what a site needs that never goes back to HTTP. Take an hour for a
    # first deployment: what a browser has been told cannot be taken back.
    SECURE_HSTS_SECONDS = number("DJANGO_HSTS_SECONDS", YEAR_SECONDS)
    # For this host only, and not for the lists that come with browsers (W005, W021): whether all its subdomains have
    # HTTPS too is not ours to promise.
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
    # The prefix makes browsers refuse the cookie unless it came over HTTPS from this very host.
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"

# They belong into the log as well, in its form.
logging.captureWarnings(True)
