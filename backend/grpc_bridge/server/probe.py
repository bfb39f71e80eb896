"""Asks a native server for its health, for whoever can only run a program: a container, an init system.

    python -m grpc_bridge.server.probe 127.0.0.1:50051

Ends with 0 if it is SERVING, else with 1 and a line that says why. Needs no settings and no Django.
"""

from __future__ import annotations

import argparse
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

SECONDS = 3.0


def problem(address: str, service: str = "", credentials: grpc.ChannelCredentials | None = None) -> str | None:
    """Gives why a server cannot be called, None if it can."""
    channel = grpc.insecure_channel(address) if credentials is None else grpc.secure_channel(address, credentials)
    with channel:
        try:
            request = health_pb2.HealthCheckRequest(service=service)
            status = health_pb2_grpc.HealthStub(channel).Check(request, timeout=SECONDS).status
        except grpc.RpcError as error:
            return f"{error.code().name}: {error.details()}"
    name: str = health_pb2.HealthCheckResponse.ServingStatus.Name(status)
    return None if status == health_pb2.HealthCheckResponse.SERVING else name


def main() -> int:
    """Reads the command line and gives the exit code."""
    parser = argparse.ArgumentParser(description="Asks a gRPC server for its health.")
    parser.add_argument("address", help="such as 127.0.0.1:50051")
    parser.add_argument("--service", default="", help="one service, such as echo.v1.EchoService; all of them if none")
    parser.add_argument("--ca", type=argparse.FileType("rb"), help="the authority of its certificate, in PEM: use TLS")
    given = parser.parse_args()
    credentials = None if given.ca is None else grpc.ssl_channel_credentials(given.ca.read())
    found = problem(given.address, given.service, credentials)
    if found is not None:
        sys.stderr.write(f"{given.address}: {found}\n")
    return 0 if found is None else 1


if __name__ == "__main__":
    sys.exit(main())
