"""What examples/imagenet says of tar archives, on a small tree of the official layout."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torchvision")

from images import write_tree
from speech import ROOT

from data2vec_plugin.data.image.split import open_split

README = (ROOT / "examples" / "imagenet" / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree, and the archives that the README's own lines make of it, no more than five pictures in one."""
    folder = tmp_path_factory.mktemp("work")
    write_tree(folder / "imagenet" / "train", {"n01440764": 5, "n01443537": 4, "n01484850": 3})
    write_tree(folder / "imagenet" / "val", {"n01440764": 1, "n01443537": 1, "n01484850": 2})
    code = re.search(r"```python\n(.+?)```", README, re.DOTALL)
    assert code is not None
    subprocess.run([sys.executable, "-c", code[1].replace("10_000", "5")], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize(("split", "archives"), [("train", 3), ("val", 1)])
def test_archives_hold_the_pictures_and_the_classes_of_the_folders(folder: Path, split: str, archives: int) -> None:
    tree, shards = (open_split(folder / name, split, labelled=True) for name in ("imagenet", "shards"))
    assert shards.extent()[0] == archives
    assert shards.classes == tree.classes
    assert tree.labels is not None
    assert shards.labels is not None
    left, right = (
        sorted((source.read(index), label) for index, label in enumerate(source.labels)) for source in (tree, shards)
    )
    assert left == right
