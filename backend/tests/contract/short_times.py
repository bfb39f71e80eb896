"""Settings of servers that wait for nobody: short times for streams and for the bodies of requests."""

from tests.contract.settings import *  # noqa: F403

IDLE_SECONDS = 0.4
STREAM_SECONDS = 1.2
BODY_SECONDS = 0.4

GRPC_BRIDGE = {
    "MAX_STREAM_IDLE_SECONDS": IDLE_SECONDS,
    "MAX_STREAM_SECONDS": STREAM_SECONDS,
    "REQUEST_BODY_SECONDS": BODY_SECONDS,
}
