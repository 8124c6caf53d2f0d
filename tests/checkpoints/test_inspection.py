"""`data2vec inspect`: facts for people, JSON for programs, one line for what cannot be read."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from parity.cases import HERE

from data2vec_plugin.checkpoints.inspection import NEXT, next_steps, rows
from data2vec_plugin.cli.main import main

SPEECH = HERE / "official_style_audio" / "checkpoint.pt"


def test_a_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["inspect", str(SPEECH)]) == 0
    lines = capsys.readouterr().out
    for text in (
        "of model `data2vec_audio` (data2vec for speech)",
        "3 layers × 32 channels × 4 heads",
        "38,080 in float32",
        "400,000 updates, epoch 4",
        "in the file, has followed 399,999 updates",
        "task.data=/path/to/data",
        "(none is needed)",
        f"data2vec features {SPEECH} --input CLIPS",
    ):
        assert text in lines


def test_json_has_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    files = [SPEECH, HERE / "official_style_text" / "checkpoint_fp16.pt"]
    assert main(["inspect", "--json", *map(str, files)]) == 0
    speech, text = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (speech["modality"], text["modality"]) == ("speech", "text")
    assert speech["next"][0].startswith("data2vec features ")


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_what_cannot_be_read_is_a_line_and_the_rest_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"model": Evil(tmp_path / "trace")}, tmp_path / "evil.pt")
    (tmp_path / "empty.pt").touch()
    (tmp_path / "cut.pt").write_bytes(SPEECH.read_bytes()[:5000])
    names = ["evil.pt", "empty.pt", "cut.pt", "none.pt"]
    assert main(["inspect", "--json", *(str(tmp_path / name) for name in names), str(SPEECH)]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    reasons = ["`posix.mkdir`", "an empty file", "truncated or damaged", "does not exist"]
    assert len(err.splitlines()) == len(reasons)
    assert all(reason in line for reason, line in zip(reasons, err.splitlines()))
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("encoder", ["data2vec_audio", "data2vec_multi"])
@pytest.mark.parametrize("kind", NEXT)
def test_next_steps_are_commands_that_there_are(kind: Any, encoder: str) -> None:
    from data2vec_plugin.cli.main import COMMANDS

    for step in next_steps({"kind": kind[0], "modality": kind[1], "file": "my file.pt", "encoder": encoder}):
        words = shlex.split(step)
        assert words[0] in ("data2vec", "fairseq-hydra-train", "fairseq-generate", "fairseq-validate")
        assert words[0] != "data2vec" or words[1] in COMMANDS
        assert any("my file.pt" in word for word in words)
        for config in [words[i + 1] for i, word in enumerate(words) if word == "--config-name"]:
            assert (HERE.parents[2] / "configs" / f"{config}.yaml").is_file()


@pytest.mark.parametrize(("modality", "recipe"), [("speech", "asr2_100h"), ("image", "imagenet2_base")])
def test_a_model_of_data2vec_2_goes_on_with_recipes_of_its_own(modality: str, recipe: str) -> None:
    facts = {"kind": "pretrained", "modality": modality, "file": "a.pt", "encoder": "data2vec_multi"}
    assert any(f"--config-name {recipe} " in step for step in next_steps(facts))


@pytest.mark.parametrize(
    ("labels", "post_process", "options"),
    [
        ("ltr", "letter", ["--post-process", "letter"]),
        ("phn 2", None, ["--labels", "phn 2"]),
        ("wrd", "none", ["--labels", "wrd", "--post-process", "none"]),
        (None, None, []),
    ],
)
def test_a_recogniser_is_told_of_its_own_labels(labels: Any, post_process: Any, options: list[str]) -> None:
    facts = {"kind": "fine-tuned", "modality": "speech", "file": "a.pt"}
    _, decoding, _ = next_steps({**facts, "labels": labels, "post_process": post_process})
    words = shlex.split(decoding)
    assert words[words.index("--max-tokens") + 2 :] == options


def test_what_a_file_does_not_tell_is_left_blank() -> None:
    from dataclasses import asdict

    from data2vec_plugin.checkpoints.summary import Summary

    told = {name for name, text in rows(asdict(Summary("x", 10, "other", "of model `x`"))) if text}
    assert told == {"is", "file"}
