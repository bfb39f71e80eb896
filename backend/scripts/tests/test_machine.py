"""What `make demo` says about a machine that lacks something: always one line, never a traceback."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

import machine

SCRIPTS = Path(machine.__file__).parent


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An empty PATH and a function that puts a program on it, which prints the given text."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("PYTHON", raising=False)

    def add(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\necho '{text}'\n")
        path.chmod(0o755)
        return path

    return add


def test_the_first_new_enough_python_is_taken(programs):
    programs("python3", "3 9")
    programs("python3.13", "3 13")
    programs("python3.12", "3 12")
    assert machine.find_python() == "python3.13"


def test_a_python_that_is_named_is_taken(programs, monkeypatch):
    programs("python3", "3 12")
    named = programs("mine", "3 11")
    monkeypatch.setenv("PYTHON", str(named))
    assert machine.find_python() == str(named)


def test_an_old_python_is_named_in_the_complaint(programs, monkeypatch):
    programs("python3", "3 9")
    monkeypatch.setattr(sys, "executable", "/nowhere/python3")
    with pytest.raises(machine.Problem, match=r"^Python 3\.11 or newer is needed, this is 3\.9 \(python3\)$"):
        machine.find_python()


def test_an_old_python_that_is_named_is_not_replaced_by_another(programs, monkeypatch):
    programs("python3", "3 12")
    monkeypatch.setenv("PYTHON", str(programs("old", "3 9")))
    with pytest.raises(machine.Problem, match=r"this is 3\.9"):
        machine.find_python()


def test_a_python_that_is_not_there(programs, monkeypatch):
    monkeypatch.setenv("PYTHON", "no-such-python")
    with pytest.raises(machine.Problem, match=r"and no-such-python cannot be run$"):
        machine.find_python()


@pytest.mark.parametrize("version", ["v20.0.0", "v22.11.0", "v24.1.0-nightly"])
def test_node_that_is_new_enough(programs, version: str):
    programs("node", version)
    programs("npm", "11.0.0")
    machine.check_node()


def test_node_that_is_too_old(programs):
    programs("node", "v18.20.4")
    with pytest.raises(machine.Problem, match=r"^Node 20 or newer is needed, this is 18\.20\.4$"):
        machine.check_node()


def test_no_node(programs):
    with pytest.raises(machine.Problem, match="no node was found"):
        machine.check_node()


def test_no_npm(programs):
    programs("node", "v20.0.0")
    with pytest.raises(machine.Problem, match=r"^npm is needed"):
        machine.check_node()


def test_python_without_venv(programs):
    broken = programs("python3", "")
    with pytest.raises(machine.Problem, match="python3-venv"):
        machine.check_venv_module(str(broken))


def test_python_with_venv():
    machine.check_venv_module(sys.executable)


@pytest.mark.parametrize("text", ["http", "-1", "0", "65536", "8000.5", "١٢٣", "8000 "])
def test_what_is_no_port_number(monkeypatch, text: str):
    monkeypatch.setenv("PORT", text)
    with pytest.raises(machine.Problem, match="PORT must be a number"):
        machine.free_port()


@pytest.mark.parametrize("command", ["demo", "grpc"])
def test_a_busy_port_is_refused_and_a_freed_one_is_taken(monkeypatch, command: str):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        with pytest.raises(
            machine.Problem, match=rf"^port {port} is in use; choose another one: make {command} PORT={port + 1}$"
        ):
            machine.free_port(command)
    assert machine.free_port(command) == port


@pytest.mark.parametrize("command", ["demo", "grpc"])
def test_a_problem_is_one_line_and_an_exit_code(monkeypatch, command: str):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("PORT", str(server.getsockname()[1]))
        done = subprocess.run(
            [sys.executable, SCRIPTS / "project.py", command], capture_output=True, text=True, timeout=30, check=False
        )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "is in use" in done.stderr


@pytest.mark.parametrize(
    ("system", "libc", "release", "processor", "has_one"),
    [
        ("linux", "glibc", "", "x86_64", True),
        ("linux", "glibc", "", "aarch64", True),
        ("linux", "glibc", "", "riscv64", False),
        ("linux", "", "", "x86_64", False),  # musl
        ("darwin", "", "15.1", "arm64", True),
        ("darwin", "", "14.7.1", "arm64", False),
        ("darwin", "", "15.1", "x86_64", False),
        ("win32", "", "", "AMD64", False),
    ],
)
def test_where_envoy_comes_as_a_wheel(monkeypatch, system, libc, release, processor, has_one):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(machine.platform, "libc_ver", lambda: (libc, "2.40"))
    monkeypatch.setattr(machine.platform, "mac_ver", lambda: (release, ("", "", ""), processor))
    monkeypatch.setattr(machine.platform, "machine", lambda: processor)
    assert machine.has_envoy_wheel() is has_one
