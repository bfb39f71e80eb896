"""TLS: the server proves who it is, and nobody reads along.

    manage.py rungrpc --tls-cert server.pem --tls-key server.key

A certificate for trying it: `../.venv/bin/python -m trustme --identities 127.0.0.1 localhost` writes `server.pem`,
`server.key`, and `client.pem`, which is the authority's.
"""

from __future__ import annotations

import grpc

from examples.client import SECONDS, arguments, connected
from generated.echo.v1 import echo_pb2

if __name__ == "__main__":
    given = arguments(__doc__, "ca")
    # Without an argument: the authorities that the system trusts, as for a server with a public certificate.
    credentials = grpc.ssl_channel_credentials(root_certificates=given.ca.read_bytes())
    with connected(given.address, credentials) as client:
        response = client.echo.Echo(echo_pb2.EchoRequest(message="Nobody else reads this"), timeout=SECONDS)
        print(response.message)
