"""`manage.py list_rpcs`: which methods are served and where each is written."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from grpc_bridge.describe import is_implemented, kind, location
from grpc_bridge.registry import Method, discovered_registry


class Command(BaseCommand):
    """Prints a line for each method, or JSON."""

    help = "Lists the registered RPCs: path, kind, whether the handler is def or async def, and where it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Adds `--json`."""
        parser.add_argument("--json", action="store_true", help="print a JSON array of objects instead of a table")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises `CommandError` where servicers cannot be registered."""
        try:
            rows = [_row(method) for method in sorted(discovered_registry(), key=lambda method: method.path)]
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(rows, indent=2))
            return
        if not rows:
            self.stderr.write("No rpc module registers any method.")
        lines = [
            (row["path"], row["kind"], row["handler"], row["location"] if row["implemented"] else "not implemented")
            for row in rows
        ]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            self.stdout.write("  ".join(map(str.ljust, line, widths)).rstrip())


def _row(method: Method) -> dict[str, Any]:
    return {
        "path": method.path,
        "kind": kind(method),
        "handler": "async def" if method.is_async else "def",
        "location": location(method),
        "implemented": is_implemented(method),
    }
