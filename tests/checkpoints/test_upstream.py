"""Upstream's checkpoints, whatever their configuration says of another machine and of another fairseq."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from checkpoints.recorded import CASES, PRETRAINED, changed, task_data, to_arguments
from fairseq.checkpoint_utils import load_model_ensemble_and_task
from fairseq.data import Dictionary
from parity.cases import FORWARD, HERE, Case, differences

from data2vec_plugin.checkpoints.encoder_checkpoint import build_encoder, open_checkpoint

ENCODERS = {"official_style_audio_ctc": "w2v_encoder.w2v_model."}


def loaded(case: str, path: Path) -> Any:
    """The model that fairseq's loader makes."""
    models, _, _ = load_model_ensemble_and_task([str(path)], arg_overrides=task_data(case))
    return models[0].float().eval()


def encoder(case: str, path: Path) -> Any:
    """The encoder that ours makes."""
    dictionary = None
    if case == "official_style_text":
        dictionary = Dictionary.load(str(HERE / case / "dict.txt"))
        dictionary.add_symbol("<mask>")
    return build_encoder(open_checkpoint(path), False, dictionary)


def assert_same_weights(ours: Any, theirs: Any, prefix: str) -> None:
    names = {name[len(prefix) :]: value for name, value in theirs.named_parameters() if name.startswith(prefix)}
    assert set(dict(ours.named_parameters())) == set(names)
    for name, value in ours.named_parameters():
        assert torch.equal(value, names[name]), name


def foreign(state: Dict[str, Any]) -> None:
    """Keys that no fairseq knows, and paths of a machine that is not this one."""
    cfg = state["cfg"]
    cfg["common"]["user_dir"], cfg["checkpoint"]["save_dir"] = "/private/plugin", "/private/out"
    cfg["task"].update(data="/private/data", zebra=1)
    cfg["model"]["lion"] = [2]
    if "w2v_args" in cfg["model"]:
        cfg["model"]["w2v_path"] = "/private/start.pt"
        cfg["model"]["w2v_args"]["model"]["ox"] = None
        cfg["model"]["w2v_args"]["task"].update(data="/private/too", gnu={"horns": 2})
    if "transformer" in cfg["model"]:
        cfg["model"]["transformer"]["encoder"]["elk"] = 3


@pytest.mark.parametrize("case", CASES)
def test_foreign_keys_and_paths_do_not_matter(case: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = changed(case, tmp_path, foreign)
    caplog.set_level(logging.WARNING)
    theirs = loaded(case, path)
    found = [record.getMessage() for record in caplog.records if "ignored" in record.getMessage()]
    inner = ["model.w2v_args.task", "model.w2v_args.model"] if case.endswith("ctc") else []
    assert [re.findall(r"checkpoint\.pt: `([\w.]+)` is", line)[0] for line in found] == ["task", "model", *inner]
    animals = {"task": "zebra", "model": "lion", "model.w2v_args.task": "gnu", "model.w2v_args.model": "ox"}
    assert all(f"`{animals[group]}`" in line for group, line in zip(animals, found))
    assert case != "official_style_text" or "`transformer.encoder.elk`" in found[1]
    assert_same_weights(encoder(case, path), theirs, ENCODERS.get(case, ""))


@pytest.mark.parametrize("case", CASES)
def test_arguments_stand_for_a_configuration(case: str, tmp_path: Path) -> None:
    theirs = loaded(case, changed(case, tmp_path, to_arguments))
    assert_same_weights(theirs, loaded(case, HERE / case / "checkpoint.pt"), "")
    assert_same_weights(encoder(case, tmp_path / "checkpoint.pt"), theirs, ENCODERS.get(case, ""))


@pytest.mark.parametrize("arguments", [False, True], ids=["cfg", "args"])
def test_speech_gives_the_recorded_features(arguments: bool, tmp_path: Path) -> None:
    case = "official_style_audio"
    path = changed(case, tmp_path, to_arguments if arguments else foreign)
    recorded = Case(HERE / case)
    with torch.no_grad():
        ours = encoder(case, path).extract_features(recorded.tensors("inputs")["source"])["x"]
    assert not list(differences({"features.x": ours}, recorded.tensors("expected"), FORWARD))


def without_a_default(state: Dict[str, Any]) -> None:
    for key in ("layer_norm_first", "dropout", "ema_decay"):
        del state["cfg"]["model"][key]
    state["cfg"]["task"] = {"_name": "audio_pretraining", "data": "/gone"}


def test_keys_that_are_not_there_take_their_default(tmp_path: Path) -> None:
    case = "official_style_audio"
    model = loaded(case, changed(case, tmp_path, without_a_default))
    assert (model.cfg.dropout, model.cfg.ema_decay) == (0.1, 0.999)


OURS = "encoder.layers.1.fc1.weight"
WEIGHTS = {
    "official_style_audio": OURS,
    "official_style_text": "encoder.sentence_encoder.layers.1.fc1.weight",
    "official_style_vision": "encoder.blocks.1.mlp.0.weight",
}


@pytest.mark.parametrize("case", PRETRAINED)
def test_a_missing_weight_is_an_error_that_names_it(case: str, tmp_path: Path) -> None:
    path = changed(case, tmp_path, lambda state: state["model"].pop(WEIGHTS[case]))
    with pytest.raises(RuntimeError, match=re.escape(f'Missing key(s) in state_dict: "{OURS}"')):
        loaded(case, path)
    with pytest.raises(ValueError, match=re.escape(f"does not fit its own configuration: it lacks `{OURS}`")):
        encoder(case, path)
