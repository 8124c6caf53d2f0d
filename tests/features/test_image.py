"""Features of pictures: those that the model gives to one as evaluation sees it; a broken one is told."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Dict, Optional

import numpy as np
import pytest
import torch
from features.made import assert_close, features, follow, index, read

pytest.importorskip("torchvision")
from images import encoded, photograph, write_tree
from models.tiny_image import classifier
from models.tiny_text import trainer_state
from models.tiny_vision import DIM, LAYERS, PIXELS, N, section, tiny_vision

from data2vec_plugin.data.image.transforms import Normalization, evaluation_transform
from data2vec_plugin.files.media.pictures import decode

TASK: Dict[str, Any] = {"_name": "image_pretraining", "data": "gone", "normalization_mean": [0.4, 0.5, 0.6]}


def checkpoint(path: Path, **settings: Any) -> Any:
    """An image model that has drifted from its teacher; returns it in evaluation mode."""
    model = tiny_vision(**settings)
    follow(model)
    torch.save(trainer_state({"model": section(**settings), "task": TASK}, model.state_dict()), path)
    return model.eval()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "data", {"a": 3, "b": 2})


def by_hand(model: Any, folder: Path, size: int = PIXELS, layer: Optional[int] = None) -> Dict[str, np.ndarray]:
    """What the registered model says of every picture alone."""
    found, transform = {}, evaluation_transform(size, Normalization(mean=(0.4, 0.5, 0.6)))
    for path in folder.rglob("*.JPEG"):
        img = transform(decode(path.read_bytes(), str(path)), np.random.default_rng(0)).unsqueeze(0)
        with torch.no_grad():
            result = model(img, mask=False, layer_results=layer is not None)
        x = result["x"] if layer is None else result["layer_results"][layer]
        found[path.relative_to(folder).with_suffix("").as_posix()] = x[0].numpy()
    return found


@pytest.mark.parametrize("shared", [False, True])
def test_features_are_the_models_own(tmp_path: Path, data: Path, shared: bool) -> None:
    model = checkpoint(tmp_path / "model.pt", shared_rel_pos_bias=shared)
    for name, batch in (("alone", "1"), ("all", "32")):
        assert features(tmp_path / "model.pt", data, tmp_path / name, "--batch", batch) == 0
        assert_close(read(tmp_path / name), by_hand(model, data))
    assert {(row["frames"], row["channels"]) for row in index(tmp_path / "all")} == {(str(N), str(DIM))}
    assert features(tmp_path / "model.pt", data, tmp_path / "layers", "--layer", f"1,{LAYERS - 1},last") == 0
    for name, array in read(tmp_path / "layers").items():
        np.testing.assert_allclose(array[0], by_hand(model, data, layer=1)[name], atol=2e-5)
        np.testing.assert_allclose(array[2], by_hand(model, data)[name], atol=2e-5)


@pytest.mark.parametrize("whole", [False, True], ids=["encoder", "model"])
def test_teacher(tmp_path: Path, data: Path, whole: bool) -> None:
    model = checkpoint(tmp_path / "model.pt", ema_transformer_only=not whole)
    assert features(tmp_path / "model.pt", data, tmp_path / "teacher", "--teacher") == 0
    assert features(tmp_path / "model.pt", data, tmp_path / "student") == 0
    averaged = model.method.ensure_teacher().module.encoder
    for part in ("transformer", *model.encoder.BORROWED):
        if getattr(averaged, part) is not None:
            setattr(model.encoder, part, getattr(averaged, part))
    assert (averaged.embedder is not None) == whole
    assert_close(read(tmp_path / "teacher"), by_hand(model, data))
    assert not np.allclose(read(tmp_path / "student")["a/000"], read(tmp_path / "teacher")["a/000"], atol=1e-2)


@pytest.mark.parametrize("teacher", [False, True])
def test_class_token(tmp_path: Path, data: Path, teacher: bool) -> None:
    model = checkpoint(tmp_path / "model.pt", ema_transformer_only=False)
    options = ("--pool", "class_token", "--layer", "1,last", *(["--teacher"] if teacher else []))
    assert features(tmp_path / "model.pt", data, tmp_path / "out", *options) == 0
    assert {row["frames"] for row in index(tmp_path / "out")} == {"1"}
    seen: Any = (model.method.ensure_teacher().module if teacher else model).encoder
    transform = evaluation_transform(PIXELS, Normalization(mean=(0.4, 0.5, 0.6)))
    for name, array in read(tmp_path / "out").items():
        picture = decode((data / f"{name}.JPEG").read_bytes(), name)
        img = transform(picture, np.random.default_rng(0)).unsqueeze(0)
        with torch.no_grad():
            encoded = seen.encode(seen.embed(img), with_extra=True, record=("block",))
        expected = torch.stack([encoded.signal("block")[1][0, 0], encoded.x[0, 0]]).numpy()
        np.testing.assert_allclose(array, expected, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("size", [None, 2 * PIXELS])
def test_fine_tuned(tmp_path: Path, data: Path, size: Optional[int]) -> None:
    """A classifier may be for larger images than its encoder was trained on."""
    checkpoint(tmp_path / "model.pt")
    model: Any = classifier(tmp_path / "model.pt", image_size=size)
    cfg = {"model": dict(model.cfg), "task": {**TASK, "_name": "image_classification"}}
    torch.save(trainer_state(cfg, model.state_dict()), tmp_path / "tuned.pt")
    assert features(tmp_path / "tuned.pt", data, tmp_path / "out") == 0
    assert_close(read(tmp_path / "out"), by_hand(model.eval().model, data, size or PIXELS))


def test_broken_pictures_are_skipped_by_name(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint(tmp_path / "model.pt")
    whole = (data / "a" / "000.JPEG").read_bytes()
    for name, content in (("cut.jpg", whole[:400]), ("empty.png", b""), ("text.png", b"no picture")):
        (data / name).write_bytes(content)
    assert features(tmp_path / "model.pt", data, tmp_path / "out") == 1
    told = capsys.readouterr()
    assert "5 of 8 items (0 already there, 3 skipped)" in told.out
    for name in ("cut.jpg", "empty.png", "text.png"):
        assert f"skipped {data}/{name}: cannot be read" in told.err


def test_a_fault_of_pillows_own_skips_the_picture_alone(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A TIFF whose strips begin at a string instead of a number, for which Pillow has a TypeError."""
    checkpoint(tmp_path / "model.pt")
    strips, number, string = 273, 4, 2
    whole, entry = encoded(photograph(0), "TIFF"), struct.pack("<HH", strips, number)
    assert whole.count(entry) == 1
    (data / "odd.tif").write_bytes(whole.replace(entry, struct.pack("<HH", strips, string)))
    assert features(tmp_path / "model.pt", data, tmp_path / "out") == 1
    told = capsys.readouterr()
    assert "5 of 6 items (0 already there, 1 skipped)" in told.out
    assert f"skipped {data}/odd.tif: cannot be read" in told.err


def test_in_memory_as_in_a_file(tmp_path: Path, data: Path) -> None:
    from PIL import Image

    import data2vec_plugin

    checkpoint(tmp_path / "model.pt")
    assert features(tmp_path / "model.pt", data, tmp_path / "out", "--pool", "class_token") == 0
    encoder = data2vec_plugin.load(tmp_path / "model.pt", device="cpu")
    assert (encoder.modality, encoder.sample_rate) == ("image", None)
    expected = read(tmp_path / "out")
    paths = [data / f"{name}.JPEG" for name in expected]
    pictures = [Image.open(path) for path in paths]
    arrays = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    for given in (paths, pictures, arrays, [torch.from_numpy(array.copy()) for array in arrays]):
        for found, row in zip(encoder.encode(given, pool="class_token", batch=2), expected.values()):
            np.testing.assert_allclose(found.numpy(), row, atol=2e-5)
    grey = encoder.encode(np.full((40, 30), 7, np.uint8))
    assert grey.shape == (N, DIM)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros((3, 40, 40), np.float32), r"has shape \(3, 40, 40\) of float32; expected uint8"),
        (np.zeros((2, 40, 40, 3), np.uint8), r"has shape \(2, 40, 40, 3\) of uint8"),
        (7, "is a int; expected an image"),
        ("gone.png", "gone.png: .*"),
    ],
)
def test_what_is_no_picture_in_memory(tmp_path: Path, source: Any, message: str) -> None:
    import data2vec_plugin

    checkpoint(tmp_path / "model.pt")
    with pytest.raises(ValueError, match=message):
        data2vec_plugin.load(tmp_path / "model.pt").encode(source)
