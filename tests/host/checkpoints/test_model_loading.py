"""fairseq's commands, asked for a model that nobody here can build."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from fairseq import checkpoint_utils
from features.made import speech_checkpoint, text_checkpoint
from models.tiny_text import trainer_state

from data2vec_plugin.models.data2vec_text import Data2VecTextModel

TASK = {"_name": "audio_pretraining", "data": "gone"}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            trainer_state({"model": {"_name": "my_own"}, "task": TASK}, {}),
            r"of model `my_own`; neither fairseq nor `common\.user_dir` has a model `my_own`",
        ),
        ({"model": {"blocks.0.x": torch.ones(1), "patch_embed.proj.weight": torch.ones(1)}}, "BEiT's weights"),
        ({"fc.weight": torch.ones(1)}, "1 weights without a configuration"),
    ],
)
def test_what_it_is_is_told(tmp_path: Path, state: Dict[str, Any], words: str) -> None:
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(ValueError, match=rf"model\.pt: it is {words}"):
        checkpoint_utils.load_model_ensemble([str(tmp_path / "model.pt")])


def test_folders_of_hugging_face_are_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "data2vec-text"}')
    with pytest.raises(ValueError, match="a Hugging Face folder of `data2vec-text`"):
        checkpoint_utils.load_model_ensemble([str(tmp_path)])


def test_other_errors_stay_themselves(tmp_path: Path) -> None:
    speech_checkpoint(tmp_path / "model.pt", ema_anneal_end_step=10, max_update=10)
    state = torch.load(tmp_path / "model.pt", weights_only=False)
    del state["model"]["mask_emb"]
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "mask_emb"'):
        checkpoint_utils.load_model_ensemble([str(tmp_path / "model.pt")])
    with pytest.raises(OSError, match="Model file not found"):
        checkpoint_utils.load_model_ensemble([str(tmp_path / "none.pt")])


def test_a_text_models_dictionary_may_lie_beside_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """`task.data` is a path of another machine."""
    text_checkpoint(tmp_path / "model.pt")
    models, _ = checkpoint_utils.load_model_ensemble([str(tmp_path / "model.pt")])
    assert isinstance(models[0], Data2VecTextModel)
    assert f"gone/dict.txt is missing: using {tmp_path / 'dict.txt'}" in caplog.text
    (tmp_path / "dict.txt").unlink()
    with pytest.raises(OSError, match=r"gone/dict\.txt, the dictionary with which .*model\.pt was trained, is missing"):
        checkpoint_utils.load_model_ensemble([str(tmp_path / "model.pt")])
    with pytest.raises(OSError, match=r"No such file or directory: 'mine/dict\.txt'"):
        checkpoint_utils.load_model_ensemble([str(tmp_path / "model.pt")], {"data": "mine"})
