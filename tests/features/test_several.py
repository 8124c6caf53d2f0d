"""Features, facts and classifiers' encoders of data2vec 2.0: upstream's recorded checkpoints, and one of several."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from features.made import features, read, several_checkpoint
from images import write_tree
from parity.cases import HERE
from speech import write_clip

import data2vec_plugin
from data2vec_plugin.checkpoints.encoder_checkpoint import build_encoder, open_checkpoint
from data2vec_plugin.checkpoints.inspection import next_steps
from data2vec_plugin.checkpoints.summary import summarise

OFFICIAL = {name: HERE / f"official_style_v2_{name}" / "checkpoint.pt" for name in ("audio", "image", "text")}


def speech(folder: Path) -> Path:
    """Clips of several lengths, none shorter than a frame."""
    for number, samples in enumerate((900, 2500, 1700)):
        write_clip(folder / f"c{number}.wav", samples, seed=number)
    return folder


def test_speech_padded_is_alone_and_the_teacher_is_another(tmp_path: Path) -> None:
    data = speech(tmp_path / "data")
    assert features(OFFICIAL["audio"], data, tmp_path / "all", "--layer", "0,last") == 0
    assert features(OFFICIAL["audio"], data, tmp_path / "teacher", "--teacher") == 0
    together, averaged = read(tmp_path / "all"), read(tmp_path / "teacher")
    model = build_encoder(open_checkpoint(OFFICIAL["audio"]), teacher=False)
    encoder = data2vec_plugin.load(OFFICIAL["audio"], device="cpu")
    assert encoder.layers == len(model.encoder.transformer.layers)
    for name, both in together.items():
        alone = encoder.encode(data / f"{name}.wav", layer=[0, "last"]).numpy()
        np.testing.assert_allclose(both, alone, atol=2e-5, err_msg=name)
        assert not np.allclose(both[1], averaged[name], atol=1e-3)


def test_images_by_patch_and_by_class_token(tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    data = write_tree(tmp_path / "data", {"a": 2})
    for pool in ("none", "class_token"):
        assert features(OFFICIAL["image"], data, tmp_path / pool, "--pool", pool) == 0
    patches, tokens = read(tmp_path / "none"), read(tmp_path / "class_token")
    model = build_encoder(open_checkpoint(OFFICIAL["image"]), teacher=False)
    rows, columns = model.encoder.embedder.image.grid
    assert all(array.shape == (rows * columns, model.config.transformer.dim) for array in patches.values())
    assert all(array.shape == (model.config.transformer.dim,) for array in tokens.values())


def test_one_of_several_modalities(tmp_path: Path) -> None:
    path = several_checkpoint(tmp_path / "model.pt")
    facts = summarise(path)
    assert (facts.kind, facts.modalities) == ("pretrained", ("speech", "text", "image"))
    told = {**vars(facts)}
    assert [step for step in next_steps(told) if "--modality image" in step]
    with pytest.raises(ValueError, match=r"is of speech, text, image; select one with `--modality`"):
        data2vec_plugin.load(path, device="cpu")
    with pytest.raises(ValueError, match=r"`--modality` is 'smell'"):
        data2vec_plugin.load(path, device="cpu", modality="smell")
    data = speech(tmp_path / "data")
    assert features(path, data, tmp_path / "out", "--modality", "speech", "--teacher") == 0
    (tmp_path / "lines.txt").write_text("w1 w2 w3\n")
    text = data2vec_plugin.load(path, device="cpu", modality="text", symbols=True)
    assert text.encode("w1 w2").shape[0] == 4
    model = build_encoder(open_checkpoint(path).of("image"), teacher=False)
    assert [name for name in model.state_dict() if "AUDIO" in name or "TEXT" in name] == []


@pytest.mark.parametrize(("name", "modality"), [("audio", "speech"), ("image", "image"), ("text", "text")])
def test_what_it_is(name: str, modality: str) -> None:
    facts = summarise(OFFICIAL[name])
    assert (facts.kind, facts.model, facts.modality) == ("pretrained", "data2vec_multi", modality)
    section = open_checkpoint(OFFICIAL[name]).root["model"]
    assert (facts.layers, facts.width, facts.heads) == (section["depth"], section["embed_dim"], section["num_heads"])
    assert facts.teacher
    assert next_steps({**vars(facts)})
