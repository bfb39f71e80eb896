"""Retries by service config: the client library repeats a call that was turned away, and the program sees one call.

Only for methods that may run twice, and only for codes that say that the call has done nothing. PlaceOrder of this
project may be repeated because its request has an idempotency key.
"""

from __future__ import annotations

import json

import grpc

from examples.client import SECONDS, arguments, connected
from generated.echo.v1 import echo_pb2

SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": "echo.v1.EchoService"}],  # of one method: "method": "Echo" beside it
            "timeout": f"{SECONDS}s",
            "retryPolicy": {
                "maxAttempts": 4,  # five is the most that clients take
                "initialBackoff": "0.05s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    # Who has lost half of these ten tokens to failures does not retry any more: a server in trouble gets no more of it.
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
}

if __name__ == "__main__":
    given = arguments(__doc__)
    options = [("grpc.service_config", json.dumps(SERVICE_CONFIG))]
    with connected(given.address, options=options) as client:
        try:
            # A method that always fails. The log of the server has a line for each of the four attempts.
            client.echo.EchoAbort(echo_pb2.EchoAbortRequest(code=grpc.StatusCode.UNAVAILABLE.value[0]))
        except grpc.RpcError as error:
            print("still", error.code().name)
