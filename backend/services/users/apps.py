"""The app's place in Django."""

from django.apps import AppConfig


class UsersConfig(AppConfig):
    """Accounts."""

    name = "services.users"
