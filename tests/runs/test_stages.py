"""Commands in stages: what is run, skipped and set aside."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from data2vec_plugin.runs.stages import Runner, Stage, side_by_side


def stage(folder: Path, script: str, **fields: Any) -> Stage:
    command = (
        sys.executable,
        "-c",
        f"from pathlib import Path; p = Path({str(folder)!r}); {script}",
    )
    name = str(fields.pop("name", "one"))
    return Stage(name, "a stage", command, folder, **fields)


def test_a_stage_runs_once_and_again_when_it_or_its_input_changes(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    create = "p.mkdir(exist_ok=True)"
    second = stage(two, create, name="two", after=("one",))
    for first in (create, create, f"{create}; (p / 'new').touch()"):
        runner = Runner(tmp_path, tmp_path)  # as in a new process
        runner.run(stage(one, first))
        runner.run(second)
    said = capfd.readouterr().out
    assert said.count("skipped") == 2
    assert said.count("the settings have changed") == 2
    assert (one / "new").exists()
    assert (tmp_path / "one.old").is_dir()
    assert (tmp_path / "two.old").is_dir()


def test_a_failing_stage_stops_the_quickstart_and_runs_again(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    script = "p.mkdir(exist_ok=True); print('what went wrong'); exit((p / 'x').exists() and 3)"
    broken = stage(tmp_path / "one", script, updates=10)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "x").touch()
    runner = Runner(tmp_path, tmp_path)
    with pytest.raises(SystemExit, match=r"error: \[one\] exited with code 3"):
        runner.run(broken)
    assert "what went wrong" in capfd.readouterr().err
    (tmp_path / "one" / "x").unlink()
    Runner(tmp_path, tmp_path).run(broken)
    assert "resumes where it stopped" in capfd.readouterr().out
    assert runner.log("one").read_text() == 2 * "what went wrong\n"


def test_stages_side_by_side_share_the_cores_and_the_time(
    tmp_path: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits for a file that the other makes, so neither could end alone."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    one, two = tmp_path / "one", tmp_path / "two"
    meet = "import os, time; p.mkdir(); print(os.environ['OMP_NUM_THREADS']); o = Path({!r})\n"
    meet += "while not o.exists(): time.sleep(0.02)\n"
    first = stage(one, meet.format(str(two)), updates=10)
    second = stage(two, meet.format(str(one)), name="two", updates=10, beside="one")
    runner = Runner(tmp_path, tmp_path)
    (group,) = side_by_side([first, second])
    runner.run(*group)
    assert runner.log("one").read_text() == runner.log("two").read_text() == "3\n"
    seconds = [record.seconds for record in runner.records.values()]
    assert runner.seconds() == max(seconds) < sum(seconds)
    Runner(tmp_path, tmp_path).run(*group)
    assert capfd.readouterr().out.count("skipped") == 2


def test_a_failure_beside_another_stage_loses_nothing_of_it(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    good = stage(tmp_path / "one", "import time; time.sleep(0.5); p.mkdir()", updates=10)
    bad = stage(tmp_path / "two", "print('went wrong'); exit(4)", name="two", updates=10, beside="one")
    runner = Runner(tmp_path, tmp_path)
    with pytest.raises(SystemExit, match=r"error: \[two\] exited with code 4"):
        runner.run(good, bad)
    assert "went wrong" in capfd.readouterr().err
    assert [record.done for record in runner.records.values()] == [True, False]
