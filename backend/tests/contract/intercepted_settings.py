"""Settings of the servers with interceptors."""

from tests.contract.settings import *  # noqa: F403

_WRAPPING = "grpc_bridge.tests.interception.Wrapping"

GRPC_BRIDGE = {
    "INTERCEPTORS": [
        "tests.contract.interceptors.Refusing",
        _WRAPPING,
        "grpc_bridge.tests.interception.AioWrapping",
        "tests.contract.interceptors.HandingOn",
        _WRAPPING,
    ],
}
