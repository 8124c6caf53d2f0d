"""Every recorded value of the `vision_*` cases: pre-training, teacher, released checkpoints in all their layouts."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import pytest
import torch
from fairseq.checkpoint_utils import load_model_ensemble_and_task
from fairseq.tasks import FairseqTask
from parity.cases import FORWARD, Case, below, cases, differences, gradient_differences
from parity.following import assert_teacher_follows
from parity.vision_models import features, gradients, load, pretrain, vision_model

from data2vec_plugin.core.teacher import FORMAT_KEY, UPDATES_KEY


def of_the_model(kind: str) -> List[Case]:
    """Cases of pre-training, not of a classifier."""
    return [case for case in cases("vision_*", kind) if case.json("config")["model"]["_name"] == "data2vec_vision"]


def variants(kind: str) -> List[Tuple[Case, str]]:
    return [(case, name) for case in of_the_model(kind) for name in case.variants()]


@pytest.mark.parametrize(("case", "variant"), variants("pretraining"), ids=str)
def test_every_recorded_value(case: Case, variant: str) -> None:
    prefix = f"{variant}." if variant else ""
    inputs, expected, state = (case.tensors(name) for name in ("inputs", "expected", "state"))
    inputs, expected, state = (below(prefix, tensors) or tensors for tensors in (inputs, expected, state))
    model = vision_model(case, reference_compat=True, **case.variants()[variant])
    load(model, state)
    ours = {**pretrain(model, inputs["img"], inputs["mask"]), **features(model, inputs["img"])}
    recorded = {key: value for key, value in expected.items() if key.startswith(("grad.", "grad_norm."))}
    # the teacher computes the layers that are targets
    unused = {f"teacher.block.{i}.target" for i in range(model.config.transformer.layers - model.config.targets.top_k)}
    assert not set(expected) - set(recorded) - set(ours) - unused, "recorded, but not measured"
    assert not list(differences(ours, expected, FORWARD))
    grads = gradients(model, ours["loss.sum"])
    assert not list(gradient_differences(grads, recorded))
    assert not recorded or {key for key in grads if key.startswith("grad_norm.")} <= set(recorded)


@pytest.mark.parametrize("case", of_the_model("pretraining"), ids=str)
def test_default_differs_in_the_prediction_alone(case: Case) -> None:  # B2
    inputs, expected = case.tensors("inputs"), case.tensors("expected")
    model = vision_model(case)
    load(model, case.tensors("state"))
    ours = {**pretrain(model, inputs["img"], inputs["mask"]), **features(model, inputs["img"])}
    differing = {line.split(":")[0] for line in differences(ours, expected, FORWARD)}
    assert differing == {"predictions", "loss_vector", "loss.sum", "log.pred_var"} & set(expected)
    predicted = model.method.predictor(expected["predictions"])
    torch.testing.assert_close(ours["predictions"], predicted, rtol=1e-4, atol=1e-5)
    assert {"grad.final_proj.weight", "grad.final_proj.bias"} <= set(gradients(model, ours["loss.sum"]))


@pytest.mark.parametrize(("case", "variant"), variants("ema"), ids=str)
def test_teacher_follows_the_recorded_student(case: Case, variant: str) -> None:
    overrides: Dict[str, Any] = case.variants()[variant]
    inputs, expected = (below(f"{variant}.", case.tensors(name)) for name in ("inputs", "expected"))
    model = vision_model(case, **overrides)
    assert_teacher_follows(model, inputs, expected, case.json("meta")["steps"][variant])


def checkpoints() -> List[Tuple[Case, str]]:
    found = cases("official_style_vision*", "official")
    return [(case, path.name) for case in found for path in sorted(case.folder.glob("checkpoint*.pt"))]


@pytest.mark.parametrize(("case", "name"), checkpoints(), ids=str)
def test_released_checkpoint_gives_the_recorded_features(case: Case, name: str) -> None:  # B3
    saved = torch.load(case.folder / name, map_location="cpu", weights_only=False)
    if "cfg" in saved:
        # any task will do, since what images there are does not matter to a model
        models, _, _ = load_model_ensemble_and_task([str(case.folder / name)], task=FairseqTask(None))
        model: Any = models[0].float()
    else:
        model = vision_model(case)
        load(model, saved["model"])
    ours, expected = features(model, case.tensors("inputs")["img"]), case.tensors("expected")
    assert set(expected) <= set(ours)
    assert not list(differences(ours, expected, FORWARD))


@pytest.mark.parametrize("name", ["checkpoint.pt", "checkpoint_fp16.pt"])
@pytest.mark.parametrize("case", cases("official_style_vision", "official"), ids=str)
def test_released_state_is_written_again_as_it_was(case: Case, name: str) -> None:
    saved = torch.load(case.folder / name, map_location="cpu", weights_only=False)["model"]
    model = vision_model(case)
    model.set_num_updates(375_300)
    entries = dict(saved)
    model.upgrade_state_dict(entries)
    model.load_state_dict(entries, strict=True)
    assert model.method.ensure_teacher().num_updates == 375_299  # such a checkpoint owes its teacher the last step
    written = model.state_dict()
    assert set(written) == set(saved)
    assert set(written["_ema"]) - {UPDATES_KEY, FORMAT_KEY} == set(saved["_ema"])
    for ours, theirs in ((written, saved), (written["_ema"], saved["_ema"])):
        for key, value in theirs.items():
            if key != "_ema":
                assert torch.equal(ours[key], value.to(ours[key].dtype)), key
