"""Two writers of one folder are told apart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data2vec_plugin.files.locks import LOCK, FolderInUseError, FolderLock, writing

HOLD = """
import sys, time
from pathlib import Path
from data2vec_plugin.files.locks import FolderLock
lock = FolderLock(Path(sys.argv[1]))
import os
if os.fork() == 0:
    time.sleep(30)  # a loader worker that outlives its run
    os._exit(0)
print("held", flush=True)
time.sleep(30)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_told_who_writes_until_that_one_dies(tmp_path: Path) -> None:
    process = holder(tmp_path)
    try:
        with pytest.raises(FolderInUseError, match=rf"being written \(process {process.pid} on .*, since 20"):
            FolderLock(tmp_path)
        process.kill()
        process.wait()
        FolderLock(tmp_path).release()  # although its child lives
    finally:
        os.killpg(process.pid, signal.SIGKILL)


def test_so_is_the_same_process(tmp_path: Path) -> None:
    with FolderLock(tmp_path), pytest.raises(FolderInUseError, match=f"process {os.getpid()}"):
        FolderLock(tmp_path / ".." / tmp_path.name)
    with FolderLock(tmp_path):
        assert "since" in (tmp_path / LOCK).read_text()
    assert not list(tmp_path.iterdir())


def test_releasing_lets_others_write(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "new")
    lock.release()
    lock.release()
    started = time.monotonic()
    with FolderLock(tmp_path / "new"):
        assert time.monotonic() - started < 1


def test_a_folder_that_cannot_be_made_names_itself(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        FolderLock(tmp_path / "file")


def test_a_folder_that_was_made_for_it_and_stays_empty_goes_with_it(tmp_path: Path) -> None:
    with pytest.raises(KeyError), FolderLock(tmp_path / "a" / "b"):
        raise KeyError
    assert not list(tmp_path.iterdir())
    with FolderLock(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "kept").touch()
    with FolderLock(tmp_path / "a" / "b"):
        pass
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["kept"]


def test_the_lock_of_a_folder_that_is_replaced_lies_beside_it(tmp_path: Path) -> None:
    with FolderLock(tmp_path / "a", replaced=True):
        assert not (tmp_path / "a").exists()
        with pytest.raises(FolderInUseError, match="a is being written"):
            FolderLock(tmp_path / "a", replaced=True)
    assert not list(tmp_path.iterdir())


def test_several_folders_are_held_together(tmp_path: Path) -> None:
    with writing(tmp_path / "a", None, tmp_path / "b", tmp_path / "b" / ".." / "a"):
        for name in "ab":
            with pytest.raises(FolderInUseError):
                FolderLock(tmp_path / name)
    with FolderLock(tmp_path / "b"):
        with pytest.raises(FolderInUseError), writing(tmp_path / "a", tmp_path / "b"):
            pass
        FolderLock(tmp_path / "a").release()
