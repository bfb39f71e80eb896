"""Whether this process can do its work: its databases answer, and all migrations are applied."""

from __future__ import annotations

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

NO_DATABASE = "django.db.backends.dummy"


class Readiness:
    """Asks the databases. Migrations are looked at until there is none to apply, because later none comes by itself."""

    _is_migrated = False

    def problem(self) -> str | None:
        """Gives what is not ready, None if all is. Takes connections of this thread and closes them."""
        try:
            return self._unreachable() or self._unmigrated()
        finally:
            connections.close_all()

    def _unreachable(self) -> str | None:
        for alias in _aliases():
            try:
                with connections[alias].cursor() as cursor:
                    cursor.execute("SELECT 1")
            except Exception as error:  # of the database's driver
                return f"database {alias!r} cannot be reached: {error}"
        return None

    def _unmigrated(self) -> str | None:
        if self._is_migrated or DEFAULT_DB_ALIAS not in _aliases():
            return None
        try:
            executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        except Exception as error:
            return f"migrations cannot be read: {error}"
        if plan:
            return f"{len(plan)} migrations are not applied"
        self._is_migrated = True
        return None


def _aliases() -> list[str]:
    return [alias for alias in connections if settings.DATABASES[alias].get("ENGINE", NO_DATABASE) != NO_DATABASE]
