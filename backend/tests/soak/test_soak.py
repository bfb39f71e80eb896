"""A short version of `make soak`, for every day: the same parts with small figures, against gunicorn's `asgi` alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.databases import Database, copied_database
from tests.soak import load, restarts, slow
from tests.soak.options import Options
from tests.soak.report import Report
from tests.soak.restarts import Disruption
from tests.soak.stack import IN_PROCESS, Plan, Stack, running_stack
from tests.soak.usage import IS_KNOWN

OPTIONS = Options(
    streams=24, rate=20, seconds=1.5, customers=4, buyers=4, clerks=2, followers=8, pause=0.05, calm=0.3, readers=6,
    waves=1, hold=1.0,
)  # fmt: skip

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def database(migrated: Database, tmp_path: Path) -> Iterator[Database]:
    """A database of the test's own."""
    with copied_database(migrated, tmp_path) as database:
        yield database


def check(report: Report, stack: Stack) -> None:
    """Nothing was wrong."""
    assert report.problems + stack.faults() == []


def cut_connections(stack: Stack) -> None:
    """What a restart of PostgreSQL does to its clients, for one database of many."""
    with psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_no_acknowledged_order_is_lost_and_no_update_missed_when_servers_restart(database: Database):
    with running_stack(Plan(has_envoy=False, has_demo=False), database) as stack:
        chosen = [one for one in restarts.disruptions(stack) if "SIGTERM" in one.name or "web is killed" in one.name]
        assert len(chosen) == 2
        if "DATABASE_URL" in stack.environment:
            chosen.append(Disruption("all connections to the database are cut", lambda: cut_connections(stack)))
        report = asyncio.run(restarts.run(OPTIONS, stack, chosen))
    check(report, stack)
    assert len(report.figures["disruptions"]) == len(chosen)


def test_streams_and_calls_at_once_end_without_an_error(database: Database):
    with running_stack(Plan(has_envoy=False, has_demo=False), database) as stack:
        report = asyncio.run(load.run(OPTIONS, stack))
    check(report, stack)
    assert report.figures["calls"] == OPTIONS.rate * OPTIONS.seconds
    assert report.figures["streams open"] == OPTIONS.streams


@pytest.mark.skipif(not IS_KNOWN, reason="only Linux tells how much memory a process has")
def test_clients_that_do_not_read_cost_a_bounded_memory(database: Database):
    plan = Plan(1, has_envoy=False, has_demo=False, settings=slow.SETTINGS)
    report = Report("slow")
    with running_stack(plan, database) as stack:
        chosen = [slow.echo_scenario(256 * slow.KIB)]
        asyncio.run(slow.run(stack, {IN_PROCESS: [stack.web]}, OPTIONS, report, chosen))
    check(report, stack)
