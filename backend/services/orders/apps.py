"""The app's place in Django."""

from django.apps import AppConfig


class OrdersConfig(AppConfig):
    """Products and orders."""

    name = "services.orders"
