"""Settings of the servers under test: those of all tests, and the contract's servicers."""

from config.settings.test import *  # noqa: F403
from config.settings.test import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.contract"]
