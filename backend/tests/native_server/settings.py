"""Settings of the servers under test: those of the contract, without health and reflection, which rungrpc brings."""

from tests.contract.database_settings import *  # noqa: F403
from tests.contract.database_settings import INSTALLED_APPS

INSTALLED_APPS = [*(app for app in INSTALLED_APPS if app != "tests.standard"), "tests.native_server"]
