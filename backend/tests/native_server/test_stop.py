"""How a server ends: what is open may end, what will not is told so, and nothing keeps the process."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from grpc_bridge.shutdown import FIRST_MS, MESSAGE, PUSHBACK, SPREAD_MS
from tests.databases import Database
from tests.native_server.client import NOT_SERVING, SERVING, health, open_channel, stream, watch_health
from tests.native_server.process import running_rungrpc
from tests.servers import STOP_SECONDS

LONG = "1000"


def assert_refuses(address: str) -> None:
    with open_channel(address) as channel, pytest.raises(grpc.RpcError) as caught:
        stream(channel, "WaitForFile")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def assert_unavailable(running: grpc.Call) -> None:
    """Checks that the caller has been told to call again, and when."""
    with pytest.raises(grpc.RpcError):
        next(running)  # type: ignore[call-overload]
    assert (running.code(), running.details()) == (grpc.StatusCode.UNAVAILABLE, MESSAGE)
    ((key, value),) = running.trailing_metadata() or ()
    assert key == PUSHBACK
    assert FIRST_MS <= int(value) < FIRST_MS + SPREAD_MS


@pytest.mark.parametrize("workers", ["1", "2"])
def test_calls_that_are_open_may_end(tmp_path: Path, migrated: Database, workers: str) -> None:
    with (
        running_rungrpc(tmp_path, "--grace", LONG, "--workers", workers, database=migrated) as server,
        open_channel(server.address) as channel,
    ):
        running = stream(channel, "WaitForFile", str(tmp_path / "go"))
        watch = watch_health(channel)
        wait_until_serving(watch)
        server.process.send_signal(signal.SIGTERM)
        assert next(watch).status == NOT_SERVING
        assert_unavailable(watch)
        assert_refuses(server.address)
        (tmp_path / "go").touch()
        assert [message.value for message in running] == ["done"]
        assert running.code() is grpc.StatusCode.OK
        assert server.process.wait(STOP_SECONDS) == 0


@pytest.mark.parametrize("method", ["WaitForFile", "WaitForEver"])
def test_calls_that_do_not_end_get_unavailable(tmp_path: Path, migrated: Database, method: str) -> None:
    with (
        running_rungrpc(tmp_path, "--grace", "0.1", database=migrated) as server,
        open_channel(server.address) as channel,
    ):
        running = stream(channel, method, str(tmp_path / "never"))
        server.process.send_signal(signal.SIGTERM)
        assert_unavailable(running)
        assert server.process.wait(STOP_SECONDS) == 0
        assert "1 calls were still open" in server.log


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_second_signal_ends_the_waiting(tmp_path: Path, migrated: Database, workers: str) -> None:
    with (
        running_rungrpc(tmp_path, "--grace", LONG, "--workers", workers, database=migrated) as server,
        open_channel(server.address) as channel,
    ):
        running, watch = stream(channel, "WaitForFile", str(tmp_path / "never")), watch_health(channel)
        wait_until_serving(watch)
        server.process.send_signal(signal.SIGINT)
        assert NOT_SERVING in (message.status for message in watch_until_end(watch))
        server.process.send_signal(signal.SIGINT)
        assert_unavailable(running)
        assert server.process.wait(STOP_SECONDS) == 0


def wait_until_serving(watch: Iterator[Any]) -> None:
    """A moment after the start it is so."""
    while next(watch).status != SERVING:
        """Not yet."""


def watch_until_end(watch: grpc.Call) -> list[object]:
    """Gives all that a watcher was told."""
    told: list[object] = []
    with pytest.raises(grpc.RpcError):
        told.extend(iter(watch))  # type: ignore[call-overload]
    return told


def test_calls_come_in_while_health_says_that_it_ends(tmp_path: Path, migrated: Database) -> None:
    with (
        running_rungrpc(tmp_path, "--unready", LONG, "--grace", LONG, database=migrated) as server,
        open_channel(server.address) as channel,
    ):
        watch = watch_health(channel)
        server.process.send_signal(signal.SIGTERM)
        while next(watch).status != NOT_SERVING:
            """It may have been SERVING before."""
        with open_channel(server.address) as another:
            assert health(another) == NOT_SERVING
            stream(another, "WaitForFile", str(tmp_path / "never")).cancel()
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < STOP_SECONDS


def test_the_log_says_how_calls_ended(tmp_path: Path, migrated: Database) -> None:
    with (
        running_rungrpc(tmp_path, "--grace", "0", database=migrated) as server,
        open_channel(server.address) as channel,
    ):
        running = stream(channel, "WaitForFile", str(tmp_path / "never"))
        server.stop()
        assert_unavailable(running)
        assert "method=/native.Lab/WaitForFile peer=ipv4:127.0.0.1:" in server.log
        assert " status=UNAVAILABLE " in server.log
