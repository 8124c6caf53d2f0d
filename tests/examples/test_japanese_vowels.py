"""Speech as three streams: what is cut out of a recording, the trainings that are started, the table's figures."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from documented_commands import composed
from examples.scripts import scripts

from data2vec_plugin.data.multimodal.samples import Split, Target
from data2vec_plugin.files.multimodal.sequences import MODALITIES, read_features
from data2vec_plugin.models.mtag import MTAGModelConfig, mtag_config
from data2vec_plugin.multimodal.fusion import MTAG

FRAMES = (7, 12)


@pytest.fixture(scope="module")
def example() -> Iterator[SimpleNamespace]:
    with scripts("mtag", "vowel_streams", "japanese_vowels") as found:
        yield found


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two utterances, as the package has them; cepstrum c of frame f is 100 c + f."""
    lines = ["#speech", "@problemName JapaneseVowels", "@data"]
    for speaker, count in enumerate(FRAMES, start=1):
        lines.append(":".join(",".join(str(100 * c + f) for f in range(count)) for c in range(12)) + f":{speaker}")
    path = tmp_path / "JapaneseVowels_TRAIN.ts"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_streams_keep_time_by_clocks_of_their_own(example: SimpleNamespace, recording: Path, tmp_path: Path) -> None:
    utterances = example.vowel_streams.read_utterances(recording)
    example.vowel_streams.write_split(utterances, tmp_path / "data", "train")
    split = Split.of(tmp_path / "data", "train", Target(("speaker",), 9), MODALITIES)
    assert split.labels == [[0], [1]]
    assert [sample.lengths for sample in split.samples] == [(7, 4, 3), (12, 6, 4)]
    features = read_features(split.samples[1])
    for step, (name, first) in enumerate(zip(MODALITIES, (0, 400, 800)), start=1):
        assert np.array_equal(features[name][:, 0], first + np.arange(0, 12, step))
        assert np.array_equal(features[name][0], first + 100 * np.arange(4))


def test_other_recordings_and_none_are_told(
    example: SimpleNamespace, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording.write_text("@data\n1,2:3,4:1\n")
    with pytest.raises(ValueError, match="has 2 channels in a line; expected 12"):
        example.vowel_streams.read_utterances(recording)
    monkeypatch.setattr(example.vowel_streams, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install --no-deps aeon"):
        example.vowel_streams.recordings()


def test_every_row_is_a_training_that_our_recipe_takes(example: SimpleNamespace) -> None:
    first, *rows = example.japanese_vowels.stages("outputs/vowels")
    assert first.command[1] == "examples/mtag/vowel_streams.py"
    assert [row.name for row in rows] == list(example.japanese_vowels.ROWS)
    found = {}
    for row in rows:
        words = [word for word in row.command if word not in ("--multirun", "common.seed=0,1,2")]
        cfg = composed(shlex.join(words))
        keys = {key: cfg.model[key] for key in MTAGModelConfig.__dataclass_fields__ if key in cfg.model}
        sizes = {f"{name}_dim": 4 for name in MODALITIES}
        found[row.name] = mtag_config(MTAGModelConfig(**{**keys, **sizes, "outputs": 9}))
        assert cfg.optimization.max_epoch == 40
    assert sum(weights.numel() for weights in MTAG(found["three"]).parameters()) == 15_393
    assert [len(found[name].dims) for name in ("one", "two", "three")] == [1, 2, 3]
    assert (found["no_pruning"].prune.kind, found["random_pruning"].prune.kind) == ("none", "random")
    assert (found["no_edge_types"].edges.count, found["time_edges"].edges.count) == (1, 3)


def line(epoch: int, accuracy: float) -> str:
    stats = {"epoch": epoch, "test_accuracy": str(accuracy), "test_num_updates": str(9 * epoch)}
    return f"2026-01-01 10:00:00 | INFO | test | {json.dumps(stats)}\n"


def test_the_table_holds_the_last_epoch_of_every_seed(
    example: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, name in enumerate(example.japanese_vowels.ROWS):
        for seed in example.japanese_vowels.SEEDS:
            log = tmp_path / "runs" / name / str(seed) / "train.log"
            log.parent.mkdir(parents=True)
            accuracies = (0.1, 0.8 + place / 100 + seed / 1000)
            log.write_text("".join(line(epoch, accuracy) for epoch, accuracy in enumerate(accuracies, start=1)))
    found = example.japanese_vowels.accuracies(tmp_path)
    assert found["two"] == pytest.approx([0.81, 0.811, 0.812])
    assert example.japanese_vowels.wins(found, 0.96)
    assert not example.japanese_vowels.wins(found, 0.8)
    example.japanese_vowels.show(found, 0.96)
    said = capsys.readouterr().out
    assert "two streams" in said
    assert "0.811" in said
    assert "0.960" in said
    example.japanese_vowels.draw(found, 0.96, tmp_path / "report.png")
    assert (tmp_path / "report.png").stat().st_size > 10_000
