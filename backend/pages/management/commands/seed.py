"""`manage.py seed`: the demo data of a developer's machine."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from pages import demo
from services.orders import demo as shop


class Command(BaseCommand):
    """Creates what is missing and leaves the rest as it is, so that it can run at any time."""

    help = (
        "Create the demo users, products and orders, where they are missing. Refuses outside local and test settings."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Writes them. Raises CommandError where DEMO_DATA is off: well-known passwords open a real site."""
        if not settings.DEMO_DATA:
            raise CommandError("demo users have well-known passwords: seed only where settings.DEMO_DATA is on")
        with transaction.atomic():
            created = [user.email for user, is_new in map(demo.ensure_user, demo.USERS) if is_new]
        customers = [user for user, _ in map(demo.ensure_user, demo.USERS) if user.is_customer]
        products, orders = shop.ensure_products(), shop.ensure_orders(customers)
        created += [f"{count} {name}" for count, name in ((products, "products"), (orders, "orders")) if count]
        self.stdout.write(f"created: {', '.join(created)}" if created else "nothing to create")
