"""`manage.py seed`: the demo data of a developer's machine."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction


@dataclass(frozen=True)
class DemoUser:
    """An account that everybody knows: these passwords stand in the README."""

    email: str
    name: str
    password: str
    is_admin: bool = False


DEMO_USERS = (
    DemoUser("demo@example.com", "Demo User", "demo-password"),
    DemoUser("admin@example.com", "Demo Admin", "admin-password", is_admin=True),
)


class Command(BaseCommand):
    """Creates what is missing and leaves the rest as it is, so that it can run at any time."""

    help = "Create the demo users, where they are missing. Refuses outside local and test settings."

    def handle(self, *args: Any, **options: Any) -> None:
        """Writes the users. Raises CommandError where DEMO_DATA is off: well-known passwords open a real site."""
        if not settings.DEMO_DATA:
            raise CommandError("demo users have well-known passwords: seed only where settings.DEMO_DATA is on")
        with transaction.atomic():
            created = [user.email for user in DEMO_USERS if self._create(user)]
        self.stdout.write(f"created: {', '.join(created)}" if created else "nothing to create")

    def _create(self, demo: DemoUser) -> bool:
        users = get_user_model()._default_manager
        if users.filter(email__iexact=demo.email).exists():
            return False
        create = users.create_superuser if demo.is_admin else users.create_user
        create(email=demo.email, name=demo.name, password=demo.password)
        return True
