"""envoy/envoy.yaml with addresses of this machine in place of those of docker compose, and the command that runs it.

Standard library only, and no syntax newer than Python 3.7, as in `machine`.
"""

import re
import shutil
from pathlib import Path

from machine import Problem
from steps import ROOT, VENV

CONFIG = ROOT / "envoy" / "envoy.yaml"

# Where the file listens and whom it calls, as compose has it.
PLACES = {
    "admin": ("127.0.0.1", "9901"),
    "edge": ("0.0.0.0", "8080"),  # noqa: S104
    "in_process": ("0.0.0.0", "8000"),  # noqa: S104
    "web": ("web", "8000"),
    "grpc": ("grpc", "50051"),
}
SOCKET = re.compile(r"socket_address: \{ address: (\S+), port_value: (\d+) \}")
# The second listener, up to what follows the listeners.
IN_PROCESS = re.compile(r"\n    - name: in_process\n.*?(?=\n  clusters:\n)", re.DOTALL)


def configuration(admin: str, edge: str, web: str, grpc: str, in_process: str = "") -> str:
    """The text of the file with these addresses, each as HOST:PORT; without the listener `in_process` if it has none.

    Raises Problem for a file in which the places to replace are not what they were.
    """
    wanted = {"admin": admin, "edge": edge, "in_process": in_process, "web": web, "grpc": grpc}
    text = CONFIG.read_text()
    if sorted(SOCKET.findall(text)) != sorted(PLACES.values()) or text.count("socket_address") != len(PLACES):
        raise Problem(f"{CONFIG} has other addresses than envoy_config.PLACES: change both")
    if not in_process:
        text, count = IN_PROCESS.subn("", text)
        if count != 1:
            raise Problem(f"{CONFIG} has no listener in_process before its clusters: change envoy_config.IN_PROCESS")
    names = {place: name for name, place in PLACES.items()}

    def replaced(found) -> str:
        host, _, port = wanted[names[found.groups()]].rpartition(":")
        return f"socket_address: {{ address: {host}, port_value: {port} }}"

    return SOCKET.sub(replaced, text)


def program() -> str:
    """Envoy as `make envoy` has installed it, or as it is on the PATH. An empty text where there is none."""
    installed = VENV / "bin" / "envoy"
    return str(installed) if installed.exists() else shutil.which("envoy") or ""


def command(envoy: str, file: Path, flush_ms: int = 1000) -> list:
    """The command that runs Envoy with this file. `flush_ms` is how often the access log is written."""
    flush = ("--file-flush-interval-msec", flush_ms)
    return [str(word) for word in (envoy, "-c", file, "--log-level", "warning", "--disable-hot-restart", *flush)]
