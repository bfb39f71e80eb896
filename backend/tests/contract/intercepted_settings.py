"""Settings of the servers with interceptors."""

from tests.contract.settings import *  # noqa: F403

GRPC_BRIDGE = {
    "INTERCEPTORS": [
        f"tests.contract.interceptors.{name}"
        for name in ("Refusing", "Wrapping", "AioWrapping", "HandingOn", "Wrapping")
    ],
}
