"""Compression of requests: for a whole channel, or for one call. The server says by itself how it compresses answers.

Not for messages that hold a secret beside something that somebody else can choose: their size then tells of the secret.
"""

from __future__ import annotations

import grpc

from examples.client import SECONDS, arguments, connected
from generated.echo.v1 import echo_pb2

TEXT = "again and " * 10_000

if __name__ == "__main__":
    given = arguments(__doc__)
    with connected(given.address, compression=grpc.Compression.Gzip) as client:
        response = client.echo.Echo(echo_pb2.EchoRequest(message=TEXT), timeout=SECONDS)
        print("compressed:", response.message == TEXT)

        # What is compressed already, or small, is better sent as it is.
        response = client.echo.Echo(
            echo_pb2.EchoRequest(message=TEXT), timeout=SECONDS, compression=grpc.Compression.NoCompression
        )
        print("as it is:", response.message == TEXT)
