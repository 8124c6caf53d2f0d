"""The image quickstart: the pictures that it writes, its commands, its probes, and the report that it draws."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest

pytest.importorskip("torchvision")
pytest.importorskip("sklearn")

import torch
from examples.scripts import scripts
from models import tiny_multi
from models.tiny_text import trainer_state
from models.tiny_vision import PIXELS, SIDE, section, tiny_vision
from runs.log_lines import log_lines

from data2vec_plugin.runs.stages import Record, Runner
from data2vec_plugin.runs.two_starts import read_accuracy

OPTIONS = {"size": PIXELS, "shots": 3, "valid": 2, "test": 4}


@pytest.fixture(scope="module")
def image() -> Iterator[SimpleNamespace]:
    with scripts("image", "pictures", "probe", "report_image", "run", "strips") as found:
        yield found


@pytest.fixture(scope="module")
def folder(image: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits") / "pictures"
    image.pictures.write(folder, **OPTIONS, seed=1)
    return folder


def numbers(folder: Path, split: str) -> "set[str]":
    return {path.stem for path in (folder / split).rglob("*.png")}


def test_no_picture_is_in_two_splits_and_labels_are_few(folder: Path) -> None:
    splits = {split: numbers(folder, split) for split in ("train", "valid", "test")}
    assert len(set.union(*splits.values())) == sum(map(len, splits.values())) == 1797
    assert (len(splits["valid"]), len(splits["test"])) == (20, 40)
    assert len(numbers(folder, "labelled")) == 30
    assert numbers(folder, "labelled") <= splits["train"]
    assert all(len(list(each.iterdir())) == 3 for each in (folder / "labelled").iterdir())


def test_pictures_are_the_scans_in_the_folder_of_their_digit(folder: Path) -> None:
    from PIL import Image
    from sklearn.datasets import load_digits

    scans = load_digits()
    for path in (folder / "test").rglob("*.png"):
        drawn, scan = Image.open(path), scans.images[int(path.stem)]
        assert drawn.size == (PIXELS, PIXELS)
        assert path.parent.name == str(scans.target[int(path.stem)])
        small = numpy.asarray(drawn.resize((8, 8), Image.Resampling.BOX)) / 255 * 16
        assert numpy.corrcoef(small.ravel(), scan.ravel())[0, 1] > 0.95


def test_the_split_follows_the_seed(image: SimpleNamespace, folder: Path, tmp_path: Path) -> None:
    for name, seed in (("again", 1), ("other", 2)):
        image.pictures.write(tmp_path / name, **OPTIONS, seed=seed)
    assert numbers(tmp_path / "again", "labelled") == numbers(folder, "labelled")
    assert numbers(tmp_path / "other", "labelled") != numbers(folder, "labelled")


@pytest.mark.parametrize("counts", [{"shots": 0}, {"test": 500}])
def test_counts_that_do_not_fit_are_refused(image: SimpleNamespace, tmp_path: Path, counts: "dict[str, int]") -> None:
    with pytest.raises(SystemExit, match=r"do not fit into the \d+ scans of digit 0"):
        image.pictures.write(tmp_path, **{**OPTIONS, **counts}, seed=1)


@pytest.mark.parametrize("method", [1, 2])
def test_both_trainings_with_labels_differ_in_their_start_only(image: SimpleNamespace, method: int) -> None:
    commands = {stage.name: stage.command for stage in image.run.stages(image.run.METHODS[method], 1, "out")}
    pretrained = set(commands["finetune"]) - {"checkpoint.save_dir=out/finetune"}
    scratch = set(commands["scratch"]) - {"checkpoint.save_dir=out/scratch"}
    assert scratch - pretrained == {"+model.no_pretrained_weights=true"}
    assert not pretrained - scratch


def test_nothing_is_trained_or_chosen_on_the_test_pictures(image: SimpleNamespace) -> None:
    profile = image.run.Profile()
    assert profile.shots <= 10
    for stage in image.run.stages(profile, 1, "out"):
        told = [word for word in stage.command if "test" in word.split("=")[-1].split("/")]
        assert bool(told) == stage.name.startswith("test-"), stage.name


def test_probes_learn_from_the_labelled_pictures(image: SimpleNamespace) -> None:
    def vector(split: str, digit: int, number: int) -> "tuple[str, numpy.ndarray]":
        return f"{split}/{digit}/{number}", numpy.array([digit, number / 100 if split != "train" else -digit])

    splits = [
        (split, digit, number) for split in ("train", "labelled", "test") for digit in (0, 1) for number in range(4)
    ]
    assert image.probe.scores(dict(vector(*each) for each in splits)) == {"knn": 100.0, "linear": 100.0}


def test_pixels_and_features_have_the_same_names(image: SimpleNamespace, folder: Path, tmp_path: Path) -> None:
    pixels = image.probe.read_pixels(folder)
    assert pixels["test/3/" + next((folder / "test" / "3").glob("*.png")).stem].shape == (PIXELS * PIXELS,)
    numpy.save(tmp_path / "features.npy", numpy.arange(6).reshape(3, 2))
    rows = "".join(f"{name}\tfeatures.npy\t{row}\t4\t2\tx\n" for name, row in (("test/0/0007", 2), ("train/1/0008", 0)))
    (tmp_path / "index.tsv").write_text("id\tfile\tkey\tframes\tchannels\tstamp\n" + rows)
    read = image.probe.read_features(tmp_path)
    assert {name: vector.tolist() for name, vector in read.items()} == {"test/0/0007": [4, 5], "train/1/0008": [0, 1]}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pretrain") / "checkpoint_last.pt"
    task = {"_name": "image_pretraining", "normalization_mean": [0.3] * 3, "normalization_std": [0.4] * 3}
    torch.save(trainer_state({"model": section(), "task": task}, tiny_vision().state_dict()), path)
    return path


def test_attention_is_what_the_last_layer_multiplies_values_with(image: SimpleNamespace, checkpoint: Path) -> None:
    from data2vec_plugin.checkpoints.encoder_checkpoint import build_encoder, open_checkpoint

    model = build_encoder(open_checkpoint(checkpoint), teacher=False)
    layer, batch = model.encoder.transformer.layers[-1].self_attn, torch.randn(2, 3, PIXELS, PIXELS)
    with torch.no_grad():
        found = image.strips.last_attention(model, batch)
        for parameter in (layer.v_proj.weight, layer.out_proj.weight, layer.v_proj.bias, layer.out_proj.bias):
            parameter.zero_()
        # a value of 1 at one patch comes out of every query as the attention which that patch got
        layer.out_proj.weight.copy_(torch.eye(len(layer.out_proj.weight)))
        seen: list[torch.Tensor] = []
        layer.v_proj.register_forward_hook(
            lambda *_: (
                torch.nn.functional.one_hot(torch.tensor(5), SIDE * SIDE + 1)
                .float()[None, :, None]
                .expand(2, -1, len(layer.v_proj.weight))
            )
        )
        layer.register_forward_hook(lambda _, __, output: seen.append(output))
        model(batch, mask=False)
    assert found.shape == (2, SIDE, SIDE)
    torch.testing.assert_close(found.flatten(1)[:, 4], seen[0][:, 1:].mean((1, 2)))  # the class token comes first


@pytest.fixture(scope="module")
def checkpoint_2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of data2vec 2.0, whose attention has one matrix for queries, keys and values."""
    path = tmp_path_factory.mktemp("pretrain2") / "checkpoint_last.pt"
    model = tiny_multi.section("image", of={"image": {"input_size": PIXELS}})
    task = {"_name": "image_pretraining", "normalization_mean": [0.3] * 3, "normalization_std": [0.4] * 3}
    weights = tiny_multi.tiny_multi("image", of={"image": {"input_size": PIXELS}}).state_dict()
    torch.save(trainer_state({"model": model, "task": task}, weights), path)
    return path


@pytest.mark.parametrize("made", ["checkpoint", "checkpoint_2"])
def test_writes_the_report(
    image: SimpleNamespace,
    folder: Path,
    made: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    request: pytest.FixtureRequest,
) -> None:
    pytest.importorskip("matplotlib")
    checkpoint = request.getfixturevalue(made)
    runner = Runner(tmp_path, tmp_path)
    runner.records["pretrain"] = Record("x", True, 60.0, 1.5)
    (tmp_path / "logs").mkdir()
    (tmp_path / "pretrain").symlink_to(checkpoint.parent)
    (tmp_path / "pictures").symlink_to(folder)
    runner.log("pretrain").write_text(log_lines(100, loss=2.0, target_var=1.0, pred_var=1.0))
    for name, accuracy in (("finetune", "87.5"), ("scratch", "75")):
        runner.log(name).write_text(log_lines(50, loss=2.0, accuracy=900.0))
        runner.log(f"test-{name}").write_text(f'x {{"test_loss": "1", "test_accuracy": "{accuracy}"}}\n')
    probes = {
        kind: {"knn": 50.0, "linear": number} for number, kind in enumerate(("pretrained", "untrained", "pixels"))
    }
    (tmp_path / "probe.json").write_text(json.dumps(probes))
    splits = {split: image.run.count_pictures(folder / split) for split in ("train", "labelled", "valid", "test")}
    image.report_image.write_report(runner, {"seed": 1, "method": 1, "pictures": splits}, None, tmp_path / "none", 61.0)
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["accuracy_pretrained"], report["accuracy_scratch"]) == (87.5, 75.0)
    assert (report["accuracy_knn"], report["accuracy_linear"], report["accuracy_linear_untrained"]) == (50.0, 0, 1)
    assert (report["accuracy_majority"], report["seconds_total"]) == (10.0, 60.0)
    assert report["pictures"] == {"train": 1737, "labelled": 30, "valid": 20, "test": 40}
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    assert "40 test images of ten digits" in capsys.readouterr().out
    (tmp_path / "logs" / "test-scratch.log").write_text("nothing\n")
    with pytest.raises(ValueError, match="printed no accuracy"):
        read_accuracy(runner.log("test-scratch"))
