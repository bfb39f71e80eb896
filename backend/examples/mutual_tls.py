"""Mutual TLS: both sides have a certificate, and the server serves nobody without.

    manage.py rungrpc --tls-cert server.pem --tls-key server.key --tls-client-ca ca.pem

A handler sees who calls in `context.peer_identities()`.
"""

from __future__ import annotations

import grpc

from examples.client import SECONDS, arguments, connected
from generated.echo.v1 import echo_pb2

if __name__ == "__main__":
    given = arguments(__doc__, "ca", "cert", "key")
    credentials = grpc.ssl_channel_credentials(
        root_certificates=given.ca.read_bytes(),
        private_key=given.key.read_bytes(),
        certificate_chain=given.cert.read_bytes(),
    )
    with connected(given.address, credentials) as client:
        response = client.echo.Echo(echo_pb2.EchoRequest(message="We know each other"), timeout=SECONDS)
        print(response.message)
