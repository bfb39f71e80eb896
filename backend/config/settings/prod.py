"""Settings for the world. Refuses to start when what must be secret or known is missing.

Environment read here:
    DJANGO_SECRET_KEY            required: a long random text, the same for all processes
    DJANGO_ALLOWED_HOSTS         required: the host names that are served, separated by commas
    DJANGO_CSRF_TRUSTED_ORIGINS  further origins that may post forms, separated by commas, each with its scheme
    DJANGO_HTTPS                 "0" only where nobody can reach the site but over a trusted network (default: on)
"""

import os

from django.core.exceptions import ImproperlyConfigured

from config.settings import local
from config.settings.base import *  # noqa: F403
from config.settings.base import CALL_ORIGINS, DATABASES


def _list(name: str) -> list[str]:
    return [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]


SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "").strip()
if not SECRET_KEY:
    raise ImproperlyConfigured("DJANGO_SECRET_KEY must be set in the environment for production")
if SECRET_KEY == local.SECRET_KEY:
    raise ImproperlyConfigured("DJANGO_SECRET_KEY is the public development key; set a secret one")

if DATABASES["default"].get("PASSWORD") == "insecure-demo-password":
    raise ImproperlyConfigured("DATABASE_URL has the public password of docker-compose.yml; set a secret one")

ALLOWED_HOSTS = _list("DJANGO_ALLOWED_HOSTS")
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured("DJANGO_ALLOWED_HOSTS must be set in the environment for production")

CSRF_TRUSTED_ORIGINS = [*CALL_ORIGINS, *_list("DJANGO_CSRF_TRUSTED_ORIGINS")]

HTTPS = os.environ.get("DJANGO_HTTPS", "1") != "0"
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
if HTTPS:
    # This host only: whether its subdomains have HTTPS too is not ours to promise for a year.
    SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
    # The prefix makes browsers refuse the cookie unless it came over HTTPS from this very host.
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
