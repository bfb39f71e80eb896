"""Production's settings for servers that lose patience with slow writers within a test's time."""

from config.settings.prod import *  # noqa: F403
from config.settings.prod import GRPC_BRIDGE
from tests.soak.options import REQUEST_BODY_SECONDS

GRPC_BRIDGE = GRPC_BRIDGE | {"REQUEST_BODY_SECONDS": REQUEST_BODY_SECONDS}
