"""Status codes of grpcio and of the protocol core as each other's."""

from __future__ import annotations

import grpc

from grpc_bridge.protocol.status import StatusCode

GRPC_CODES: dict[grpc.StatusCode, StatusCode] = {code: StatusCode(code.value[0]) for code in grpc.StatusCode}
"""grpcio's status codes as the protocol core's."""

GRPCIO_CODES: dict[StatusCode, grpc.StatusCode] = {code: grpcio for grpcio, code in GRPC_CODES.items()}
"""The protocol core's status codes as grpcio's."""
