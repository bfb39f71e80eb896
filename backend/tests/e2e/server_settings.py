"""Settings of the servers that the browser tests start: those of all tests, and a log of how streams ended."""

from config.settings.test import *  # noqa: F403
from config.settings.test import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.e2e.observed.ObservedEchoConfig"]
