"""Fine-tuning for images: sizes and weights from the checkpoint, losses, rules, and what does not fit told by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest
import torch
import torch.nn.functional as F
from fairseq.checkpoint_utils import load_model_ensemble_and_task
from fairseq.models import MODEL_REGISTRY, build_model
from fairseq.tasks import FairseqTask
from models.tiny import assert_same
from models.tiny_image import CLASSES, classifier, write_checkpoint
from models.tiny_text import trainer_state
from models.tiny_vision import DIM, LAYERS, PIXELS, SIDE, images, section, tiny_vision
from omegaconf import OmegaConf
from parity.cases import HERE

from data2vec_plugin.core.outputs import Tokens
from data2vec_plugin.core.positions.relative_positions import table_rows
from data2vec_plugin.core.update_rules import UpdateRule
from data2vec_plugin.models.data2vec_image_classification import Data2VecImageClassificationModel

LABELS = torch.tensor([3, 0, 6])
OFF: Dict[str, Any] = {"mixup": 0.0, "cutmix": 0.0}


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("pretrained") / "checkpoint.pt")


def test_registered_under_upstreams_name() -> None:
    assert MODEL_REGISTRY["data2vec_image_classification"] is Data2VecImageClassificationModel


def test_sizes_and_weights_come_from_the_checkpoint(pretrained: Path) -> None:  # method sheet 3.6
    model = classifier(pretrained)
    state = torch.load(pretrained, weights_only=False)["model"]
    encoder = model.model
    assert (encoder.config.transformer.dim, len(encoder.encoder.transformer.layers)) == (DIM, LAYERS)
    assert torch.equal(encoder.encoder.transformer.layers[1].fc1.weight, state["encoder.blocks.1.mlp.0.weight"])
    assert encoder.method.teacher is encoder.encoder.transformer.layer_norm is None
    assert not list(encoder.encoder.view.parameters())
    gone = ("_ema", "final_proj", "mask_emb", "encoder.norm")
    assert not [name for name in model.state_dict() if any(part in name for part in gone)]
    assert float(model.head.weight.detach().abs().max()) <= 1e-3 / DIM**0.5


def test_without_its_weights_only_the_sizes_are_taken(pretrained: Path) -> None:
    left, right = (classifier(pretrained, no_pretrained_weights=without).model for without in (True, False))
    ours, theirs = (made.encoder.transformer.layers[0].fc1.weight for made in (left, right))
    assert ours.shape == theirs.shape
    assert not torch.equal(ours, theirs)


@pytest.mark.parametrize(
    "name", ["checkpoint.pt", "checkpoint_fp16.pt", "checkpoint_converted.pt", "checkpoint_beit.pt"]
)
def test_every_layout_of_a_checkpoint_gives_the_same_classifier(name: str) -> None:
    folder = HERE / "official_style_vision"
    reference = classifier(folder / "checkpoint.pt").state_dict()
    made = classifier(folder / name)
    assert_same(reference, made.state_dict())
    assert made.model.image.size == 40


def test_images_of_another_size_interpolate_the_positions(pretrained: Path) -> None:
    model = classifier(pretrained, image_size=2 * PIXELS).eval()
    assert model(torch.randn(2, 3, 2 * PIXELS, 2 * PIXELS)).shape == (2, CLASSES)
    table, old = (made.model.encoder.positions.rel_pos_bias.table for made in (model, classifier(pretrained)))
    assert len(table) == table_rows((2 * SIDE, 2 * SIDE))
    assert torch.equal(table[-3:], old[-3:])
    torch.testing.assert_close(table[0], old[0])  # the longest offset stays the longest


def test_images_of_a_size_that_patches_do_not_fill_are_refused(pretrained: Path) -> None:
    message = r"`task\.input_size` is 18, which is not a multiple of .* 4 .*checkpoint\.pt.*such as 16 or 20"
    with pytest.raises(ValueError, match=message):
        classifier(pretrained, image_size=18)
    with pytest.raises(ValueError, match=r"`task\.input_size` is 3, .* such as 4$"):
        classifier(pretrained, image_size=3)


@pytest.mark.parametrize(("name", "value"), [("drop_path", 0.9), ("attention_dropout", 0.5)])
def test_keys_override_the_checkpoints(pretrained: Path, name: str, value: float) -> None:
    assert getattr(classifier(pretrained).model.config.transformer, name) == 0
    model = classifier(pretrained, **{name: value})
    assert getattr(model.model.config.transformer, name) == value
    assert not torch.equal(model(images(8)), model(images(8)))
    assert torch.equal(model.eval()(images()), classifier(pretrained).eval()(images()))


def test_logits_are_of_the_mean_of_all_patches(pretrained: Path) -> None:  # B4
    model = classifier(pretrained).eval()
    patches = model.model.extract_features(images())["x"]
    assert patches.shape == (2, SIDE * SIDE, DIM)
    torch.testing.assert_close(model(images()), model.head(F.layer_norm(patches.mean(1), (DIM,))))
    assert torch.equal(model(images()), model.head(model.fc_norm(patches.mean(1))))


@pytest.mark.parametrize("compat", [False, True])
def test_logits_may_be_of_the_class_token(pretrained: Path, compat: bool) -> None:
    model = classifier(pretrained, pooling="class_token", reference_compat=compat).eval()
    encoder, tokens = model.model.encoder, model.model.encoder.embed(images()).x
    led = Tokens(torch.cat([encoder.extra_tokens.expand(2, -1, -1), tokens], 1), extra=1)
    biases = encoder.positions.biases(led, list(encoder.transformer.layers))
    became = encoder.transformer(led.x, None, biases).x[:, 0]
    assert became.shape == (2, DIM)
    torch.testing.assert_close(model(images()), model.head(F.layer_norm(became, (DIM,))))
    assert not torch.allclose(model(images()), classifier(pretrained).eval()(images()), atol=1e-5)


def test_evaluation_counts_and_neither_mixes_nor_smooths(pretrained: Path) -> None:
    model = classifier(pretrained).eval()
    evaluated, logits = model(images(3), LABELS), model(images(3))
    torch.testing.assert_close(evaluated["losses"]["regression"], F.cross_entropy(logits, LABELS, reduction="none"))
    assert evaluated["sample_size"] == 3
    assert int(evaluated["correct"]) == int((logits.argmax(1) == LABELS).sum())
    ranks = (logits > logits.gather(1, LABELS.unsqueeze(1))).sum(1)
    assert int(evaluated["correct_top5"]) == int((ranks < 5).sum())


@pytest.mark.parametrize("count", [1, 3, 4])  # upstream's mixing needs even batches
def test_training_mixes_images_and_labels(pretrained: Path, count: int) -> None:
    model, labels = classifier(pretrained), LABELS.repeat(2)[:count]
    torch.manual_seed(5)
    trained = model(images(count), labels)
    assert trained["losses"]["regression"].shape == (count,)
    assert set(trained) == {"losses", "sample_size", "loss"}
    torch.manual_seed(5)
    assert torch.equal(model(images(count), labels)["losses"]["regression"], trained["losses"]["regression"])
    plain = classifier(pretrained, **OFF)(images(count), labels)["losses"]["regression"]
    assert torch.allclose(plain, trained["losses"]["regression"]) == (count == 1), "one image has no neighbour"


def test_without_mixing_labels_are_smoothed(pretrained: Path) -> None:
    model = classifier(pretrained, **OFF, label_smoothing=0.3)
    expected = F.cross_entropy(model(images(3)), LABELS, label_smoothing=0.3, reduction="none")
    torch.testing.assert_close(model(images(3), LABELS)["losses"]["regression"], expected)


@pytest.mark.parametrize("pooling", ["mean", "class_token"])
def test_every_parameter_learns(pretrained: Path, pooling: str) -> None:
    model = classifier(pretrained, pooling=pooling)
    model(images(3), LABELS)["losses"]["regression"].sum().backward()
    assert not [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert model.model.encoder.extra_tokens is not None
    assert model.model.encoder.extra_tokens.grad is not None
    assert float(model.model.encoder.extra_tokens.grad.abs().min()) > 0


ENCODER = "model.method.encoder."


def test_low_layers_learn_slower_and_only_matrices_decay(pretrained: Path) -> None:
    model = classifier(pretrained, layer_decay=0.5)
    rules = model.update_rules()
    assert set(rules) == {name for name, _ in model.named_parameters()}
    low, top = 0.5 ** (LAYERS + 1), LAYERS - 1
    assert rules[f"{ENCODER}embedder.conv.weight"] == UpdateRule(low, True)
    assert rules[f"{ENCODER}extra_tokens"] == UpdateRule(low, False)
    assert rules[f"{ENCODER}transformer.layers.0.fc1.weight"] == UpdateRule(2 * low, True)
    assert rules[f"{ENCODER}transformer.layers.{top}.gamma_1"] == UpdateRule(0.5, False)
    assert rules[f"{ENCODER}positions.rel_pos_bias.table"] == rules["fc_norm.weight"] == UpdateRule(1.0, False)
    assert rules["head.weight"] == UpdateRule(1.0, True)
    decayed = [name for name, rule in rules.items() if rule.decays]
    assert all(name.endswith(".weight") and "norm" not in name for name in decayed)


def test_pretraining_decays_matrices_alone_at_one_rate() -> None:  # B29
    rules = tiny_vision(shared_rel_pos_bias=False).update_rules()
    assert {rule.lr_scale for rule in rules.values()} == {1.0}
    encoder, layer = "method.encoder.", "method.encoder.transformer.layers.0."
    spared = {f"{encoder}view.mask_emb", f"{encoder}extra_tokens", f"{layer}rel_pos_bias.table", f"{layer}fc1.bias"}
    assert not [name for name in spared if rules[name].decays]
    assert rules["method.predictor.weight"].decays


def test_its_checkpoints_need_the_pretrained_one_no_longer(pretrained: Path, tmp_path: Path) -> None:
    path = tmp_path / "pretrained.pt"
    path.write_bytes(pretrained.read_bytes())
    root = OmegaConf.create({"model": {"_name": "data2vec_image_classification", "model_path": str(path), "data": ""}})
    root.model.update({"image_size": PIXELS, "num_classes": CLASSES})

    model = build_model(root.model, None).eval()
    saved = trainer_state({"model": OmegaConf.to_container(root.model), "task": {}}, model.state_dict())
    assert saved["cfg"]["model"]["pretrained_model_args"] == {"model": section()}
    torch.save(saved, tmp_path / "fine_tuned.pt")
    path.unlink()
    loaded, _, _ = load_model_ensemble_and_task([str(tmp_path / "fine_tuned.pt")], task=FairseqTask(None))
    assert torch.equal(loaded[0].eval()(images()), model(images()))


@pytest.mark.parametrize(
    ("cfg", "name"),
    [
        ({"model": {"_name": "data2vec_audio"}}, r"`data2vec_audio` \(data2vec for speech\)"),
        ({"model": {"_name": "mae"}}, "`mae`"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path, cfg: Dict[str, Any], name: str) -> None:
    torch.save(trainer_state(cfg, {}), tmp_path / "other.pt")
    message = rf"`model\.model_path` is .*other\.pt: it is of model {name}; fine-tuning starts from `data2vec_vision`"
    with pytest.raises(ValueError, match=message):
        classifier(tmp_path / "other.pt")


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"weights": {}}, r"other\.pt: it is a saved dictionary of `weights`, not a checkpoint; use a checkpoint"),
        (
            {"model": {"fc.weight": torch.ones(1)}},
            r"other\.pt: its weights are not those of a `data2vec_vision` or BEiT",
        ),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, held: Dict[str, Any], message: str) -> None:
    torch.save(held, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=message):
        classifier(tmp_path / "other.pt")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"num_classes": 0}, r"`model\.num_classes` is 0; expected at least 1"),
        ({"label_smoothing": 1.0}, r"`model\.label_smoothing` is 1\.0; expected a share in \[0, 1\)"),
        ({"layer_decay": 0.0}, r"`model\.layer_decay` is 0\.0; expected more than 0"),
        ({"mixup": -1.0}, r"`model\.mixup` is -1\.0"),
        ({"pooling": "cls"}, r"`model\.pooling` is 'cls'; expected one of mean, class_token"),
    ],
)
def test_values_out_of_range_are_refused(pretrained: Path, keys: Dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(pretrained, **keys)
