"""`manage.py seed`: the demo data of a developer's machine."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from pages import demo


class Command(BaseCommand):
    """Creates what is missing and leaves the rest as it is, so that it can run at any time."""

    help = "Create the demo users, where they are missing. Refuses outside local and test settings."

    def handle(self, *args: Any, **options: Any) -> None:
        """Writes the users. Raises CommandError where DEMO_DATA is off: well-known passwords open a real site."""
        if not settings.DEMO_DATA:
            raise CommandError("demo users have well-known passwords: seed only where settings.DEMO_DATA is on")
        with transaction.atomic():
            created = [user.email for user, is_new in map(demo.ensure_user, demo.USERS) if is_new]
        self.stdout.write(f"created: {', '.join(created)}" if created else "nothing to create")
