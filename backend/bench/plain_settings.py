"""Settings of a Django site that does as little as one can, on the same database: no middleware, two apps."""

from config.settings.base import DATABASES, DEFAULT_AUTO_FIELD, USE_TZ

__all__ = ["DATABASES", "DEFAULT_AUTO_FIELD", "USE_TZ"]

SECRET_KEY = "insecure-key-for-measurements"  # noqa: S105
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes"]
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "bench.apps.django_json"
