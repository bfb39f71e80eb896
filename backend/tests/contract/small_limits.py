"""Settings of servers that take on little: few calls, few threads, small heads of requests."""

from tests.contract.settings import *  # noqa: F403

CALLS = 8
STREAMS = 3
THREADS = 4
QUEUE = 1
METADATA_BYTES = 2000
METADATA_ENTRIES = 40

GRPC_BRIDGE = {
    "MAX_CONCURRENT_CALLS": CALLS,
    "MAX_CONCURRENT_STREAMS": STREAMS,
    "MAX_METADATA_BYTES": METADATA_BYTES,
    "MAX_METADATA_ENTRIES": METADATA_ENTRIES,
    "SYNC_THREADS": THREADS,
    "SYNC_QUEUE": QUEUE,
}
