"""Whether this process can do its work: its databases answer, and all migrations are applied."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import NamedTuple

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

NO_DATABASE = "django.db.backends.dummy"


class Problem(NamedTuple):
    """Why a process is not ready. `reason` may be told to anybody, `cause` is the database's own text."""

    reason: str
    cause: str = ""

    def __str__(self) -> str:
        """Gives all of it, for the log."""
        return f"{self.reason}: {self.cause}" if self.cause else self.reason


SILENCE = Problem("the databases do not answer")


class Readiness:
    """Asks the databases. Migrations are looked at until there is none to apply, because later none comes by itself."""

    _is_migrated = False

    def problem(self) -> Problem | None:
        """Gives what is not ready, None if all is. Takes connections of this thread and closes them."""
        try:
            return self._unreachable() or self._unmigrated()
        finally:
            connections.close_all()

    def _unreachable(self) -> Problem | None:
        for alias in _aliases():
            try:
                with connections[alias].cursor() as cursor:
                    cursor.execute("SELECT 1")
            except Exception as error:  # of the database's driver
                return Problem(f"database {alias!r} cannot be reached", str(error))
        return None

    def _unmigrated(self) -> Problem | None:
        if self._is_migrated or DEFAULT_DB_ALIAS not in _aliases():
            return None
        try:
            executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        except Exception as error:
            return Problem("migrations cannot be read", str(error))
        if plan:
            return Problem(f"{len(plan)} migrations are not applied")
        self._is_migrated = True
        return None


class Probe:
    """Asks for whoever wants to know, but never twice at the same time: a database may keep who asks it waiting for
    ever, and probes come every second. Each look has a thread of its own, for which nobody has to wait."""

    def __init__(self) -> None:
        self._readiness = Readiness()
        self._lock = threading.Lock()
        self._look: Future[Problem | None] = Future()
        self._look.set_result(None)

    def look(self) -> Future[Problem | None]:
        """Gives what a look at the databases finds, one that has begun already if there is one."""
        with self._lock:
            if self._look.done():
                self._look = Future()
                threading.Thread(target=self._find, args=(self._look,), name="readiness", daemon=True).start()
            return self._look

    def _find(self, look: Future[Problem | None]) -> None:
        try:
            look.set_result(self._readiness.problem())
        except Exception as error:  # a database that can be asked, but whose connection cannot be closed
            look.set_result(Problem("the databases cannot be asked", str(error)))


def _aliases() -> list[str]:
    return [alias for alias in connections if settings.DATABASES[alias].get("ENGINE", NO_DATABASE) != NO_DATABASE]
