"""Which browser the browser tests get."""

from __future__ import annotations

from pathlib import Path

import pytest

import browser


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An empty PATH and a function that puts a program on it, which ends with the given code."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)

    def add(name: str, code: int = 0) -> str:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\nexit {code}\n")
        path.chmod(0o755)
        return str(path)

    return add


@pytest.fixture
def found(capsys):
    """What `main` prints."""

    def run() -> str:
        browser.main()
        return capsys.readouterr().out.strip()

    return run


@pytest.fixture
def nothing_can_be_installed(monkeypatch):
    monkeypatch.setattr(browser, "playwrights_own", lambda: None)
    monkeypatch.setattr(browser, "install", lambda: None)


def test_the_browser_that_is_named_comes_first(programs, found, monkeypatch):
    programs("chromium")
    named = programs("mine")
    monkeypatch.setenv("CHROMIUM", named)
    assert found() == named


def test_a_named_browser_that_does_not_start_is_not_replaced(programs, found, monkeypatch):
    programs("chromium")
    monkeypatch.setenv("CHROMIUM", "/no/such/browser")
    with pytest.raises(SystemExit, match="CHROMIUM names no browser that starts: /no/such/browser"):
        found()


def test_the_first_on_the_path_that_starts_is_taken(programs, found):
    programs("chromium", code=127)
    working = programs("google-chrome")
    assert found() == working


def test_playwrights_own_is_taken_when_there_is_none_on_the_path(programs, found, monkeypatch):
    own = programs("downloaded")
    monkeypatch.setattr(browser, "playwrights_own", lambda: own)
    assert found() == own


def test_a_headless_shell_is_taken_before_a_whole_browser(programs, found):
    programs("chromium")
    shell = programs("chromium-headless-shell")
    assert found() == shell


@pytest.mark.parametrize(
    ("shell", "is_found"),
    [
        ("chromium_headless_shell-1255/chrome-headless-shell-linux64/chrome-headless-shell", True),
        ("chromium_headless_shell-1255/chrome-linux/headless_shell", True),
        ("chromium_headless_shell-1187/chrome-linux/headless_shell", False),
    ],
)
def test_playwrights_shell_is_the_one_of_its_browsers_version(tmp_path, shell, is_found):
    path = tmp_path / shell
    path.parent.mkdir(parents=True)
    path.touch()
    whole = tmp_path / "chromium-1255" / "chrome-mac" / "Chromium.app" / "Contents" / "MacOS" / "Chromium"
    assert browser.shells_beside(whole) == ([path] if is_found else [])


def test_debians_package_is_installed_when_the_download_fails(programs, monkeypatch):
    """Of the shell, or of the whole browser where there is none of the shell."""
    calls: list[str] = []

    def run(*command: str) -> bool:
        calls.append(f"{command[1]} {command[-1]}" if command[0] == "apt-get" else "download")
        if command[-1] == "chromium":
            programs("chromium")
        return command[-1] in ("-q", "chromium")

    programs("apt-get")
    monkeypatch.setattr(browser, "run", run)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    path = browser.install()
    assert path is not None
    assert Path(path).name == "chromium"
    assert calls == ["download", "update -q", "install chromium-headless-shell", "install chromium"]


def test_who_is_not_root_is_not_asked_for_a_package(programs, monkeypatch):
    programs("apt-get")
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(browser, "run", lambda *command: calls.append(command))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert browser.install() is None
    assert len(calls) == 1


@pytest.mark.usefixtures("programs", "nothing_can_be_installed")
def test_without_any_browser_one_line_says_what_to_do(found):
    with pytest.raises(SystemExit, match="name its executable in CHROMIUM"):
        found()
