"""The Django app of the echo service."""

from django.apps import AppConfig


class EchoConfig(AppConfig):
    """The echo service. It keeps nothing, so it has no models."""

    name = "services.echo"
    verbose_name = "Echo"
