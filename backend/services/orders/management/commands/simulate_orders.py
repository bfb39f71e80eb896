"""`manage.py simulate_orders`: customers who buy and staff who work, so that a demo is alive."""

import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection

from services.orders.simulation import Simulation

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
PARENT_SECONDS = 0.5
"""How often to look whether the process is gone that this one is to end with."""


class Command(BaseCommand):
    """Makes a change every now and then until it is told to stop."""

    help = "Place orders as the demo customers and move them on, until Ctrl-C or SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares the options."""
        parser.add_argument("--rate", type=float, default=0.5, help="changes a second (default: 0.5)")
        parser.add_argument("--limit", type=int, help="stop after so many changes (default: never)")
        parser.add_argument(
            "--parent", type=int, help="stop when the process with this id, which started this one, ends"
        )
        parser.add_argument(
            "--heartbeat", type=Path, metavar="FILE", help="touch this file after each change, for a health check"
        )

    def handle(self, *args: Any, rate: float, limit: int | None, **options: Any) -> None:
        """Simulates. Raises CommandError where demo data is off, for a rate that is none, and without a demo shop."""
        if not settings.DEMO_DATA:
            raise CommandError("orders are simulated only where settings.DEMO_DATA is on")
        if not 0 < rate <= 1000:
            raise CommandError("--rate is more than 0 and at most 1000")
        simulation = Simulation(random.Random())  # noqa: S311 - nothing secret hangs on it
        if not simulation.is_possible():
            raise CommandError("there are no customers or no products: run `manage.py seed` first")
        self._stopped = threading.Event()
        self._parent, self._heartbeat = options["parent"], options["heartbeat"]
        before = {number: signal.signal(number, self._stop) for number in STOP_SIGNALS}
        try:
            self._run(simulation, 1 / rate, limit, options["verbosity"])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _run(self, simulation: Simulation, pause_seconds: float, limit: int | None, verbosity: int) -> None:
        done = 0
        while done != limit and self._wait(pause_seconds):
            try:
                change = simulation.step()
            except DatabaseError as error:  # busy, or gone for a moment; the next step may have more luck
                self.stderr.write(f"no change this time: {error}")
                connection.close()
                continue
            done += 1
            if self._heartbeat is not None:
                self._heartbeat.touch()
            if verbosity > 1:
                self.stdout.write(change)

    def _wait(self, seconds: float) -> bool:
        """Gives whether to go on after so many seconds."""
        end = time.monotonic() + seconds
        while not self._stopped.wait(max(min(end - time.monotonic(), PARENT_SECONDS), 0.0)):
            if self._parent is not None and os.getppid() != self._parent:
                return False
            if time.monotonic() >= end:
                return True
        return False

    def _stop(self, *_: Any) -> None:
        self._stopped.set()
