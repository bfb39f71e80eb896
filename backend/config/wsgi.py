"""The WSGI entry point: the bridge answers RPCs, Django everything else.

Production settings are the default, because they refuse to start half configured.
"""

import os

from django.core.wsgi import get_wsgi_application

import grpc_bridge

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.prod")

application = grpc_bridge.wsgi(get_wsgi_application())
