"""The ASGI entry point: the bridge answers RPCs, Django everything else.

Production settings are the default, because they refuse to start half configured.
"""

import os

from django.core.asgi import get_asgi_application

import grpc_bridge

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.prod")

application = grpc_bridge.asgi(get_asgi_application())
