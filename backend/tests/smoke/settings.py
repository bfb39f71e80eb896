"""Settings of a site whose static files have hashes, as a deployment's have. The environment names their folders."""

import os

from config.settings import base
from config.settings.test import *  # noqa: F403

STORAGES = base.STORAGES
STATICFILES_DIRS = [os.environ["SMOKE_STATIC_SOURCES"]]
STATIC_ROOT = os.environ["SMOKE_STATIC_ROOT"]
WHITENOISE_USE_FINDERS = False
