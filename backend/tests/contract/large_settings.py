"""Settings of servers under test that take and give larger messages than by default."""

from tests.contract.settings import *  # noqa: F403

GRPC_BRIDGE = {"MAX_RECEIVE_MESSAGE_BYTES": 8 * 1024 * 1024, "MAX_SEND_MESSAGE_BYTES": 8 * 1024 * 1024}
