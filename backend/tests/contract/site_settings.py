"""Settings of servers for a site that other origins call, and that keeps its database connections."""

from tests.contract.database_settings import *  # noqa: F403
from tests.contract.database_settings import DATABASES

PARTNER = "https://partner.example.com"
PREVIEW = "https://preview-7.example.com"
TRUSTED = "https://forms.example.org"

GRPC_BRIDGE = {
    "CORS_ALLOWED_ORIGINS": [PARTNER],
    "CORS_ALLOWED_ORIGIN_REGEXES": [r"https://preview-\d+\.example\.com"],
    "CORS_ALLOW_CREDENTIALS": True,
    "CORS_MAX_AGE_SECONDS": 600,
}
CSRF_TRUSTED_ORIGINS = [TRUSTED]

DATABASES = {"default": DATABASES["default"] | {"CONN_MAX_AGE": None}}
