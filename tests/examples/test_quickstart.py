"""The quickstart's driver: what it runs, skips and sets aside, and the report that it draws."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

QUICKSTART = Path(__file__).resolve().parents[2] / "examples" / "quickstart"
SCORE = (
    "H-1\t-0.1\tA\nGenerate test with beam=5: WER {wer} % (S 1, D 2, I 3 of 100 words) | "
    "CER 4.56 % (S 1, D 2, I 3 of 400 characters) | 20 utterances\n"
)


@pytest.fixture(scope="module")
def quickstart() -> Iterator[SimpleNamespace]:
    sys.path.insert(0, str(QUICKSTART))
    import follow
    import report
    import run
    import stages

    yield SimpleNamespace(follow=follow, report=report, run=run, stages=stages)
    sys.path.remove(str(QUICKSTART))


def log_lines(updates: int, **metrics: float) -> str:
    lines = []
    for update in range(10, updates + 1, 10):
        stats = {name: str(value / update) for name, value in metrics.items()}
        lines.append(json.dumps({**stats, "num_updates": str(update)}))
        valid = {f"valid_{name}": value for name, value in stats.items()}
        lines.append(json.dumps({**valid, "valid_num_updates": str(update)}))
    return "\n".join(f"2026-01-01 10:00:00 | INFO | x | {line}" for line in lines) + "\n"


def stage(quickstart: SimpleNamespace, folder: Path, script: str, **fields: object) -> object:
    command = (
        sys.executable,
        "-c",
        f"from pathlib import Path; p = Path({str(folder)!r}); {script}",
    )
    name = str(fields.pop("name", "one"))
    return quickstart.stages.Stage(name, "a stage", command, folder, **fields)


def test_a_stage_runs_once_and_again_when_it_or_its_input_changes(
    quickstart: SimpleNamespace, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    create = "p.mkdir(exist_ok=True)"
    second = stage(quickstart, two, create, name="two", after=("one",))
    for first in (create, create, f"{create}; (p / 'new').touch()"):
        runner = quickstart.stages.Runner(tmp_path, tmp_path)  # as in a new process
        runner.run(stage(quickstart, one, first))
        runner.run(second)
    said = capfd.readouterr().out
    assert said.count("skipped") == 2
    assert said.count("the settings have changed") == 2
    assert (one / "new").exists()
    assert (tmp_path / "one.old").is_dir()
    assert (tmp_path / "two.old").is_dir()


def test_a_failing_stage_stops_the_quickstart_and_runs_again(
    quickstart: SimpleNamespace, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    script = "p.mkdir(exist_ok=True); print('what went wrong'); exit((p / 'x').exists() and 3)"
    broken = stage(quickstart, tmp_path / "one", script, updates=10)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "x").touch()
    runner = quickstart.stages.Runner(tmp_path, tmp_path)
    with pytest.raises(SystemExit, match=r"error: \[one\] ended with code 3"):
        runner.run(broken)
    assert "what went wrong" in capfd.readouterr().err
    (tmp_path / "one" / "x").unlink()
    quickstart.stages.Runner(tmp_path, tmp_path).run(broken)
    assert "goes on where it stopped" in capfd.readouterr().out
    assert runner.log("one").read_text() == 2 * "what went wrong\n"


def test_stages_side_by_side_share_the_cores_and_the_time(
    quickstart: SimpleNamespace, tmp_path: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits for a file that the other makes, so neither could end alone."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(quickstart.stages.os, "cpu_count", lambda: 6)
    one, two = tmp_path / "one", tmp_path / "two"
    meet = "import os, time; p.mkdir(); print(os.environ['OMP_NUM_THREADS']); o = Path({!r})\n"
    meet += "while not o.exists(): time.sleep(0.02)\n"
    first = stage(quickstart, one, meet.format(str(two)), updates=10)
    second = stage(quickstart, two, meet.format(str(one)), name="two", updates=10, beside="one")
    runner = quickstart.stages.Runner(tmp_path, tmp_path)
    (group,) = quickstart.stages.side_by_side([first, second])
    runner.run(*group)
    assert runner.log("one").read_text() == runner.log("two").read_text() == "3\n"
    seconds = [record.seconds for record in runner.records.values()]
    assert runner.seconds() == max(seconds) < sum(seconds)
    quickstart.stages.Runner(tmp_path, tmp_path).run(*group)
    assert capfd.readouterr().out.count("skipped") == 2


def test_a_failure_beside_another_stage_loses_nothing_of_it(
    quickstart: SimpleNamespace, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    good = stage(quickstart, tmp_path / "one", "import time; time.sleep(0.5); p.mkdir()", updates=10)
    bad = stage(quickstart, tmp_path / "two", "print('went wrong'); exit(4)", name="two", updates=10, beside="one")
    runner = quickstart.stages.Runner(tmp_path, tmp_path)
    with pytest.raises(SystemExit, match=r"error: \[two\] ended with code 4"):
        runner.run(good, bad)
    assert "went wrong" in capfd.readouterr().err
    assert [record.done for record in runner.records.values()] == [True, False]


def test_progress_is_one_line_per_tenth_without_a_terminal(
    quickstart: SimpleNamespace, capsys: pytest.CaptureFixture
) -> None:
    live = quickstart.follow.LiveLine("train", 1000)
    for line in log_lines(1000, loss=50.0).splitlines():
        live.feed(line)
    live.feed("a line without statistics")
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 11
    assert said[-1].startswith("  train: update 1000/1000  loss 0.05  valid loss 0.05")


def test_both_trainings_with_labels_differ_in_their_start_only(
    quickstart: SimpleNamespace,
) -> None:
    for profile in quickstart.run.PROFILES.values():
        commands = {s.name: s.command for s in quickstart.run.stages(profile, 1, "out")}
        tuned = [word.replace("out/finetune", "out/scratch") for word in commands["finetune"]]
        assert [*tuned, "model.no_pretrained_weights=true"] == list(commands["scratch"])
        decoded = " ".join(commands["generate-finetune"]).replace("finetune", "scratch")
        assert decoded == " ".join(commands["generate-scratch"])


def test_reads_the_score_of_a_results_file(quickstart: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "generate-test.txt"
    path.write_text(SCORE.format(wer="12.34"))
    assert quickstart.report.read_score(path) == quickstart.report.Score(12.34, 4.56, 20)
    path.write_text("H-1\t-0.1\tA\n")
    with pytest.raises(ValueError, match="--scoring data2vec_asr"):
        quickstart.report.read_score(path)


@pytest.mark.parametrize("variance", [True, False])
def test_writes_the_report(
    quickstart: SimpleNamespace, tmp_path: Path, variance: bool, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("matplotlib")
    runner = quickstart.stages.Runner(tmp_path, tmp_path)
    runner.records["pretrain"] = quickstart.stages.Record("x", True, 60.0, 1.5)
    metrics = {"target_var": 1.0, "pred_var": 1.0} if variance else {}
    (tmp_path / "logs").mkdir()
    runner.log("pretrain").write_text(log_lines(100, loss=2.0, **metrics))
    for name, wer in (("finetune", "40.0"), ("scratch", "80.0")):
        runner.log(name).write_text(log_lines(50, loss=2.0, wer=900.0))
        (tmp_path / f"generate-{name}").mkdir()
        results = tmp_path / f"generate-{name}" / "generate-test.txt"
        results.write_text(SCORE.format(wer=wer))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "test.tsv").write_text(f"/root\na.flac\t{16000 * 60}\n")
    (tmp_path / "installed").write_text("30.5\n")
    quickstart.report.write_report(runner, {"seed": 1}, tmp_path / "installed", 61.0)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["wer_pretrained"] == 40.0
    assert report["wer_scratch"] == 80.0
    assert report["updates_pretraining"] == 100
    assert report["updates_finetuning"] == 50
    assert report["seconds_total"] == 90.5
    assert report["minutes"] == {"test": 1.0}
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    assert "WER ratio 0.50; 1:30 in all" in capsys.readouterr().out
