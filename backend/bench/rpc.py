"""The handlers as the bridge finds them: in the `rpc` module of an installed app."""

from typing import Any

from bench.handlers import SERVICES


def register(server: Any) -> None:
    """Adds the services to a server."""
    for name, handlers in SERVICES.items():
        server.add_registered_method_handlers(name, handlers)
