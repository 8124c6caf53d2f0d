"""Image models in `transformers` itself: the same features, logits and pixels; and back, bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest
import torch
from convert.made import convert, encoder, refused, saved
from interop.huggingface.models import assert_agree
from interop.huggingface.models import load_folder as load
from models.tiny import drift
from models.tiny_image import CLASSES, classifier
from models.tiny_text import trainer_state
from models.tiny_vision import images, section, tiny_vision
from omegaconf import OmegaConf
from parity.cases import HERE

from data2vec_plugin.convert.image import CLASSIFIER, processor
from data2vec_plugin.data.image.transforms import Normalization, evaluation_transform

transformers = pytest.importorskip("transformers")
TASK = {"_name": "image_pretraining", "data": "gone", "normalization_mean": [0.5] * 3, "normalization_std": [0.25] * 3}
NAMES = "".join(f"kind {row}\n" for row in range(CLASSES))


def pretrained(path: Path, **settings: Any) -> Path:
    model = tiny_vision(**settings)
    drift(model, 1)
    model.set_num_updates(2)
    torch.save(trainer_state({"model": section(**settings), "task": TASK}, model.state_dict()), path)
    return path


def fine_tuned(path: Path, **settings: Any) -> Any:
    """A classifier's checkpoint; returns the classifier."""
    model = classifier(pretrained(path.with_name("pretrained.pt")), **settings)
    drift(model, 2)
    model_section = {**OmegaConf.to_container(model.cfg), "model_path": "gone"}  # type: ignore[dict-item]
    torch.save(
        trainer_state({"model": model_section, "task": {"_name": "image_classification"}}, model.state_dict()), path
    )
    return model.eval()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ours.pt, theirs/ and back.pt."""
    folder = tmp_path_factory.mktemp("base")
    convert(convert(pretrained(folder / "ours.pt"), folder / "theirs"), folder / "back.pt")
    return folder


def test_features_agree(base: Path) -> None:
    with torch.no_grad():
        answer = load("Data2VecVisionModel", base / "theirs")(images()).last_hidden_state[:, 1:]
        assert_agree(encoder(base / "ours.pt").extract_features(images())["x"], answer)


def test_the_way_back_is_exact(base: Path) -> None:
    ours, back = saved(base / "ours.pt"), saved(base / "back.pt")
    assert ours.keys() == back.keys()
    assert [name for name in ours if not torch.equal(ours[name], back[name])] == [
        "final_proj.weight",
        "final_proj.bias",
    ]


def test_the_pictures_of_the_task_come_back(base: Path) -> None:
    task = torch.load(base / "back.pt", weights_only=False)["cfg"]["task"]
    assert task == {**TASK, "data": "", "input_size": 16}


def test_fine_tuning_starts_from_what_came_back(base: Path) -> None:
    ours, back = classifier(base / "ours.pt").eval(), classifier(base / "back.pt").eval()
    with torch.no_grad():
        assert torch.equal(ours(images()), back(images()))


@pytest.mark.parametrize("name", ["checkpoint.pt", "checkpoint_fp16.pt"])
def test_official_checkpoints_convert(tmp_path: Path, name: str) -> None:
    source = HERE / "official_style_vision" / name
    hf = load("Data2VecVisionModel", convert(source, tmp_path / "theirs"))
    img = torch.randn(2, 3, hf.config.image_size, hf.config.image_size, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        assert_agree(encoder(source).float().extract_features(img)["x"], hf(img).last_hidden_state[:, 1:])


def test_the_teacher_converts(tmp_path: Path) -> None:
    source = pretrained(tmp_path / "ours.pt")
    hf = load("Data2VecVisionModel", convert(source, tmp_path / "theirs", "--teacher"))
    teacher = torch.load(source, weights_only=False)["model"]["_ema"]
    assert torch.equal(hf.encoder.layer[1].intermediate.dense.weight, teacher["blocks.1.mlp.0.weight"])


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Any]:
    """Paths of ours, theirs and back, and the classifier."""
    folder = tmp_path_factory.mktemp("classes")
    (folder / "names.txt").write_text(NAMES)
    model = fine_tuned(folder / "ours.pt")
    theirs = convert(folder / "ours.pt", folder / "theirs", "--labels", str(folder / "names.txt"))
    return {"model": model, "ours": folder / "ours.pt", "theirs": theirs, "back": convert(theirs, folder / "back.pt")}


def test_logits_agree(classes: Dict[str, Any]) -> None:
    hf = load("Data2VecVisionForImageClassification", classes["theirs"])
    with torch.no_grad():
        assert_agree(classes["model"](images()), hf(images()).logits)
    assert hf.config.id2label[3] == "kind 3"


def test_a_classifier_comes_back(classes: Dict[str, Any]) -> None:
    ours, back = saved(classes["ours"]), saved(classes["back"])
    assert ours.keys() == back.keys()
    assert all(torch.equal(ours[name], back[name]) for name in ours)
    assert classes["back"].with_name("labels.txt").read_text() == NAMES
    model = torch.load(classes["back"], weights_only=False)["cfg"]["model"]
    assert (model["_name"], model["num_classes"]) == (CLASSIFIER, CLASSES)


def test_features_come_from_a_classifier_that_came_back(classes: Dict[str, Any]) -> None:
    with torch.no_grad():
        answer = classes["model"].model.extract_features(images())["x"]
        assert torch.equal(encoder(classes["back"]).extract_features(images())["x"], answer)


def test_another_number_of_names_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fine_tuned(tmp_path / "ours.pt")
    (tmp_path / "names.txt").write_text("one\ntwo\n")
    assert refused(tmp_path / "ours.pt", tmp_path / "theirs", "--labels", str(tmp_path / "names.txt"))
    assert "names.txt names 2 classes, the model has 7" in capsys.readouterr().err
    assert not (tmp_path / "theirs").exists()


def test_a_mean_that_leaves_out_a_patch_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fine_tuned(tmp_path / "ours.pt", reference_compat=True)
    assert refused(tmp_path / "ours.pt", tmp_path / "theirs")
    assert "`model.reference_compat` is True, but Hugging Face supports only False" in capsys.readouterr().err


def test_a_normalised_class_token_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fine_tuned(tmp_path / "ours.pt", pooling="class_token")
    assert refused(tmp_path / "ours.pt", tmp_path / "theirs")
    assert "`model.pooling` is 'class_token', but Hugging Face supports only 'mean'" in capsys.readouterr().err


def test_pooled_and_maskless_base_models_are_completed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As Facebook's own are: no final norm, no mask token, another epsilon."""
    config = transformers.Data2VecVisionConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=32, image_size=32
    )
    config.use_shared_relative_position_bias = True
    hf = transformers.Data2VecVisionModel(config).eval()
    hf.save_pretrained(tmp_path / "theirs")
    convert(tmp_path / "theirs", tmp_path / "ours.pt")
    told = capsys.readouterr().out
    assert "it has no final norm" in told
    assert "its mask embedding is zeros" in told
    ours = classifier(tmp_path / "ours.pt").eval().model
    img = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        assert_agree(ours.extract_features(img)["x"], hf(img).last_hidden_state[:, 1:])


def picture(width: int, height: int) -> Any:
    """Smooth shapes and some noise."""
    from PIL import Image

    rng = np.random.default_rng(width)
    coarse = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8)).resize((width, height), Image.BICUBIC)
    noise = rng.integers(-12, 13, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(coarse) + noise, 0, 255).astype(np.uint8))


PILLOW = {"backend": "pil"} if transformers.__version__ >= "5" else {}
TORCHVISION = {"backend": "torchvision"} if transformers.__version__ >= "5" else {"use_fast": True}


@pytest.mark.parametrize("shape", [(300, 200), (500, 333), (90, 70)])
@pytest.mark.parametrize(("backend", "most"), [(PILLOW, 1e-4), (TORCHVISION, 2.01)], ids=["pillow", "torchvision"])
def test_pixels_of_their_processor_are_those_of_our_evaluation(
    tmp_path: Path, shape: Any, backend: Dict[str, Any], most: float
) -> None:
    """In steps of 1/255: where Pillow resizes, all but the same; where torchvision does, off by a rounding or two.

    The sides of these pictures leave an even margin; of an odd one they leave the greater half on the other side.
    """
    pytest.importorskip("torchvision")
    if "use_fast" in backend and not hasattr(transformers, "CLIPImageProcessorFast"):
        pytest.skip(f"transformers {transformers.__version__} prepares these pictures with Pillow only")
    normalization = Normalization()
    mean, std = list(normalization.mean), list(normalization.std)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor(224, mean, std)))
    theirs = transformers.AutoImageProcessor.from_pretrained(str(tmp_path), **backend)
    pixels = theirs(picture(*shape), return_tensors="pt")["pixel_values"][0]
    ours = evaluation_transform(224, normalization)(picture(*shape), np.random.default_rng(0))
    assert float(((pixels - ours) * torch.tensor(std)[:, None, None] * 255).abs().max()) < most


def test_other_ways_to_prepare_pictures_are_told(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_bytes((base / "theirs" / name).read_bytes())
    beit = {"do_resize": True, "size": {"height": 16, "width": 16}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(beit))
    convert(folder, tmp_path / "ours.pt")
    assert "its images are preprocessed with `size` {'height': 16, 'width': 16}; here" in capsys.readouterr().out
