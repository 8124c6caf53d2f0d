"""What upstream, in a process of its own, makes of its checkpoints and of ours."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from host.bare_trainer import save
from host.upstream import EXAMPLES, SAVED, SECTIONS, run_upstream, train, trainer

from data2vec_plugin.host.training.trainer import Data2VecTrainer


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of its files; ours are ``*_ours.pt`` among them."""
    if (EXAMPLES / "data" / "mae_finetuning_image_dataset.py").exists() and find_spec("timm") is None:
        pytest.skip("fairseq main's examples do not start without timm, whatever is asked of them")  # B17
    folder = tmp_path_factory.mktemp("upstream")
    for kind in SECTIONS:
        run = trainer(kind, Data2VecTrainer)
        train(run, kind, range(SAVED))
        save(run, str(folder / f"{kind}_ours.pt"))
    run_upstream(folder)
    return folder
