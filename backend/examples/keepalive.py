"""Keepalive: pings on a quiet connection, so that a dead one is noticed and no firewall forgets it.

Servers end connections that ping more often than they allow: `rungrpc --min-ping` says how often (every ten seconds).
"""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator

from examples.client import arguments, connected
from generated.echo.v1 import echo_pb2

OPTIONS = [
    ("grpc.keepalive_time_ms", 30_000),  # ping after so long without a word
    ("grpc.keepalive_timeout_ms", 10_000),  # and give the connection up when there is no answer within this time
    ("grpc.keepalive_permit_without_calls", 1),  # also while no call is open
    ("grpc.http2.max_pings_without_data", 0),  # as often as need be
]

QUIET_SECONDS = 1.0

if __name__ == "__main__":
    given = arguments(__doc__)
    with connected(given.address, options=OPTIONS) as client:
        requests: queue.SimpleQueue[echo_pb2.FullDuplexEchoRequest | None] = queue.SimpleQueue()
        outgoing: Iterator[echo_pb2.FullDuplexEchoRequest] = iter(requests.get, None)
        responses = client.echo.FullDuplexEcho(outgoing)
        for text in ("before", "after"):
            requests.put(echo_pb2.FullDuplexEchoRequest(message=f"{text} the silence"))
            print(next(responses).message)
            time.sleep(QUIET_SECONDS)
        requests.put(None)
