"""Registers the servicer whose handlers are of the kind that the settings name."""

from __future__ import annotations

from typing import Any

from connectrpc.conformance.v1.service_pb2_grpc import add_ConformanceServiceServicer_to_server
from django.conf import settings

from tests.conformance.servicer import AsyncServicer, SyncServicer

SERVICERS = {"def": SyncServicer, "async-def": AsyncServicer}


def register(server: Any) -> None:
    """Called by the bridge for each installed app."""
    add_ConformanceServiceServicer_to_server(SERVICERS[settings.CONFORMANCE_HANDLERS](), server)
