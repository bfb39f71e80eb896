"""gRPC for the browser in a Django process: unmodified grpcio servicers, served next to ordinary views.

    # config/asgi.py, config/wsgi.py
    application = grpc_bridge.asgi(get_asgi_application())
    application = grpc_bridge.wsgi(get_wsgi_application())

    # <app>/rpc.py of any installed app
    def register(server):
        add_EchoServiceServicer_to_server(EchoServicer(), server)

    # in a handler: who is logged in, as in a view; `get_user(context)` in a `def` handler
    user = await grpc_bridge.aget_user(context)
    grpc_bridge.release_thread()  # where the handler goes on to wait for long

    # where a server is told to end: streams end, and their callers know when to come back
    grpc_bridge.drain()

These functions are the public surface; everything else may change.
"""

from __future__ import annotations

from grpc_bridge.caller import aget_user, get_session, get_user, set_user
from grpc_bridge.conf import load_settings
from grpc_bridge.lifecycle import release_thread
from grpc_bridge.registry import discovered_registry
from grpc_bridge.shutdown import drain
from grpc_bridge.transports.asgi import Application as AsgiApplication
from grpc_bridge.transports.asgi import asgi_bridge
from grpc_bridge.transports.wsgi import Application as WsgiApplication
from grpc_bridge.transports.wsgi import wsgi_bridge

__all__ = ["aget_user", "asgi", "drain", "get_session", "get_user", "release_thread", "set_user", "wsgi"]


def asgi(application: AsgiApplication) -> AsgiApplication:
    """Wraps Django's ASGI application. RPCs are answered, everything else is passed on untouched.

    Imports the `rpc` module of every installed app, so Django must be set up: wrap what `get_asgi_application()` gives.
    Raises `ImproperlyConfigured` for wrong settings and for methods that are registered twice.
    """
    return asgi_bridge(application, discovered_registry(), load_settings())


def wsgi(application: WsgiApplication) -> WsgiApplication:
    """Wraps Django's WSGI application, as `asgi` does for ASGI."""
    return wsgi_bridge(application, discovered_registry(), load_settings())
