"""Checkpoints laid out as the released ones, read by fairseq's own loader."""

from __future__ import annotations

from pathlib import Path
from typing import List, Tuple

import pytest
import torch
from fairseq.checkpoint_utils import load_model_ensemble_and_task
from parity.cases import FORWARD, Case, cases, differences

from data2vec_plugin.models.data2vec_audio import Data2VecAudioModel


def checkpoints() -> List[Tuple[Case, str]]:
    found = cases("official_style_audio*", "official")
    return [(case, path.name) for case in found for path in sorted(case.folder.glob("checkpoint*.pt"))]


@pytest.mark.parametrize(("case", "name"), checkpoints(), ids=str)
def test_released_checkpoint_gives_the_recorded_outputs(case: Case, name: str) -> None:
    path = case.folder / name
    models, _, _ = load_model_ensemble_and_task([str(path)], arg_overrides={"data": str(case.folder)})
    model = models[0].float().eval()
    source, expected = case.tensors("inputs")["source"], case.tensors("expected")
    with torch.no_grad():
        if isinstance(model, Data2VecAudioModel):
            result = model.extract_features(source)
            ours = {"features.x": result["x"]}
            layers = enumerate(result["layer_results"])
            ours.update({f"features.layer.{index}.x": x.transpose(0, 1) for index, (x, _, _) in layers})
        else:
            ours = {"logits": model.get_logits(model(source=source, padding_mask=None))}
    assert set(expected) <= set(ours)
    assert not list(differences(ours, expected, FORWARD))


@pytest.mark.parametrize("case", cases("official_style_audio", "official"), ids=str)
def test_released_teacher_is_restored(case: Case) -> None:
    path = Path(case.folder / "checkpoint.pt")
    models, _, _ = load_model_ensemble_and_task([str(path)], arg_overrides={"data": str(case.folder)})
    saved = torch.load(path, map_location="cpu", weights_only=False)
    teacher = models[0].state_dict()["_ema"]
    for key, value in saved["model"]["_ema"].items():
        assert torch.equal(teacher[key], value), key
    # such a checkpoint owes its teacher the step of the last update
    assert models[0].teacher.num_updates == saved["optimizer_history"][-1]["num_updates"] - 1
