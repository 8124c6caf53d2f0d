"""Raw clips by the real commands: features, a training on them, predictions that equal its last validation."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torchvision")
from clip_files import ROWS, options, write_clips, write_stream_encoders, write_table
from forked_commands import run
from speech import ROOT

from data2vec_plugin.runs.training_log import read_training_log

TRAINING = (
    *("fairseq-hydra-train", "--config-dir", str(ROOT / "configs"), "--config-name", "mtag_iemocap", "+run=cpu"),
    *("task.data=data", "task.emotions=sum", "task.classes=3", "+task.normalize=true", "checkpoint.save_dir=run"),
    *("model.dim=16", "model.layers=2", "dataset.num_workers=0", "dataset.batch_size=2", "dataset.valid_subset=valid"),
    *("optimization.max_epoch=2", "common.log_interval=1", "common.log_format=json"),
)


def test_clips_are_encoded_trained_on_and_predicted(tmp_path: Path) -> None:
    write_clips(tmp_path)
    write_table(tmp_path / "valid.tsv", [row for row in ROWS if row[0] != "nothing"])
    streams = options(write_stream_encoders(tmp_path / "encoders"))
    run(["data2vec", "multimodal", "encode", "train.tsv", "valid.tsv", "--out", "data", *streams], cwd=tmp_path)
    log = tmp_path / "train.log"
    log.write_text(run(TRAINING, cwd=tmp_path))
    run(
        ["data2vec", "multimodal", "predict", "run/checkpoint_last.pt", "valid.tsv", "--out", "said.json", *streams],
        cwd=tmp_path,
    )
    found = json.loads((tmp_path / "said.json").read_text())
    assert (found["predicted"], found["updates"]) == (4, 4)
    logged = read_training_log(log)
    assert found["metrics"]["accuracy_sum"] == logged["valid/accuracy_sum"].values[-1]
    assert found["metrics"]["f1"] == pytest.approx(logged["valid/f1"].values[-1], abs=1e-4)
