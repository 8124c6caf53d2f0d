"""`data2vec recipes`: the list, the copy and the folder."""

import argparse
from pathlib import Path

import pytest

from data2vec_plugin.cli import recipes
from data2vec_plugin.files import recipe_tree


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    recipes.add_arguments(parser)
    return recipes.run(parser.parse_args([str(argument) for argument in arguments]))


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package folder with a `configs` folder beside it, as in a checkout."""
    module = tmp_path / "data2vec_plugin" / "files" / "recipe_tree.py"
    folder = tmp_path / "configs"
    for name, text in (
        ("audio_base.yaml", "# Pre-trains base.\n#\n# 16 GPUs, 5 days\ntask: {}\n# not this\n"),
        ("run/cpu.yaml", "# @package _global_\n# Two cores, no GPU\ncommon: {cpu: true}\n"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr(recipe_tree, "__file__", str(module))
    return folder


def test_lists_recipes_with_their_first_comment(configs: Path, capsys: pytest.CaptureFixture) -> None:
    assert run() == 0
    said = capsys.readouterr().out
    assert "audio_base\n    Pre-trains base.\n    16 GPUs, 5 days\n" in said
    assert "+run=cpu" in said
    assert "Two cores, no GPU" in said
    assert "not this" not in said
    assert "@package" not in said


def test_copies_the_tree_and_replaces_only_by_force(configs: Path, tmp_path: Path) -> None:
    run("--copy", tmp_path / "mine")
    copied = (tmp_path / "mine/run/cpu.yaml").read_text()
    assert copied == (configs / "run/cpu.yaml").read_text()
    (tmp_path / "mine/audio_base.yaml").write_text("changed")
    with pytest.raises(ValueError, match=r"already has audio_base\.yaml, run/cpu\.yaml.*--force"):
        run("--copy", tmp_path / "mine")
    assert (tmp_path / "mine/audio_base.yaml").read_text() == "changed"
    run("--copy", tmp_path / "mine", "--force")
    assert (tmp_path / "mine/audio_base.yaml").read_text() != "changed"


def test_prints_the_folder_of_the_wheel_first(configs: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    run("--path")
    assert capsys.readouterr().out == f"{configs}\n"
    inside = tmp_path / "data2vec_plugin" / "configs"
    inside.mkdir(parents=True)
    (inside / "audio_base.yaml").touch()
    run("--path")
    assert capsys.readouterr().out == f"{inside}\n"


def test_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe_tree, "__file__", str(tmp_path / "a" / "files" / "recipe_tree.py"))
    with pytest.raises(ValueError, match=r"no recipes in .*install the package again"):
        run("--path")
