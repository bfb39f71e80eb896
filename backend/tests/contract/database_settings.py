"""Settings of servers under test whose servicers use a database."""

from config.settings import test
from tests.contract.settings import *  # noqa: F403

DATABASES = test.DATABASES
