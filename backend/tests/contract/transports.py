"""The transports that every case runs on, by name."""

from __future__ import annotations

from tests.contract.methods import ASYNC, FLAVOURS, SYNC
from tests.servers import KINDS

WEB_BINARY = "gRPC-Web binary"
WEB_TEXT = "gRPC-Web text"
NATIVE = "native"
WIRES = (WEB_BINARY, WEB_TEXT, NATIVE)

BRIDGE = {f"{kind}, {wire}": (kind, wire) for kind in KINDS for wire in WIRES}
"""The bridge: what kind of server it runs on, and how it is called."""

GRPCIO = "grpc.server"
GRPCIO_AIO = "grpc.aio.server"
"""grpcio's own servers. Each has handlers of the kind that it is made for."""

RUNGRPC = f"rungrpc, {NATIVE}"
"""The bridge behind a server of grpcio's."""

ENVOY = {f"Envoy, {wire}": wire for wire in WIRES}
"""Envoy before rungrpc, and how it is called."""

ENVOY_NATIVE = f"Envoy, {NATIVE}"

SERVED = dict.fromkeys((*BRIDGE, RUNGRPC, *ENVOY), FLAVOURS) | {GRPCIO: (SYNC,), GRPCIO_AIO: (ASYNC,)}
"""All transports, and the servicers that each serves."""
