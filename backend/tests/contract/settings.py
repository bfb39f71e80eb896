"""Settings of the servers under test: those of all tests, the contract's servicers, and those of grpcio's packages."""

from config.settings.test import *  # noqa: F403
from config.settings.test import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.contract", "tests.standard"]
