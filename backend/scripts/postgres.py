"""Runs a command with a PostgreSQL: `postgres.py COMMAND ARGUMENT...` gives it DATABASE_URL in its environment.

If DATABASE_URL is set already, that server is used. Otherwise one is started in a temporary directory, on a free port
of 127.0.0.1, from the programs of an installed package, and ended and deleted after the command.

`postgres.py --install` runs no command. It installs Debian's package if it has to and may, and fails if there is no
PostgreSQL after that.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HOST = "127.0.0.1"
USER = "postgres"
ADVICE = """\
No PostgreSQL was found. Either name a server whose user may create databases:
    DATABASE_URL=postgresql://user:password@host:5432/name make test-postgres
or install one, which needs no configuration and is not left running:
    apt-get install postgresql    (Debian, Ubuntu)
    brew install postgresql       (macOS)"""

CLUSTERS = Path("/etc/postgresql-common/createcluster.conf")
"""Where Debian's package is told what to do when it is installed."""

# What makes a database that is thrown away fast.
OPTIONS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "200"}


def programs() -> Path | None:
    """The folder with the newest initdb and postgres: Debian keeps them off the PATH."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    if found:
        return max(found, key=lambda path: [int(part) for part in re.findall(r"\d+", path.parent.name)])
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def install() -> None:
    """Installs the package as root, without what Debian makes of it by itself: a database that runs all the time."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    get = ("apt-get", "install", "-q", "-y", "--no-install-recommends")
    for command in (("apt-get", "update", "-q"), (*get, "postgresql-common")):
        print("==>", *command, flush=True)
        run(*command)
    with CLUSTERS.open("a") as settings:
        settings.write("\n# For tests, which start servers of their own.\ncreate_main_cluster = false\n")
    print("==>", *get, "postgresql", flush=True)
    run(*get, "postgresql")


def as_owner(*command: object) -> list[str]:
    """The command as the one who owns the database's files: PostgreSQL refuses to run as root."""
    words = [str(word) for word in command]
    return ["runuser", "-u", USER, "--", *words] if os.geteuid() == 0 else words


def free_port() -> int:
    """A port that nobody listens on now. PostgreSQL cannot be handed a socket, so somebody might be faster."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def run(*command: str) -> None:
    """Runs a program in silence. Raises SystemExit with its output when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(f"failed with exit code {done.returncode}: {' '.join(command)}\n{done.stdout}{done.stderr}")


@contextlib.contextmanager
def running(bin_dir: Path) -> Iterator[str]:
    """Starts a server with an empty database and gives its URL. Afterwards nothing of it is left."""
    directory = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(directory, USER)
        data, log, port = directory / "data", directory / "log", free_port()
        run(*as_owner(bin_dir / "initdb", "-D", data, "-U", USER, "--auth=trust", "--encoding=UTF8", "--no-sync"))
        options = OPTIONS | {"listen_addresses": HOST, "port": str(port), "unix_socket_directories": str(directory)}
        words = " ".join(f"-c {name}={value}" for name, value in options.items())
        control = as_owner(bin_dir / "pg_ctl", "-D", data, "-l", log, "-o", words, "--silent", "-w")
        try:
            run(*control, "start")
            yield f"postgresql://{USER}@{HOST}:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], stdin=subprocess.DEVNULL, check=False)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def run_with(url: str, command: list[str]) -> int:
    """Runs the command with this DATABASE_URL and gives its exit code."""
    print(f"==> {' '.join(command)} on PostgreSQL", flush=True)
    process = subprocess.Popen(command, env=os.environ | {"DATABASE_URL": url})
    try:
        while True:
            # Ctrl-C reaches the command as well, and the server is ended when the command has been.
            with contextlib.suppress(KeyboardInterrupt):
                return process.wait()
    finally:
        if process.poll() is None:  # somebody ends this program alone
            process.terminate()
            process.wait()


def main() -> int:
    """Runs the command that the arguments are. Gives the exit code."""
    command = sys.argv[1:]
    if not command:
        sys.exit(__doc__)
    if command == ["--install"]:
        if programs() is None:
            install()
        return 0 if programs() else 1
    if url := os.environ.get("DATABASE_URL"):
        return run_with(url, command)
    bin_dir = programs()
    if bin_dir is None:
        sys.exit(ADVICE)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with running(bin_dir) as url:
        return run_with(url, command)


if __name__ == "__main__":
    sys.exit(main())
