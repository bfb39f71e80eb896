"""`manage.py prune_order_events`: forgets what happened to orders long ago. To be run daily."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from services.orders.history import prune


class Command(BaseCommand):
    """Deletes old events. The orders stay as they are."""

    help = "Delete order events that are older than some days; clients that were away for longer list the orders anew."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares the options."""
        parser.add_argument("--older-than-days", type=int, default=30, help="default: 30")

    def handle(self, *args: Any, older_than_days: int, **options: Any) -> None:
        """Deletes. Raises CommandError for less than a day, in which browsers come back from a night's sleep."""
        if older_than_days < 1:
            raise CommandError("--older-than-days is at least 1")
        deleted = prune(timezone.now() - timedelta(days=older_than_days))
        self.stdout.write(f"{deleted} events deleted")
