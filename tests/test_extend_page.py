"""docs/extend.md: its code runs as it stands there."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from checkpoint_weights import weights
from convert.made import recogniser
from forked_commands import run
from page_code import blocks, run_block, write_files
from torch import nn

import data2vec_plugin
from data2vec_plugin.core.config import Data2VecConfig, SpanMaskConfig, TargetConfig, TransformerConfig
from data2vec_plugin.core.encoder import Encoder
from data2vec_plugin.core.masks.masking import BatchMasker, SpanMasker
from data2vec_plugin.core.model import Data2Vec
from data2vec_plugin.core.objective.terms import Regression
from data2vec_plugin.core.outputs import Tokens
from data2vec_plugin.core.transformer import Transformer
from data2vec_plugin.core.view import MaskedView
from data2vec_plugin.runs.training_log import read_training_log

PAGE = "extend.md"
DIM = 32


class Numbers(nn.Linear):
    def forward(self, source: torch.Tensor, padding_mask: object = None) -> Tokens:  # type: ignore[override]
        return Tokens(super().forward(source), padding_mask)  # type: ignore[arg-type]


def method(**targets: bool) -> Data2Vec:
    transformer = TransformerConfig(3, DIM, 64, 4, dropout=0.0, attention_dropout=0.0)
    config = Data2VecConfig(transformer, TargetConfig(top_k=2, instance_norm=True, **targets))
    encoder = Encoder(Transformer(transformer), MaskedView(DIM), Numbers(6, DIM))
    masks = BatchMasker(SpanMasker(SpanMaskConfig(prob=0.5, length=3)))
    return Data2Vec(config, encoder, masks, nn.Linear(DIM, DIM), [Regression(config.targets, config.loss)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's package, and readings for it."""
    made = tmp_path_factory.mktemp("extended")
    assert len(write_files(PAGE, made)) == 5
    rng = np.random.default_rng(1)
    for number in range(12):
        path = made / "data" / ("valid" if number > 9 else "train") / f"{number}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, rng.normal(size=(60 + 10 * number, 6)).cumsum(0).astype("float32"))
    return made


def test_examples_are_short() -> None:
    assert 10 < max(code.count("\n") for code in blocks(PAGE)) <= 55


def test_a_modality_and_a_data_set_of_ones_own_train_and_resume(folder: Path) -> None:
    command = ["fairseq-hydra-train", "--config-dir", str(folder / "readings"), "--config-name", "readings"]
    command += ["task.data=data", "common.cpu=true", "dataset.num_workers=0", "common.log_interval=1"]
    said = run([*command, "optimization.max_update=4"], cwd=folder)
    assert "readings in 10 files" in said
    said = run([*command, "optimization.max_update=6"], cwd=folder)
    assert "@ 4 updates" in said  # it was resumed
    log = read_training_log(folder / "outputs" / "readings" / "train.log")
    assert log["train_inner/loss"].updates == (1, 2, 3, 4, 5, 6)
    assert all(value > 0.01 for value in log["train_inner/target_var"].values)
    saved = weights(folder / "outputs" / "readings")
    student = saved["method.encoder.transformer.layers.0.fc1.weight"]
    teacher = saved["_ema.transformer.layers.0.fc1.weight"]
    assert student.shape == teacher.shape == (256, 64)
    assert not torch.equal(student, teacher)
    assert "torch.Size([1, 160, 64])" in run([sys.executable, "features.py"], cwd=folder)


def test_masks_are_drawn_in_the_loader() -> None:
    scope, model = run_block(PAGE, "# masks from the loader"), method()
    source = torch.randn(2, 20, 6)

    def net_input(epoch: int) -> dict[str, Any]:
        batch = {"id": torch.tensor([3, 7]), "net_input": {"source": source}}
        return scope["with_mask"](batch, model.masks, [20, 16], epoch)["net_input"]

    first, again, later = net_input(1), net_input(1), net_input(2)
    assert torch.equal(first["mask"]["indices"], again["mask"]["indices"])
    assert not torch.equal(first["mask"]["indices"], later["mask"]["indices"])
    output = scope["forward"](SimpleNamespace(pretrained=model), **first)
    assert torch.equal(output.mask.indices, first["mask"]["indices"])
    assert not output.mask.indices[1, 16:].any()


@pytest.mark.parametrize("normalised", [False, True])
def test_a_target_of_ones_own(normalised: bool) -> None:
    torch.manual_seed(0)
    scope = run_block(PAGE, "# a target")
    own, plain = method(layer_norm_average=normalised), method(layer_norm_average=normalised)
    plain.load_state_dict(own.state_dict())
    scope["with_weighted_target"](SimpleNamespace(method=own))
    source = torch.randn(2, 20, 6)
    mask = plain.masks.drawn(plain.encoder.embed(source))
    seen = signals(plain, source)
    layers = [(x - x.mean(1, True)) / (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt() for x in seen]
    expected = (layers[-2] + 2 * layers[-1]) / 3
    if normalised:
        expected = torch.nn.functional.layer_norm(expected, (DIM,))
    expected = expected.reshape(-1, DIM)[mask.positions]
    output = own(source, mask=mask)
    assert torch.allclose(output.targets, expected, atol=1e-4)
    assert not torch.allclose(plain(source, mask=mask).targets, expected, atol=1e-2)
    output.loss.backward()
    assert float(own.encoder.embedder.weight.grad.abs().sum()) > 0


def signals(model: Data2Vec, source: torch.Tensor) -> list[torch.Tensor]:
    with torch.no_grad():
        return model.teacher_signals(source, None, model.encoder.embed(source))


def test_a_decoder_of_ones_own() -> None:
    torch.manual_seed(0)
    scope = run_block(PAGE, "# a decoder:")
    model = scope["visible_only"](method())
    source, padding = torch.randn(4, 20, 6), torch.arange(20) >= torch.tensor([20, 20, 20, 14]).unsqueeze(1)
    output = model(source, padding)
    assert output.predictions.shape == (10 * 3 + 7, DIM)
    assert output.mask.visible.shape == (4, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for update in range(20):
        model.follow(update)
        output = model(source, padding)
        (output.loss / output.sample_size).backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(output.loss.detach()))
    assert sum(losses[-5:]) < sum(losses[:5])


def test_a_ctc_decoder_of_ones_own(tmp_path: Path) -> None:
    recogniser(tmp_path / "model.pt")
    loaded = data2vec_plugin.load_recogniser(tmp_path / "model.pt", device="cpu")
    noise = np.random.default_rng(0).normal(size=16000).astype("float32")
    letters = sorted({letter for letter in loaded.transcribe(noise).text if letter in loaded.recogniser.symbols})
    assert letters
    own = run_block(PAGE, "# a CTC decoder")["without"](loaded.recogniser, letters[:1])
    text = own.transcribe(noise).text
    assert text != loaded.transcribe(noise).text
    assert letters[0] not in text
