"""Pre-training through the real fairseq-hydra-train."""

import shutil
from pathlib import Path
from typing import Dict

import pytest
import torch
from end_to_end_commands import LONG, pretrain_command
from forked_commands import run

from data2vec_plugin.data.resumable import RULE
from data2vec_plugin.data.sample_seeds import HASHED, OWN
from data2vec_plugin.runs.training_log import read_training_log

pytestmark = pytest.mark.xdist_group("speech")


def losses(text: str, folder: Path) -> Dict[int, float]:
    log = folder / "parsed.log"
    log.write_text(text)
    series = read_training_log(log)["train_inner/loss"]
    return dict(zip(series.updates, series.values))


def test_checkpoint_is_upstreams_layout_with_teacher_count_and_format(pretrained: Path) -> None:
    state = torch.load(pretrained / "checkpoint_last.pt", map_location="cpu", weights_only=False)["model"]
    assert {"mask_emb", "final_proj.weight", "encoder.pos_conv.4.0.weight"} <= set(state)
    teacher = state["_ema"]
    assert teacher["layers.1.fc2.weight"].dtype == torch.float32
    # after six updates the teacher has followed five: the sixth is owed
    assert (int(teacher["_num_updates"]), int(teacher["_format"])) == (5, 2)
    assert not torch.equal(teacher["layers.1.fc2.weight"], state["encoder.layers.1.fc2.weight"])


def test_log_has_variances_and_masked_share(pretrained: Path) -> None:
    series = read_training_log(pretrained / "train.log")
    assert {"train_inner/target_var", "train_inner/pred_var", "valid/loss"} <= set(series)
    assert 30 < series["train_inner/masked_pct"].values[-1] < 60


def test_the_console_is_for_people_and_the_log_has_the_rest(pretrained: Path) -> None:
    console, log = ((pretrained / name).read_text() for name in ("console.log", "train.log"))
    lines = [line.partition("  ")[2] for line in console.splitlines()]
    assert lines[0].startswith("model: data2vec_audio, ")
    beginnings = [f"update {update}/6  loss " for update in range(1, 7)]
    assert [line for line in lines if line.startswith("update ")] == [
        next(line for line in lines if line.startswith(beginning)) for beginning in beginnings
    ]
    assert sum(line.startswith("valid at update ") for line in lines) == log.count("| valid | {") > 0
    assert sum(line.startswith("checkpoint at update ") for line in lines) == log.count("Saved checkpoint ") > 0
    for noise in ("{", "(encoder): Encoder(", "Start iterating", "shared parameter"):
        assert noise not in console
        assert noise in log


def test_tensorboard_has_the_same_curves(pretrained: Path) -> None:
    pytest.importorskip("tensorboardX")
    written = b"".join(path.read_bytes() for path in (pretrained / "tensorboard").glob("train_inner/events*"))
    for name in (b"loss", b"target_var", b"pred_var", b"lr"):
        assert name in written


def test_resumed_equals_unbroken_to_the_digit(speech_data: Path, pretrained: Path, tmp_path: Path) -> None:  # B26
    saved = next(pretrained.glob("checkpoint_*_3.pt"))
    shutil.copy(saved, tmp_path / "checkpoint_last.pt")
    resumed = run(pretrain_command(speech_data, tmp_path, 6, *LONG), cwd=tmp_path)
    unbroken = losses((pretrained / "train.log").read_text(), tmp_path)
    assert sorted(unbroken) == [1, 2, 3, 4, 5, 6]
    again = losses(resumed, tmp_path)
    assert again == {update: unbroken[update] for update in (4, 5, 6)}
    first, second = (
        torch.load(folder / "checkpoint_last.pt", map_location="cpu", weights_only=False)["model"]
        for folder in (pretrained, tmp_path)
    )
    for name, tensor in first["_ema"].items():
        assert torch.equal(tensor, second["_ema"][name]), name


def test_stock_task_and_criterion_train_our_model(speech_data: Path, tmp_path: Path) -> None:
    stock = (
        "task._name=audio_pretraining",
        "criterion._name=model",
        "+criterion.log_keys=[target_var,pred_var]",
    )
    log = run(pretrain_command(speech_data, tmp_path, 2, *stock), cwd=tmp_path)
    assert set(losses(log, tmp_path)) == {1, 2}
    assert "valid_target_var" in log


def test_two_workers_give_the_losses_of_none(speech_data: Path, pretrained: Path, tmp_path: Path) -> None:
    log = run(pretrain_command(speech_data, tmp_path, 6, "dataset.num_workers=2", *LONG), cwd=tmp_path)
    assert losses(log, tmp_path) == losses((pretrained / "train.log").read_text(), tmp_path)


def test_misspelt_key_is_told_with_what_was_meant(speech_data: Path, tmp_path: Path) -> None:
    log = run(pretrain_command(speech_data, tmp_path, 2, "+model.mask_prop=0.5"), expect=1, cwd=tmp_path)
    assert "`model.mask_prop` (did you mean `model.mask_prob`" in log


def test_missing_audio_file_stops_with_manifest_and_line(speech_data: Path, tmp_path: Path) -> None:
    lines = (speech_data / "train-unlabelled.tsv").read_text().splitlines()
    lines[3] = "gone.flac\t32000"
    for split in ("train-unlabelled", "valid"):
        (tmp_path / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    log = run(pretrain_command(tmp_path, tmp_path / "out", 2), expect=1, cwd=tmp_path)
    assert "valid.tsv, line 4: " in log
    assert "gone.flac does not exist" in log


def test_a_checkpoint_that_does_not_say_how_masks_are_drawn_is_gone_on_with_as_before(
    speech_data: Path, pretrained: Path, tmp_path: Path
) -> None:
    """One written before it was said, or by upstream; a run that only starts from its weights is a new one."""
    state = torch.load(next(pretrained.glob("checkpoint_*_3.pt")), map_location="cpu", weights_only=False)
    assert state["extra_state"]["train_iterator"].pop(RULE) == OWN
    before = tmp_path / "before.pt"
    torch.save(state, before)
    starts = {"restore_file": (4, HASHED), "finetune_from_model": (1, OWN)}
    for key, (updates, rule) in starts.items():
        folder = tmp_path / key
        run(pretrain_command(speech_data, folder, updates, *LONG, f"checkpoint.{key}={before}"), cwd=tmp_path)
        saved = torch.load(folder / "checkpoint_last.pt", map_location="cpu", weights_only=False)
        assert saved["extra_state"]["train_iterator"][RULE] == rule
