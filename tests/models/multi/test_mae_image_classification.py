"""Classifiers of images on data2vec 2.0: upstream's model by its keys, and ours; what does not fit is told by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from fairseq.models import build_model
from models.tiny_image import write_checkpoint
from models.tiny_text import trainer_state
from omegaconf import OmegaConf
from parity.cases import HERE

from data2vec_plugin.models.multi.image_tuning import drop_path_rates

IMAGES = HERE / "official_style_v2_image" / "checkpoint.pt"
SPEECH = HERE / "official_style_v2_audio" / "checkpoint.pt"
OFF: Dict[str, Any] = {"mixup": 0.0, "cutmix": 0.0, "num_classes": 7, "data": "x"}


def classifier(path: Path = IMAGES, name: str = "mae_image_classification", **keys: Any) -> Any:
    return build_model(OmegaConf.create({"_name": name, "model_path": str(path), **OFF, **keys}), None)


def pictures(model: Any) -> torch.Tensor:
    torch.manual_seed(5)
    return torch.randn(3, *model.model.encoder.embedder.shape)


def test_rates_of_drop_path_go_on_from_the_prenet_to_the_blocks() -> None:
    assert drop_path_rates(0.3, (1, 4), 4) == ((0, 0), (pytest.approx(0.1), 0.3))
    assert drop_path_rates(0.3, (4, 2), 2) == ((0, 0.3), (0.3, 0.3))  # more layers of its own than others
    assert drop_path_rates(0.3, (0, 1), 1) == ((0, 0), (0, 0.3))


@pytest.mark.parametrize("depth", [1, 2])
def test_as_many_layers_of_its_own_as_others_will_do(depth: int, tmp_path: Path) -> None:
    state = torch.load(IMAGES, weights_only=False)
    section = state["cfg"]["model"]
    section["depth"], section["modalities"]["image"]["prenet_depth"] = depth, 2
    torch.save(state, tmp_path / "model.pt")
    model = classifier(tmp_path / "model.pt", no_pretrained_weights=True, drop_path_rate=0.2)
    assert model(pictures(model), torch.tensor([1, 2, 3]))["losses"]["regression"].shape == (3,)
    assert model.model.encoder.transformer.config.drop_path == 0.2


def test_a_layer_on_top_alone_learns() -> None:
    model = classifier(linear_classifier=True)
    model(pictures(model), torch.tensor([1, 2, 3]))["losses"]["regression"].sum().backward()
    assert {name for name, p in model.named_parameters() if p.grad is not None} == {
        f"{part}.{kind}" for part in ("head", "fc_norm") for kind in ("weight", "bias")
    }


def test_a_saved_model_needs_no_checkpoint_of_pre_training() -> None:
    model = classifier().eval()
    args = OmegaConf.to_container(OmegaConf.create({"args": model.cfg.pretrained_model_args}), resolve=True)
    again = classifier(Path("gone.pt"), pretrained_model_args=args["args"]).eval()
    state = model.state_dict()
    again.upgrade_state_dict(state)
    again.load_state_dict(state, strict=True)
    assert torch.equal(model(pictures(model)), again(pictures(model)))
    assert "task" in args["args"]  # upstream wants it


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"mixup_mode": "pair"}, r"`model\.mixup_mode` is 'pair'; expected 'batch'"),
        ({"layer_decay": 2.0}, r"`model\.layer_decay` is 2\.0"),
        ({"path": SPEECH}, r"\(data2vec 2\.0 for speech\); fine-tuning starts from `data2vec_multi` for image"),
    ],
)
def test_what_it_cannot_do_is_told(keys: Dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(**keys)


def test_version_1_is_told_with_what_is_wanted(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match=r"of model `data2vec_vision` .* starts from `data2vec_multi` for image"):
        classifier(path)


def test_without_a_class_token_there_is_none_to_classify(tmp_path: Path) -> None:
    state = torch.load(IMAGES, weights_only=False)
    state["cfg"]["model"]["modalities"]["image"]["num_extra_tokens"] = 0
    torch.save(trainer_state(state["cfg"], {}), tmp_path / "model.pt")
    with pytest.raises(ValueError, match=r"CLS_TOKEN, but the pre-trained model has no extra token"):
        classifier(tmp_path / "model.pt", prediction_mode="CLS_TOKEN", no_pretrained_weights=True)


@pytest.mark.parametrize("larger", [1, 2])
def test_ours_takes_data2vec_2_also_for_larger_images(larger: int) -> None:
    first = classifier(name="data2vec_image_classification", image_size=None)
    size = first.model.encoder.embedder.image.size * larger
    model = classifier(name="data2vec_image_classification", image_size=size, layer_decay=0.5, drop_path=0.2).eval()
    assert model(pictures(model)).shape == (3, 7)
    rules = model.update_rules()
    layers = sum(len(part.layers) for part in (model.model.encoder.prenet, model.model.encoder.transformer))
    scales = {name: rule.lr_scale for name, rule in rules.items()}
    assert {scale for name, scale in scales.items() if ".embedder." in name} == {0.5 ** (layers + 1)}
    assert {scale for name, scale in scales.items() if ".layers." in name} == {0.5**n for n in range(1, layers + 1)}
    assert scales["head.weight"] == 1
    token = classifier(name="data2vec_image_classification", image_size=None, pooling="class_token").eval()
    assert token(pictures(token)).shape == (3, 7)
