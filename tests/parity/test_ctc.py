"""fairseq's own `wav2vec_ctc` and CTC criterion around our model, against the recorded fine-tuning cases."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, Tuple

import pytest
import torch
from fairseq.criterions.ctc import CtcCriterion, CtcCriterionConfig
from fairseq.data import Dictionary
from fairseq.models import MODEL_DATACLASS_REGISTRY
from fairseq.models.wav2vec.wav2vec2_asr import Wav2VecCtc
from omegaconf import OmegaConf
from parity.cases import FORWARD, Case, Tensors, below, cases, differences, error, gradient_differences, nested
from parity.recorder import gradients

from data2vec_plugin.core.masks.mask import Mask
from data2vec_plugin.host.training.optimizer import rules_of

PREFIX = "w2v_encoder.w2v_model."
Made = Tuple[Wav2VecCtc, CtcCriterion]


def known(config: Any, section: Dict[str, Any]) -> Any:
    """``config`` with those keys of ``section`` that the installed fairseq knows, as it reads a checkpoint's."""
    for key, value in section.items():
        if key != "w2v_args" and hasattr(config, key):
            setattr(config, key, value)
    return config


def made(case: Case, tmp_path: Path, compat: bool) -> Made:
    config = case.json("config")
    pretraining = config.get("w2v_args") or config["model"]["w2v_args"]
    multi = pretraining["model"]["_name"] == "data2vec_multi"
    pretraining["model"]["reference_compat"] = compat
    # the keys of `main` that a release lacks are left out, as `main` itself does for a checkpoint
    pretraining["task"] = {key: pretraining["task"][key] for key in ("_name", "data", "normalize", "sample_rate")}
    masks = ("mask_prob", "mask_length", "mask_channel_prob", "mask_channel_length", "feature_grad_mult")
    for key in () if multi else masks:  # recorded where they count, in the section of speech
        pretraining["model"][key] = config["model"][key]
    cfg = known(MODEL_DATACLASS_REGISTRY["wav2vec_ctc"](), config["model"])
    cfg.data, cfg.w2v_args = str(tmp_path), OmegaConf.create(pretraining)
    task = SimpleNamespace(target_dictionary=Dictionary.load(str(case.folder / "dict.ltr.txt")), blank_symbol="<s>")
    model = Wav2VecCtc.build_model(cfg, task)
    model.load_state_dict(nested(case.tensors("state")), strict=True)
    return model, CtcCriterion(known(CtcCriterionConfig(), config["criterion"]), task)


def sample(inputs: Tensors) -> Dict[str, Any]:
    net_input = {name: inputs[name] for name in ("source", "padding_mask")}
    target = {name: inputs[name] for name in ("target", "target_lengths")}
    return {"id": torch.arange(len(inputs["source"])), "net_input": net_input, **target}


def spread(noise: torch.Tensor, mask: Mask, like: torch.Tensor) -> torch.Tensor:
    """Recorded noise (N, C) at the masked places of (B, T, C)."""
    return torch.zeros_like(like).masked_scatter(mask.indices.unsqueeze(-1), noise)


found = pytest.mark.parametrize("case", [*cases("audio_*", "ctc"), *cases("v2_*", "ctc")], ids=str)


@found
def test_evaluation_is_the_recorded_one(case: Case, tmp_path: Path) -> None:
    model, criterion = made(case, tmp_path, compat=True)
    model.eval()
    batch, expected = sample(case.tensors("inputs")), case.tensors("expected")
    features = model.w2v_encoder.w2v_model.extract_features(**batch["net_input"], mask=False)
    output = model(**batch["net_input"])
    ours = {"features.x": features["x"], "eval.frame_padding_mask": features["padding_mask"]}
    ours["eval.encoder_out"] = output["encoder_out"].clone()
    ours["eval.log_probs"] = model.get_normalized_probs(dict(output), log_probs=True)
    ours["eval.logits"] = model.get_logits(output)
    loss, sample_size, log = criterion(model, batch)
    ours["eval.loss.sum"], ours["eval.sample_size"] = loss, torch.tensor(sample_size)
    ours.update({f"eval.log.{key}": torch.tensor(float(value)) for key, value in log.items()})
    ours["eval.sample_size_without_sentence_avg"] = torch.tensor(log["ntokens"])
    assert not {key for key in expected if key.startswith(("eval.", "features."))} - set(ours)
    assert not list(differences(ours, expected, FORWARD))


@found
def test_training_with_injected_masks_is_the_recorded_one(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, criterion = made(case, tmp_path, compat=True)
    model.train()
    inputs, expected = case.tensors("inputs"), case.tensors("expected")
    mask = Mask.given(inputs["mask_indices"], channels=inputs.get("mask_channel_indices"))
    encoder = model.w2v_encoder.w2v_model
    monkeypatch.setattr(encoder.method.masks, "drawn", lambda tokens: mask)
    if (noise := inputs.get("mask_noise")) is not None:
        monkeypatch.setattr(encoder.encoder.view, "drawn_noise", lambda x, deviation: spread(noise, mask, x))
    loss, sample_size, _ = criterion(model, sample(inputs))
    assert error(loss, expected["train.loss.sum"]) <= FORWARD
    assert sample_size == expected["train.sample_size"]
    recorded = {**below("train.", expected), **expected}
    recorded = {key: value for key, value in recorded.items() if key.startswith(("grad.", "grad_norm."))}
    ours = gradients(model, loss)
    assert not list(gradient_differences(ours, recorded))
    surplus = [key for key in ours if key.startswith("grad_norm.") and key not in recorded]
    assert not recorded or not [key for key in surplus if float(ours[key]) > 0]


@found
def test_layers_learn_at_the_recorded_rates(case: Case, tmp_path: Path) -> None:
    model, _ = made(case, tmp_path, compat=False)
    found = {name: torch.full((3,), rule.lr_scale) for name, rule in rules_of(model).items()}
    model.w2v_encoder.w2v_model.layout.to_upstream(found, PREFIX)
    recorded = case.json("config").get("optim_overrides", {})
    wanted = {name: entry["lr_scale"] for name, entry in recorded.items() if "lr_scale" in entry}
    assert {name: float(scale[0]) for name, scale in found.items()} == pytest.approx(wanted)


@found
def test_padded_utterance_is_decoded_from_the_same_logits_as_alone(case: Case, tmp_path: Path) -> None:  # B7
    model, _ = made(case, tmp_path, compat=False)
    model.eval()
    inputs, expected = case.tensors("inputs"), case.tensors("expected")
    logits = model(source=inputs["source"], padding_mask=inputs["padding_mask"])["encoder_out"]
    alone, frames = inputs["alone.source"], expected["alone.logits"].size(0)
    row = next(i for i, source in enumerate(inputs["source"]) if torch.equal(source[: alone.size(1)], alone[0]))
    assert error(logits[:frames, row], expected["alone.logits"][:, 0]) <= FORWARD
