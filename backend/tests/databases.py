"""Databases for the servers that tests start: SQLite files, or databases of the PostgreSQL that DATABASE_URL names.

    with migrated_database(directory) as migrated, copied_database(migrated, other_directory) as database:
        subprocess.run(..., env=os.environ | database.environment)

They are made by one migration and copied from then on. None is left behind. What a test does to a database from
outside, such as taking it away, is here for either kind.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

BACKEND_DIR = Path(__file__).resolve().parent.parent
MIGRATE_SECONDS = 120.0
SQLITE_NAME = "database.sqlite3"


@dataclass(frozen=True)
class Database:
    """A database of its own. Whatever process has the variables in its environment uses it."""

    name: str
    """The path of the file, or what it is called on the server."""

    environment: dict[str, str]


NO_DATABASE = Database("", {})
"""For servers whose settings name none."""


def empty_database(directory: Path) -> contextlib.AbstractContextManager[Database]:
    """Gives a database without any table. A file goes into `directory`."""
    return _new_database(directory)


@contextlib.contextmanager
def migrated_database(directory: Path, settings: str = "config.settings.test") -> Iterator[Database]:
    """Gives a database with all migrations. A file goes into `directory`."""
    with _new_database(directory) as database:
        migrate(database, settings)
        yield database


def migrate(database: Database, settings: str = "config.settings.test") -> None:
    """Applies all migrations that are missing."""
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=BACKEND_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": settings} | database.environment,
        check=True,
        timeout=MIGRATE_SECONDS,
    )


def copied_database(original: Database, directory: Path) -> contextlib.AbstractContextManager[Database]:
    """Gives a copy of a database that nobody uses meanwhile."""
    if original == NO_DATABASE:
        return contextlib.nullcontext(original)
    return _new_database(directory, original)


@contextlib.contextmanager
def out_of_reach(database: Database) -> Iterator[None]:
    """Takes a database away from those who use it, and gives it back at the end."""
    if url := os.environ.get("DATABASE_URL"):
        allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        name = sql.Identifier(database.name)
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(allow.format(name, sql.SQL("false")))
            connection.execute(end, [database.name])
            yield
            connection.execute(allow.format(name, sql.SQL("true")))
    else:
        path = Path(database.name)
        away = path.rename(path.with_suffix(".away"))
        path.mkdir()  # or SQLite would make a new file
        yield
        path.rmdir()
        away.rename(path)


def open_connections(database: Database, pid: int) -> int:
    """Counts the connections to a database that nobody uses but the process `pid`. SQLite's are seen on Linux only."""
    if url := os.environ.get("DATABASE_URL"):
        with psycopg.connect(url, autocommit=True) as connection:
            count = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
            found = connection.execute(count, [database.name]).fetchone()
            assert found is not None
            return int(found[0])
    descriptors = Path(f"/proc/{pid}/fd").iterdir()
    return sum(_target(descriptor) == database.name for descriptor in descriptors)


def _target(link: Path) -> str:
    """Where a link of /proc points, which may be a socket's name and no path; nowhere if it is gone meanwhile."""
    try:
        return os.readlink(link)  # noqa: PTH115
    except FileNotFoundError:
        return ""


def _new_database(directory: Path, original: Database | None = None) -> contextlib.AbstractContextManager[Database]:
    url = os.environ.get("DATABASE_URL")
    return _postgresql(url, original) if url else _sqlite(directory, original)


@contextlib.contextmanager
def _sqlite(directory: Path, original: Database | None) -> Iterator[Database]:
    path = directory / SQLITE_NAME
    if original is None:
        path.touch()
    else:
        shutil.copyfile(original.name, path)
    yield Database(str(path), {"DJANGO_SQLITE_PATH": str(path)})


@contextlib.contextmanager
def _postgresql(url: str, original: Database | None) -> Iterator[Database]:
    name = f"test_{uuid.uuid4().hex}"
    template = original.name if original else "template1"
    with psycopg.connect(url, autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield Database(name, {"DATABASE_URL": urlsplit(url)._replace(path=f"/{name}").geturl()})
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
