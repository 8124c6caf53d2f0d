"""The model: frozen means frozen, padding does not count, a checkpoint needs no other file, classic encoders."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest
import torch
from features.made import several_checkpoint
from meme_files import MEAN, STD, model_section, task_on, write_encoders, write_memes
from models.tiny_vision import DIM, PIXELS
from omegaconf import OmegaConf

import data2vec_plugin
from data2vec_plugin.checkpoints.encoder_checkpoint import build_encoder, open_checkpoint
from data2vec_plugin.data.text.dictionary_file import load_dictionary
from data2vec_plugin.models.meme_classifier.caption_readers import read_captions
from data2vec_plugin.models.meme_classifier.kept_files import packed, unpacked

CAPTIONS = ["w1 w2 w3 w4 w5", "w6", "", "w7 w8"]


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Tuple[Path, Path]:
    return write_encoders(tmp_path_factory.mktemp("encoders"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_memes(tmp_path_factory.mktemp("memes") / "data")


def built(encoders: Tuple[Path, Path], data: Path, **keys: Any) -> Any:
    torch.manual_seed(3)
    return task_on(data).build_model(model_section(encoders, **keys))


def pixels(count: int = 4) -> torch.Tensor:
    return torch.rand(count, 3, PIXELS, PIXELS, generator=torch.Generator().manual_seed(0))


def test_vectors_are_means_of_the_pretrained_encoders(encoders: Tuple[Path, Path], data: Path) -> None:
    found = built(encoders, data).encode(pixels(), CAPTIONS)
    image = build_encoder(open_checkpoint(encoders[0]), teacher=False)
    normal = (pixels() - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    dictionary = load_dictionary(encoders[1].parent / "dict.txt")
    dictionary.add_symbol("<mask>")
    text: Any = build_encoder(open_checkpoint(encoders[1]), teacher=False, dictionary=dictionary)
    ids = torch.tensor([[dictionary.bos(), dictionary.index("w7"), dictionary.index("w8"), dictionary.eos()]])
    with torch.no_grad():
        patches = image.encoder.encode(image.encoder.embed(normal)).x
        tokens = text.encoder.encode(text.encoder.embed(ids)).x
    assert torch.allclose(found["image"], patches.mean(1), atol=1e-6)
    assert torch.allclose(found["text"][3], tokens[0].mean(0), atol=1e-5)


def test_encoders_of_data2vec_2_read_as_features_do(data: Path, tmp_path: Path) -> None:
    path = several_checkpoint(tmp_path / "model.pt")
    task = task_on(
        data, input_size=open_checkpoint(path).of("image").root["model"]["modalities"]["image"]["input_size"]
    )
    model = task.build_model(model_section((path, path)))
    captions = ["w7 w8", "w1 w2 w3 w4 w5"]
    found = model.encode(torch.zeros(2, 3, task.cfg.input_size, task.cfg.input_size), captions)
    text = data2vec_plugin.load(path, device="cpu", modality="text", symbols=True)
    expected = torch.stack([row.mean(0) for row in text.encode(captions)])
    assert torch.allclose(found["text"], expected, atol=1e-5)


def test_padding_never_counts(encoders: Tuple[Path, Path], data: Path) -> None:
    model = built(encoders, data).eval()
    together = model(pixels(), CAPTIONS)
    alone = torch.cat([model(pixels()[row : row + 1], [caption]) for row, caption in enumerate(CAPTIONS)])
    assert torch.allclose(together, alone, atol=1e-5)
    assert together.isfinite().all()  # an empty caption has its marks


def test_frozen_encoders_stay_in_evaluation_and_learn_nothing(encoders: Tuple[Path, Path], data: Path) -> None:
    model = built(encoders, data).train()
    assert model.classifier.training
    assert not any(part.training for part in model.encoders.modules())
    first, second = (model.encode(pixels(), CAPTIONS) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    model(pixels(), CAPTIONS).sum().backward()
    assert all(parameter.grad is None for parameter in model.encoders.parameters())
    assert not any(parameter.requires_grad for parameter in model.encoders.parameters())  # fairseq's optimizer asks
    assert all(parameter.grad is not None for parameter in model.classifier.parameters())
    assert model.update_rules() == {}


def test_trained_encoders_drop_and_learn_slowly(encoders: Tuple[Path, Path], data: Path) -> None:
    model = built(encoders, data, freeze=False, encoder_lr_scale=0.5).train()
    first, second = (model.encode(pixels(), CAPTIONS)["text"] for _ in range(2))
    assert not torch.equal(first, second)
    model(pixels(), CAPTIONS).sum().backward()
    learned = [name for name, parameter in model.encoders.named_parameters() if parameter.grad is not None]
    assert {name.partition(".")[0] for name in learned} == {"image", "text"}
    rules = model.update_rules()
    assert {rule.lr_scale for rule in rules.values()} == {0.5}
    assert set(rules) == {name for name, _ in model.named_parameters() if name.startswith("encoders.")}
    assert not model.wants_statistics


@pytest.mark.parametrize("modalities", ["image,text", "image", "text"])
def test_a_checkpoint_needs_no_other_file(
    encoders: Tuple[Path, Path], data: Path, modalities: str, tmp_path: Path
) -> None:
    copies = (tmp_path / "image", tmp_path / "text")
    for folder, path in zip(copies, encoders):
        shutil.copytree(path.parent, folder)
    section = model_section((copies[0] / "image.pt", copies[1] / "text.pt"), modalities=modalities)
    model = task_on(data).build_model(section).eval()
    model.standardizer.follow(torch.randn(9, DIM * len(modalities.split(","))))
    model.validations["valid"] = [0.5, 0.75]
    torch.save({"cfg": OmegaConf.to_container(model.cfg, resolve=True), "model": model.state_dict()}, tmp_path / "c.pt")
    for folder in copies:
        shutil.rmtree(folder)
    saved = torch.load(tmp_path / "c.pt", weights_only=True)
    again = task_on(tmp_path / "elsewhere").build_model(OmegaConf.create(saved["cfg"]), from_checkpoint=True).eval()
    again.load_state_dict(saved["model"], strict=True)
    assert torch.equal(model(pixels(), CAPTIONS), again(pixels(), CAPTIONS))
    assert again.validations == {"valid": [0.5, 0.75]}
    assert str(tmp_path) not in str(saved["cfg"])
    assert list(again.encoders) == modalities.split(",")


def test_long_captions_are_cut(encoders: Tuple[Path, Path], data: Path) -> None:
    model = built(encoders, data, max_tokens=4)
    reader = model.encoders["text"].reader
    ids, padding = read_captions(reader, ["w1 w2 w3 w4", "w1"], 4)
    assert ids.shape == (2, 4)
    assert ids[0, -1] == 2
    assert padding.tolist() == [[False] * 4, [False] * 3 + [True]]
    found = model.encode(pixels(2), ["w1 w2 w3 w4", "w1 w2"])["text"]
    assert torch.allclose(found[0], found[1], atol=1e-6)
    endless = built(encoders, data).encode(pixels(1), ["w1 " * 500])["text"]
    assert endless.isfinite().all()


def test_released_pixels_are_turned_around_and_left_as_they_are(encoders: Tuple[Path, Path], data: Path) -> None:
    model = built(encoders, data, release_preprocessing=True)
    assert torch.equal(model.encoders["image"].pixels(pixels()), pixels().flip(1))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"modalities": "smell"}, r"`model\.modalities` is 'smell'"),
        ({"modalities": "image,image"}, r"`model\.modalities`"),
        ({"image_encoder": "resnet"}, r"`model\.image_encoder` is 'resnet'; expected data2vec or vgg16"),
        ({"image_path": None}, r"`model\.image_path` is not set"),
        ({"dropout": 1.0}, r"`model\.dropout` 1"),
        ({"max_tokens": 2}, r"`model\.max_tokens` is 2"),
        ({"encoder_lr_scale": 0.0}, r"`model\.encoder_lr_scale` is 0"),
    ],
)
def test_keys_are_checked(encoders: Tuple[Path, Path], data: Path, keys: Dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        built(encoders, data, **keys)


def test_encoders_of_another_modality_or_size_are_refused(encoders: Tuple[Path, Path], data: Path) -> None:
    with pytest.raises(ValueError, match=r"`model\.image_path` is .*data2vec_text`, which reads text"):
        built((encoders[1], encoders[1]), data)
    with pytest.raises(ValueError, match=r"`task\.input_size` is 32, but the image encoder requires 16"):
        task_on(data, input_size=32).build_model(model_section(encoders))


def test_kept_files_come_back_and_damage_is_told() -> None:
    files = {"dict.txt": b"a 1\n", "spm.model": bytes(range(256)) * 40}
    assert unpacked(packed(files)) == files
    assert torch.equal(packed(files), packed(dict(reversed(list(files.items())))))
    with pytest.raises(ValueError, match="kept in the checkpoint are damaged"):
        unpacked(packed(files)[:50])


def test_an_entry_that_claims_a_password_is_damage() -> None:
    content = packed({"dict.txt": b"a 1\n"})
    central = bytes(content.tolist()).rindex(b"PK\x01\x02")
    content[central + 8] |= 1
    with pytest.raises(ValueError, match="are damaged"):
        unpacked(content)


def test_vgg_is_cut_before_its_last_relu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = pytest.importorskip("torchvision.models")
    from data2vec_plugin.models.meme_classifier import classic_encoders

    def small(weights: Any = None) -> torch.nn.Module:
        """VGG-16's layout in small: the real one's first linear layer alone has 400 MB."""
        features = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.AdaptiveAvgPool2d(7))
        with torch.device("meta"):
            net = models.VGG(features, num_classes=3)
        net.classifier[0], net.classifier[3] = torch.nn.Linear(98, 8), torch.nn.Linear(8, 8)
        net.classifier[6] = torch.nn.Linear(8, 3)
        return net

    monkeypatch.setattr(models, "vgg16", small)
    torch.manual_seed(0)
    whole = small().eval()
    torch.save(whole.state_dict(), tmp_path / "vgg.pth")
    img = torch.rand(2, 3, 9, 9)
    for relu in (False, True):
        encoder = classic_encoders.vgg_from(str(tmp_path / "vgg.pth"), relu, True).eval()
        expected = torch.flatten(whole.avgpool(whole.features(img.flip(1))), 1)
        for step in list(whole.classifier)[: 5 if relu else 4]:
            expected = step(expected)
        assert torch.equal(encoder(img), expected)
        assert bool((expected < 0).any()) is not relu
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(
        ValueError, match=r"`model\.image_path` is .*other\.pth, which does not hold torchvision's vgg16 weights"
    ):
        classic_encoders.vgg_from(str(tmp_path / "other.pth"), False, False)
    with pytest.raises(ValueError, match=r"gone\.pth; expected torchvision's vgg16 weights file"):
        classic_encoders.vgg_from(str(tmp_path / "gone.pth"), False, False)


def test_bert_reads_by_its_own_tokenizer_and_leaves_padding_out(tmp_path: Path, data: Path) -> None:
    transformers = pytest.importorskip("transformers")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "so", "it", "goes", "##es"]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    torch.manual_seed(0)
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    section = model_section((tmp_path, tmp_path), text_encoder="bert", modalities="text")
    model = task_on(data).build_model(section).eval()
    captions = ["so it goes so it goes", "so", ""]
    together = model.encode(captions=captions)["text"]
    alone = torch.cat([model.encode(captions=[caption])["text"] for caption in captions])
    assert torch.allclose(together, alone, atol=1e-5)
    assert model.encoders["text"].reader.row("so it unknown", 50) == [2, 5, 6, 1, 3]
    assert len(model.encoders["text"].reader.row("so " * 90, 50)) == 50
    again = task_on(data).build_model(model.cfg, from_checkpoint=True).eval()
    again.load_state_dict(model.state_dict(), strict=True)
    assert torch.equal(again.encode(captions=captions)["text"], together)
    with pytest.raises(ValueError, match=r"`model\.text_path` is .*; expected a Hugging Face folder of BERT"):
        task_on(data).build_model(model_section((data, data), text_encoder="bert", modalities="text"))
