"""`data2vec glue run`: what it starts, skips, goes on with, and says when something fails."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from glue.runs_folder import Place

from data2vec_plugin.cli.main import main
from data2vec_plugin.glue.runs import override, parse_gpus, parse_seeds


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def test_runs_every_task_and_seed(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.run("--tasks", "cola,sst-2", "--seeds", "1,4") == 0
    folders = sorted(path.parent.relative_to(place.out).as_posix() for path in place.out.rglob("console.log"))
    assert folders == ["cola/seed1", "cola/seed4", "sst_2/seed1", "sst_2/seed4"]
    said = capsys.readouterr().out
    assert "cola seed 4: finished at update 30, mcc 58.4" in said
    assert "4 of 4 runs are finished; `data2vec glue report" in said
    assert "gpus | all" in place.log("cola", 1)


def test_lists_the_commands_and_runs_nothing(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.run("--list", "--tasks", "rte", "--seeds", "2-3", "+run=1gpu", "optimization.max_update=7") == 0
    lines = capsys.readouterr().out.splitlines()
    assert shlex.split(lines[0]) == [
        str(place.root / "bin" / "fairseq-hydra-train"),
        *("--config-dir", str(place.root / "configs"), "--config-name", "glue_rte"),
        f"task.data={place.root / 'glue-bin' / 'rte'}",
        f"model.model_path={place.root / 'checkpoint.pt'}",
        "common.seed=2",
        f"checkpoint.save_dir={place.out / 'rte' / 'seed2'}",
        "common.log_format=json",
        *("+run=1gpu", "optimization.max_update=7"),
    ]
    assert len(lines) == 2
    assert not place.out.exists()


def test_runs_the_recipes_of_data2vec_2_where_asked_to(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    (place.root / "configs" / "glue2_rte.yaml").touch()
    assert place.run("--list", "--tasks", "rte", "--seeds", "1", "--recipes", "glue2") == 0
    assert "--config-name glue2_rte " in capsys.readouterr().out
    assert place.run("--list", "--tasks", "cola", "--recipes", "glue2") == 1
    assert "glue2_cola.yaml: no such recipe" in capsys.readouterr().err


def test_finished_runs_are_skipped_and_said_so(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.run("--tasks", "rte", "--seeds", "1") == 0
    before = place.log("rte", 1)
    assert place.run("--tasks", "rte", "--seeds", "1-2") == 0
    assert "rte seed 1: already finished: skipped" in capsys.readouterr().out
    assert place.log("rte", 1) == before
    assert "done training" in place.log("rte", 2)


def test_a_failing_run_is_told_and_tried_again_and_stops_no_other(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--tasks", "cola,rte", "--seeds", "1", "+fail=cola")
    assert place.run(*options) == 1
    said, warned = capsys.readouterr()
    assert re.search(r"cola seed 1: FAILED: it exited with code 3; the end of .*cola/seed1/console\.log", warned)
    assert "RuntimeError: out of memory" in warned
    assert "failed: cola seed 1; run the same command again to retry" in warned
    assert "rte seed 1: finished" in said
    assert "1 of 2 runs are finished" in said
    assert place.run(*options) == 0
    again = capsys.readouterr().out
    assert "cola seed 1: resumes where it stopped" in again
    assert "cola seed 1: finished at update 30, mcc 58.1" in again


def test_a_run_that_ends_early_with_code_0_has_failed(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.run("--tasks", "rte", "--seeds", "1", "+silent=rte") == 1
    assert "FAILED: it ended before training was complete" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="macOS before Python 3.13")
def test_signals_go_to_a_process_whose_number_is_its_own(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    killpg, signalled = os.killpg, []

    def look_first(group: int, sign: int) -> None:
        os.waitid(os.P_PID, group, os.WEXITED | os.WNOHANG | os.WNOWAIT)  # an error for who is no child any more
        signalled.append(sign)
        killpg(group, sign)

    monkeypatch.setattr(os, "killpg", look_first)
    assert place.run("--tasks", "rte", "--seeds", "1") == 0
    assert signalled == [signal.SIGKILL]


def test_a_run_at_a_time_on_each_gpu(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.run("--tasks", "rte", "--seeds", "1-4", "--gpus", "0,3") == 0
    gpus = [re.findall(r"gpus \| (\S+)", place.log("rte", seed)) for seed in range(1, 5)]
    assert gpus[:2] == [["0"], ["3"]]
    assert {gpu for found in gpus for gpu in found} == {"0", "3"}
    assert "rte seed 2: starts on GPU 3; log: " in capsys.readouterr().out


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_runs_and_the_same_command_goes_on(place: Place, sign: signal.Signals) -> None:
    words = place.words("--tasks", "cola,rte", "--seeds", "1", "+hang=cola")
    command = [sys.executable, "-m", "data2vec_plugin.cli.main", *words]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(sign, signal.SIG_DFL),  # ignored in what a shell starts in the background
    )
    wait_for(place.out / "cola" / "seed1" / "checkpoint_last.pt")
    process.send_signal(sign)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "cola seed 1: stopped at update 10; run the same command again to resume" in said
    assert not (place.out / "rte").exists()
    assert place.run("--tasks", "cola,rte", "--seeds", "1", "+hang=cola") == 0
    assert place.log("cola", 1).count('"num_updates": "10"') == 1  # not begun anew


def test_two_commands_share_the_runs(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    words = place.words("--tasks", "cola", "--seeds", "1", "+hang=cola")
    other = subprocess.Popen([sys.executable, "-m", "data2vec_plugin.cli.main", *words], stdout=subprocess.DEVNULL)
    wait_for(place.out / "cola" / "seed1" / "checkpoint_last.pt")
    assert place.run("--tasks", "cola,rte", "--seeds", "1", "+hang=cola") == 0
    said = capsys.readouterr().out
    other.kill()  # what it has started lives on
    other.wait()
    assert "cola seed 1: another command is training it: skipped" in said
    assert "1 of 2 runs are finished" in said
    assert place.run("--tasks", "cola", "--seeds", "1", "+hang=cola") == 0
    assert "another command is training it" in capsys.readouterr().out
    orphan = re.findall(r"process \| (\d+)", place.log("cola", 1))
    os.kill(int(orphan[0]), signal.SIGKILL)


def test_other_settings_do_not_go_on_from_these(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.run("--tasks", "rte", "--seeds", "1", "+a=1")
    place.out.rename(place.root / "moved")
    place.out = place.root / "moved"
    assert place.run("--tasks", "rte", "--seeds", "1", "+a=1") == 0
    assert place.run("--tasks", "rte", "--seeds", "1", "+a=2") == 1
    message = capsys.readouterr().err
    assert "rte/seed1 was started with other settings (+a=1 instead of +a=2)" in message
    assert "another --out, or delete the folder" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--tasks", "rte", "word"), "got 'word'; expected hydra's KEY=VALUE"),
        (("--tasks", "rte", "common.seed=3"), "every run has its own `common.seed`; set it with --seeds"),
        (("--tasks", "rte", "+model.model_path=x"), "set it with --checkpoint"),
        (("--seeds", "1-"), "--seeds '1-': cannot read '1-'"),
        (("--seeds", "5-2"), "expected seeds such as 1-5"),
        (("--gpus", "0,0"), "--gpus '0,0': expected comma-separated numbers of different GPUs"),
        (("--gpus", "cuda"), "--gpus 'cuda': expected"),
        (("--tasks", "wnli"), "no task 'wnli'"),
        (("--checkpoint", "none.pt"), "--checkpoint none.pt: no such file"),
        (("--config-dir", "none"), "glue_cola.yaml: no such recipe"),
    ],
)
def test_bad_input_is_told_in_a_line(
    place: Place, options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.run(*options) == 1
    assert message in capsys.readouterr().err
    assert not place.out.exists()


def test_missing_binaries_and_a_missing_program(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.root / "glue-bin" / "rte" / "input0" / "dict.txt").unlink()
    assert place.run("--tasks", "rte") == 1
    assert re.search(r"rte/input0/dict\.txt: no such file; `data2vec glue prepare` writes", capsys.readouterr().err)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", str(place.root / "python"))
    assert place.run("--tasks", "cola") == 1
    assert "fairseq-hydra-train is neither on the PATH nor in" in capsys.readouterr().err


def test_an_unknown_option_is_refused(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        place.run("--sweep", "a=b")
    assert "unrecognized arguments: --sweep\n" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["recipes", "--path", "a=b"])  # starts no training, so it takes no overrides
    assert "unrecognized arguments: a=b" in capsys.readouterr().err


def test_seeds_and_gpus() -> None:
    assert parse_seeds("1-3,7, 2") == [1, 2, 3, 7]
    assert parse_gpus(None) == [None]
    assert parse_gpus("1,0") == ["1", "0"]


def test_hydra_reads_quoted_values(tmp_path: Path) -> None:
    assert override("a", "/plain/path_1.pt") == "a=/plain/path_1.pt"
    parser = pytest.importorskip("hydra.core.override_parser.overrides_parser").OverridesParser.create()
    for value in ("/with space/x=1.pt", "/o'clock/a,b.pt", "/{a}/[b]/(c).pt"):
        (parsed,) = parser.parse_overrides([override("model.model_path", value)])
        assert str(parsed.value()) in (value, f"'{value}'")
