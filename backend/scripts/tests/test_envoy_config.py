"""envoy/envoy.yaml as it is, and with the addresses of this machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import envoy_config
from machine import Problem
from tests.envoy_process import program

ADDRESSES = {"admin": "127.0.0.1:1", "edge": "127.0.0.1:2", "web": "127.0.0.1:3", "grpc": "127.0.0.1:4"}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the file, which is used instead of it."""
    copy = tmp_path / "envoy.yaml"
    copy.write_text(envoy_config.CONFIG.read_text())
    monkeypatch.setattr(envoy_config, "CONFIG", copy)
    return copy


def sockets(text: str) -> list[str]:
    """Gives the addresses in a configuration in their order."""
    return [f"{host}:{port}" for host, port in envoy_config.SOCKET.findall(text)]


def test_every_address_is_replaced_and_nothing_else():
    text = envoy_config.configuration(**ADDRESSES, in_process="127.0.0.1:5")
    assert sockets(text) == [f"127.0.0.1:{port}" for port in (1, 2, 5, 3, 4)]
    before, after = envoy_config.CONFIG.read_text().splitlines(), text.splitlines()
    assert sum(one != other for one, other in zip(before, after, strict=True)) == len(envoy_config.PLACES)


def test_the_plain_listener_may_be_left_out():
    text = envoy_config.configuration(**ADDRESSES)
    assert sockets(text) == [f"127.0.0.1:{port}" for port in (1, 2, 3, 4)]
    assert "in_process" not in text.partition("static_resources:")[2]
    assert "  clusters:\n    - name: web\n" in text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("port_value: 9901", "port_value: 9902"),
        ("{ address: web, port_value: 8000 }", "{ address: web.internal, port_value: 8000 }"),
        ("{ address: grpc, port_value: 50051 }", "{address: grpc, port_value: 50051}"),
        ("  clusters:\n", "  clusters: # those that are called\n"),
        ("    - name: in_process\n", "    - name: plain\n"),
    ],
)
def test_a_file_that_was_changed_is_a_problem(file: Path, old: str, new: str):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(Problem, match="change"):
        envoy_config.configuration(**ADDRESSES)


@pytest.mark.parametrize("in_process", ["", "127.0.0.1:5"])
def test_envoy_takes_it(tmp_path: Path, in_process: str):
    file = tmp_path / "envoy.yaml"
    file.write_text(envoy_config.configuration(**ADDRESSES, in_process=in_process))
    check = [*envoy_config.command(program(), file), "--mode", "validate"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search("deprecated", done.stderr, re.IGNORECASE) is None


def test_envoy_takes_it_as_compose_has_it():
    done = subprocess.run(
        [*envoy_config.command(program(), envoy_config.CONFIG), "--mode", "validate"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_admin_is_for_this_machine_alone():
    (admin,) = re.findall(r"^admin:\n(?:  .*\n)+", envoy_config.CONFIG.read_text(), re.MULTILINE)
    assert sockets(admin) == ["127.0.0.1:9901"]
