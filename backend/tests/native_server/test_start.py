"""How a server starts, or says why it cannot."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.databases import Database
from tests.native_server.client import call, open_channel
from tests.native_server.process import running_rungrpc, start_rungrpc, wait_for
from tests.servers import HOST, START_SECONDS

FREE = f"{HOST}:0"


def test_it_listens_on_all_addresses_and_says_which(tmp_path: Path, migrated: Database) -> None:
    socket_path = tmp_path / "s"
    with running_rungrpc(tmp_path, database=migrated, bind=(FREE, FREE, f"unix:{socket_path}")) as server:
        first, second, third = server.addresses
        assert first != second
        assert third == f"unix:{socket_path}"
        for address in server.addresses:
            with open_channel(address) as channel:
                assert call(channel, "Pid") == str(server.process.pid)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_address_that_is_taken_is_an_error(tmp_path: Path, migrated: Database, workers: str) -> None:
    with running_rungrpc(tmp_path, "--workers", "2", database=migrated) as server:
        directory = tmp_path / "second"
        directory.mkdir()
        second = start_rungrpc(directory, "--workers", workers, database=migrated, bind=server.addresses)
        assert second.process.wait(START_SECONDS) == 1
        assert f"cannot listen on {server.address}" in second.log


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--tls-cert", "/no/such/file"), "--tls-cert and --tls-key belong together"),
        (("--tls-cert", "/no/such/file", "--tls-key", "/no/such/file"), "a file that cannot be read"),
        (("--tls-cert", "manage.py", "--tls-key", "manage.py"), "cannot listen on"),
    ],
)
def test_what_is_wrong_with_tls(
    tmp_path: Path, migrated: Database, arguments: tuple[str, ...], text: str, workers: str
) -> None:
    server = start_rungrpc(tmp_path, *arguments, "--workers", workers, database=migrated)
    assert server.process.wait(START_SECONDS) == 1
    assert text in server.log
    assert server.addresses == []


def test_settings_that_are_wrong_are_an_error(tmp_path: Path, migrated: Database) -> None:
    server = start_rungrpc(tmp_path, database=migrated, settings="config.settings.prod")
    assert server.process.wait(START_SECONDS) == 1
    assert "DJANGO_SECRET_KEY" in server.log


def test_a_port_may_be_taken_again_at_once(tmp_path: Path, migrated: Database) -> None:
    with running_rungrpc(tmp_path, database=migrated) as server:
        address = server.address
        with open_channel(address) as channel:
            assert call(channel, "Pid")
            assert server.stop() == 0
    again = tmp_path / "again"
    again.mkdir()
    with running_rungrpc(again, database=migrated, bind=[address]) as server, open_channel(address) as channel:
        assert call(channel, "Pid") == str(server.process.pid)


def test_it_starts_anew_when_code_changes(tmp_path: Path, migrated: Database) -> None:
    (tmp_path / "changing").mkdir()
    for name, text in {
        "changing/__init__.py": "",
        "changing/rpc.py": "def register(server): pass\n",
        "changing_settings.py": "from tests.native_server.settings import *\n"
        "INSTALLED_APPS = [*INSTALLED_APPS, 'changing']\n",
    }.items():
        (tmp_path / name).write_text(text)
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    with (
        running_rungrpc(
            tmp_path,
            "--reload",
            database=migrated,
            settings="changing_settings",
            bind=[f"{HOST}:{port}"],
            environment={"PYTHONPATH": str(tmp_path)},
            faults=(),
        ) as server,
        open_channel(server.address) as channel,
    ):
        before = call(channel, "Pid")

        def has_restarted() -> bool:
            # Until it has looked at the file for the first time it notices no change.
            (tmp_path / "changing" / "rpc.py").write_text("def register(server): print('changed', flush=True)\n")
            return len(server.addresses) > 1

        wait_for(server, has_restarted)
        assert "changed" in server.log
        assert call(channel, "Pid", wait_for_ready=True) != before
