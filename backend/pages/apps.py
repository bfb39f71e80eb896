"""The app's place in Django."""

from django.apps import AppConfig


class PagesConfig(AppConfig):
    """The site's pages. They keep no data of their own."""

    name = "pages"
