"""The Django app."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class GrpcBridgeConfig(AppConfig):
    """Makes `grpc_bridge` an installed app."""

    name = "grpc_bridge"
    verbose_name = "gRPC bridge"

    def ready(self) -> None:
        """Registers the system checks, which importing them does."""
        import_module("grpc_bridge.checks")
