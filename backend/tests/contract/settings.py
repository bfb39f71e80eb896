"""Settings of the servers under test: those of all tests, the contract's servicers, and those of grpcio's packages.

There is no database, and whatever looked for one would fail. So these servers do the same whatever the project's
database is; `database_settings.py` is for what stores something.
"""

from typing import Any

from config.settings.test import *  # noqa: F403
from config.settings.test import GRPC_BRIDGE, INSTALLED_APPS

# The suite tests the bridge with servicers that know no users.
GRPC_BRIDGE = GRPC_BRIDGE | {"DEFAULT_ACCESS": "grpc_bridge.access.anyone"}
INSTALLED_APPS = [*INSTALLED_APPS, "tests.contract", "tests.standard"]
DATABASES: dict[str, Any] = {}
