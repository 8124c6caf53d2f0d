"""The speech quickstart: its commands, and the report that it draws."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from examples.scripts import scripts
from runs.log_lines import log_lines

from data2vec_plugin.runs import speech_stages
from data2vec_plugin.runs.stages import Record, Runner

SCORE = (
    "H-1\t-0.1\tA\nGenerate test with beam=5: WER {wer} % (S 1, D 2, I 3 of 100 words) | "
    "CER 4.56 % (S 1, D 2, I 3 of 400 characters) | 20 utterances\n"
)


@pytest.fixture(scope="module")
def quickstart() -> Iterator[SimpleNamespace]:
    with scripts("quickstart", "report_speech", "run") as found:
        yield found


def test_both_trainings_with_labels_differ_in_their_start_only(
    quickstart: SimpleNamespace,
) -> None:
    for profile in (each for profiles in quickstart.run.METHODS.values() for each in profiles.values()):
        commands = {s.name: s.command for s in quickstart.run.stages(profile, 1, "out")}
        tuned = [word.replace("out/finetune", "out/scratch") for word in commands["finetune"]]
        assert [*tuned, "model.no_pretrained_weights=true"] == list(commands["scratch"])
        decoded = " ".join(commands["generate-finetune"]).replace("finetune", "scratch")
        assert decoded == " ".join(commands["generate-scratch"])


def test_reads_the_score_of_a_results_file(quickstart: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "generate-test.txt"
    path.write_text(SCORE.format(wer="12.34"))
    assert quickstart.report_speech.read_score(path) == quickstart.report_speech.Score(12.34, 4.56, 20)
    path.write_text("H-1\t-0.1\tA\n")
    with pytest.raises(ValueError, match="--scoring data2vec_asr"):
        quickstart.report_speech.read_score(path)


@pytest.mark.parametrize("variance", [True, False])
def test_writes_the_report(
    quickstart: SimpleNamespace, tmp_path: Path, variance: bool, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("matplotlib")
    runner = Runner(tmp_path, tmp_path)
    runner.records["pretrain"] = Record("x", True, 60.0, 1.5)
    metrics = {"target_var": 1.0, "pred_var": 1.0} if variance else {}
    (tmp_path / "logs").mkdir()
    runner.log("pretrain").write_text(log_lines(100, loss=2.0, **metrics))
    for name, wer in (("finetune", "40.0"), ("scratch", "80.0")):
        runner.log(name).write_text(log_lines(50, loss=2.0, wer=900.0))
        (tmp_path / f"generate-{name}").mkdir()
        results = tmp_path / f"generate-{name}" / "generate-test.txt"
        results.write_text(SCORE.format(wer=wer))
    for name, wer in (("finetune", "8.0"), ("scratch", "9.0")) if variance else ():
        (tmp_path / f"beam-{name}").mkdir()
        (tmp_path / f"beam-{name}" / "generate-test.txt").write_text(SCORE.format(wer=wer))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "test.tsv").write_text(f"/root\na.flac\t{16000 * 60}\n")
    (tmp_path / "installed").write_text("30.5\n")
    for name in ("301-1-0001", "301-1-0000") if variance else ():
        sentence = tmp_path / "corpus" / "test" / "301" / "1" / f"{name}.flac"
        sentence.parent.mkdir(parents=True, exist_ok=True)
        sentence.touch()
    quickstart.report_speech.write_report(runner, {"seed": 1, "method": 1}, None, tmp_path / "installed", 61.0)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["wer_pretrained"] == 40.0
    assert report["wer_scratch"] == 80.0
    assert report["updates_pretraining"] == 100
    assert report["updates_finetuning"] == 50
    assert report["seconds_total"] == 90.5
    assert report["minutes"] == {"test": 1.0}
    assert report["methods"] == {"1": {"wer_pretrained": 40.0, "wer_scratch": 80.0, "seconds_pretraining": 60.0}}
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out
    assert "WER ratio 0.50; 1:30 in all" in said
    following = "transcribe finetune/checkpoint_best.pt corpus/test/301/1/301-1-0000.flac --lexicon lexicon.txt"
    assert (following in said.replace(" \\\n    ", " ")) is variance
    assert (report.get("wer_pretrained_beam"), report.get("wer_scratch_beam")) == (
        (8.0, 9.0) if variance else (None, None)
    )
    assert ("WER, beam search + 3-gram" in said) is variance


def test_beam_search_is_left_out_where_it_cannot_run(
    quickstart: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = quickstart.run.METHODS[1]["quick"]
    for there in (True, False):
        monkeypatch.setattr(speech_stages, "find_spec", lambda name, there=there: there or None)
        commands = {stage.name: " ".join(stage.command) for stage in quickstart.run.stages(profile, 1, "out")}
        assert ("beam-finetune" in commands) is there
        if there:
            assert commands["beam-finetune"].startswith(
                commands["generate-finetune"].replace("out/generate-", "out/beam-")
            )
            assert "out/data/train-labelled.wrd" in commands["ngram"]
