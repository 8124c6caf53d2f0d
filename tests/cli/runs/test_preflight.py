"""What `data2vec preflight` is given."""

from typing import Any, List

import pytest

from data2vec_plugin.cli.main import main


@pytest.mark.parametrize("words", [[], ["model.pt"], ["task.data=data", "model.pt"]])
def test_neither_a_recipe_nor_a_checkpoint_and_a_manifest(words: List[str], capsys: Any) -> None:
    assert main(["preflight", *words]) == 1
    assert "expected --config-name RECIPE and overrides" in capsys.readouterr().err
