"""Checkpoints laid out as the released ones, in every way that they are found, read by fairseq's own loader."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
import torch
from fairseq.checkpoint_utils import load_model_ensemble_and_task
from fairseq.tasks import FairseqTask
from parity import multi_models, text_models, vision_models
from parity.cases import FORWARD, Case, Tensors, below, cases, differences

from data2vec_plugin.models.data2vec_audio import Data2VecAudioModel
from data2vec_plugin.models.multi.data2vec_multi import Data2VecMultiModel


def checkpoints(*patterns: str) -> List[Tuple[Case, str]]:
    found = [case for pattern in patterns for case in cases(pattern, "official")]
    return [(case, path.name) for case in found for path in sorted(case.folder.glob("checkpoint*.pt"))]


@torch.no_grad()
def outputs(model: Any, case: Case) -> Tensors:
    """Everything that is recorded of a checkpoint, whatever it is of."""
    inputs = case.tensors("inputs")
    if isinstance(model, Data2VecMultiModel):
        found = multi_models.features(model, inputs)
        same = found["features.x"].shape == case.tensors("expected")["features.x"].shape
        return found if same else multi_models.features(model, inputs, remove_extra=True)
    if "src_tokens" in inputs:
        return text_models.features(model, inputs["src_tokens"])
    if "img" in inputs:
        return vision_models.features(model, inputs["img"])
    if not isinstance(model, Data2VecAudioModel):
        return {"logits": model.get_logits(model(source=inputs["source"], padding_mask=None))}
    result = model.extract_features(inputs["source"])
    layers = {f"features.layer.{i}.x": x.transpose(0, 1) for i, (x, _, _) in enumerate(result["layer_results"])}
    return {"features.x": result["x"], **layers}


def load(case: Case, path: Path) -> Any:
    """The model, by fairseq's own loader; what pictures there are does not matter to one."""
    pictures = any(word in str(case) for word in ("vision", "image"))
    task = FairseqTask(None) if pictures else None
    models, _, _ = load_model_ensemble_and_task([str(path)], arg_overrides={"data": str(case.folder)}, task=task)
    return models[0].float()


def check(case: Case, path: Path) -> None:
    """The recorded outputs; those of a file in half precision may have a record of their own."""
    own = case.folder / f"expected{path.stem.removeprefix('checkpoint')}.safetensors"
    expected = case.tensors(own.stem if own.exists() else "expected")
    expected = {key: value for key, value in expected.items() if not key.startswith("pretraining.")}
    ours = outputs(load(case, path).eval(), case)
    assert set(expected) <= set(ours)
    padding_mask = expected.get("features.padding_mask")
    if padding_mask is not None:  # the reference computes what nobody reads
        for values in (ours, expected):
            for key in (
                key for key in values if values[key].shape[:2] == padding_mask.shape and values[key].dim() == 3
            ):
                values[key] = values[key].masked_fill(padding_mask.unsqueeze(-1), 0)
    assert not list(differences(ours, expected, FORWARD))


@pytest.mark.parametrize(("case", "name"), checkpoints("official_style_audio*", "official_style_v2_*"), ids=str)
def test_released_checkpoint_gives_the_recorded_outputs(case: Case, name: str) -> None:
    check(case, case.folder / name)


@pytest.mark.parametrize("case", cases("official_style_v2_*", "official"), ids=str)
def test_released_checkpoint_goes_on_with_pre_training(case: Case) -> None:
    expected = below("pretraining.", case.tensors("expected"))
    if not expected:
        pytest.skip("features alone are recorded")
    state = torch.load(case.folder / "checkpoint.pt", map_location="cpu", weights_only=False)
    entries = dict(state["model"])
    symbols = [len(value) for key, value in entries.items() if key.endswith("embed_tokens.weight")]
    section = without_dropout(state["cfg"]["model"])
    model = multi_models.multi_model(section, {}, *symbols, reference_compat=True)
    model.upgrade_state_dict(entries)
    model.load_state_dict(entries, strict=True)
    ours = multi_models.pretrain(model, case.tensors("inputs"))
    ours.pop("log.ema_decay")  # of the update that comes next
    assert not list(differences(ours, expected, FORWARD))


def without_dropout(section: Any) -> Any:
    """A configuration in which nothing is dropped, however deep the key lies."""
    if not isinstance(section, dict):
        return section
    return {key: 0.0 if key in multi_models.DROPPED else without_dropout(value) for key, value in section.items()}


def without_teacher(state: Dict[str, Any]) -> None:
    for name in ("_ema", "encoder._ema"):
        state["model"].pop(name, None)


def of_old(state: Dict[str, Any]) -> None:
    """As before there was hydra."""
    state["args"] = namespace(state.pop("cfg"))


def namespace(cfg: Dict[str, Any]) -> Namespace:
    """Every key of the model and of the task in one place; the encoder of a fine-tuned model has one of its own."""
    values = {**cfg["task"], **cfg["model"]}
    values.update(arch=values.pop("_name"), task=cfg["task"]["_name"])
    encoder = {"w2v_args": namespace(values["w2v_args"])} if "w2v_args" in values else {}
    return Namespace(**{**{key: value for key, value in values.items() if not isinstance(value, dict)}, **encoder})


def of_another_day(state: Dict[str, Any]) -> None:
    """With keys of the model and of the task that there never were, and paths that are gone."""
    for section in ("model", "task"):
        state["cfg"][section]["a_key_of_tomorrow"] = 1
    state["cfg"]["common"].update(user_dir="/private/code", tensorboard_logdir="/private/tb")
    state["cfg"]["checkpoint"]["save_dir"] = "/private/out"


@pytest.mark.parametrize("change", [without_teacher, of_old, of_another_day])
@pytest.mark.parametrize(("case", "name"), checkpoints("official_style_*"), ids=str)
def test_other_ways_to_write_it_give_the_same(case: Case, name: str, change: Any, tmp_path: Path) -> None:
    state = torch.load(case.folder / name, map_location="cpu", weights_only=False)
    deep = {"transformer", "modalities"}
    if "cfg" not in state or (change is of_old and deep & set(state["cfg"]["model"])):
        pytest.skip("nothing but weights, or a model whose keys lie too deep for a Namespace")
    change(state)
    torch.save(state, tmp_path / name)
    check(case, tmp_path / name)


@pytest.mark.parametrize("case", cases("official_style_audio", "official"), ids=str)
def test_released_teacher_is_restored(case: Case) -> None:
    path = Path(case.folder / "checkpoint.pt")
    models, _, _ = load_model_ensemble_and_task([str(path)], arg_overrides={"data": str(case.folder)})
    saved = torch.load(path, map_location="cpu", weights_only=False)
    teacher = models[0].state_dict()["_ema"]
    for key, value in saved["model"]["_ema"].items():
        assert torch.equal(teacher[key], value), key
    # such a checkpoint owes its teacher the step of the last update
    assert models[0].method.teacher.num_updates == saved["optimizer_history"][-1]["num_updates"] - 1
