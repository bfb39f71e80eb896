"""Settings of the server that takes calls with a token only, and little of anything."""

from tests.native_server.settings import *  # noqa: F403

GRPC_BRIDGE = {
    "INTERCEPTORS": ["tests.native_server.rpc.RefuseStrangers"],
    "MAX_METADATA_BYTES": 1000,
    "MAX_METADATA_ENTRIES": 10,
    "MAX_CONCURRENT_STREAMS": 1,
}
