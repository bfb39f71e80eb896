"""Finds a Chromium for the browser tests, or installs one, and prints the path of its executable.

Order: what $CHROMIUM names, what is on the PATH, Playwright's own, Debian's package. Of each kind the headless shell
comes first: it draws the same pages at half the cost, but has no window, so `--headed` needs CHROMIUM to name a whole
browser. With --shell, Debian's package of the shell is installed beside another browser where that can be done. All
else that is said goes to standard error. Runs with the project's own Python, after its development requirements are
installed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = (
    "chromium-headless-shell",
    "chrome-headless-shell",
    "chromium",
    "google-chrome",
    "google-chrome-stable",
    "chromium-browser",
)
SHELL = NAMES[0]
PACKAGES = (SHELL, "chromium")
"""Debian's, the first that there is."""

# Playwright's download tries several mirrors, several times each; behind a closed network that takes its time.
DOWNLOAD_ENVIRONMENT = {"PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": "10000"}


def works(executable: str) -> bool:
    """Whether this browser starts here: one without its system libraries does not."""
    quiet = subprocess.DEVNULL
    try:
        command = [executable, "--version"]
        return subprocess.run(command, stdout=quiet, stderr=quiet, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def on_path() -> str | None:
    """The first browser on the PATH that works."""
    return next((path for path in map(shutil.which, NAMES) if path and works(path)), None)


def playwrights_own() -> str | None:
    """Playwright's browser, if it was downloaded and works."""
    with sync_playwright() as playwright:
        whole = Path(playwright.chromium.executable_path)
    return next((str(path) for path in (*shells_beside(whole), whole) if path.exists() and works(str(path))), None)


def shells_beside(whole: Path) -> list[Path]:
    """The headless shell of the same version as a whole browser, in the folder beside that one's."""
    folder = next((folder for folder in whole.parents if folder.name.startswith("chromium-")), None)
    if folder is None:
        return []
    version = folder.name.removeprefix("chromium-")
    return sorted(folder.parent.glob(f"chromium_headless_shell-{version}/*/*headless?shell"))


def run(*command: str) -> bool:
    """Runs a program with its output on standard error. Gives whether it succeeded."""
    print("==>", *command, file=sys.stderr, flush=True)
    environment = os.environ | DOWNLOAD_ENVIRONMENT | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, stdout=sys.stderr, stdin=subprocess.DEVNULL, env=environment, check=False)
    return done.returncode == 0


def install() -> str | None:
    """Installs a browser in one of the two ways that can be tried here."""
    if run(sys.executable, "-m", "playwright", "install", "chromium") and (path := playwrights_own()):
        return path
    install_package(*PACKAGES)
    return on_path()


def install_package(*names: str) -> None:
    """Installs the first of these packages that there is, on Debian and as root; elsewhere nothing."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        run("apt-get", "update", "-q")
        install = ("apt-get", "install", "-q", "-y", "--no-install-recommends", "fonts-liberation")
        any(run(*install, name) for name in names)


def main() -> None:
    """Prints the path, or exits with one line that says what to do."""
    named = os.environ.get("CHROMIUM")
    if named and not works(named):
        sys.exit(f"CHROMIUM names no browser that starts: {named}")
    if "--shell" in sys.argv[1:] and not named and not shutil.which(SHELL):
        install_package(SHELL)
    path = named or on_path() or playwrights_own() or install()
    if not path:
        sys.exit("the browser tests need a Chromium: install one, or name its executable in CHROMIUM")
    print(path)


if __name__ == "__main__":
    main()
