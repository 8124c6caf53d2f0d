"""No command writes a folder that another one is writing; what it makes it makes once that has ended."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, List, NamedTuple

import pytest
from features.made import text_checkpoint
from glue_files import sentence, sentences, write_dictionary, write_glue, write_lines, write_sentencepiece
from multimodal_files import write_pickle
from speech import write_clip
from text import write_text

from data2vec_plugin.cli.main import main
from data2vec_plugin.files.locks import FolderLock


class Written(NamedTuple):
    """A command's words, the folder that it writes, and whether that takes another's place."""

    words: List[str]
    folder: Path
    replaced: bool = False


def manifest(tmp_path: Path) -> Written:
    write_clip(tmp_path / "clips" / "a.wav", 900)
    out = tmp_path / "out"
    return Written(["manifest", str(tmp_path / "clips"), "--valid-percent=0", f"--out={out}"], out)


def resampled(tmp_path: Path) -> Written:
    out = tmp_path / "copies"
    return Written([*manifest(tmp_path).words, f"--resample-to={out}"], out)


def labels(tmp_path: Path) -> Written:
    main(manifest(tmp_path).words)
    (tmp_path / "clips" / "a.txt").write_text("a word")
    out = tmp_path / "labels"
    return Written(["labels", str(tmp_path / "out"), f"--out={out}"], out)


def subwords(tmp_path: Path) -> Written:
    text, out = write_text(tmp_path / "text.txt", sentences() * 3), tmp_path / "out"
    return Written(["subwords", str(text), "--size=60", f"--out={out}"], out)


def encoded_sentences(tmp_path: Path) -> Written:
    write_sentencepiece(tmp_path)
    for split in ("train", "valid"):
        rows = [("label", "sentence"), *((f"c{number % 2}", sentence(number)) for number in range(8))]
        write_lines(tmp_path / "tsv" / f"{split}.tsv", rows)
    given, out = [f"--sentencepiece={tmp_path / 'spm.model'}", f"--dict={tmp_path / 'dict.txt'}"], tmp_path / "out"
    return Written(["sentences", str(tmp_path / "tsv"), *given, f"--out={out}"], out, replaced=True)


def glue(tmp_path: Path) -> Written:
    write_sentencepiece(tmp_path)
    given, out = [f"--sentencepiece={tmp_path / 'spm.model'}", f"--dict={tmp_path / 'dict.txt'}"], tmp_path / "out"
    root = write_glue(tmp_path / "glue")
    return Written(["glue", "prepare", str(root), *given, "--tasks=RTE", f"--out={out}"], out)


def features(tmp_path: Path) -> Written:
    text_checkpoint(tmp_path / "model.pt")
    text, out = write_text(tmp_path / "text.txt", ["w1 w2"]), tmp_path / "out"
    words = ["features", str(tmp_path / "model.pt"), "--input", str(text), "--symbols", "--device=cpu"]
    return Written([*words, f"--out={out}"], out)


def sequences(tmp_path: Path) -> Written:
    out = tmp_path / "out"
    return Written(["multimodal", "convert", str(write_pickle(tmp_path / "data.pkl")), f"--out={out}"], out)


COMMANDS: Dict[str, Callable[[Path], Written]] = {
    each.__name__: each
    for each in (manifest, resampled, labels, subwords, encoded_sentences, glue, features, sequences)
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_has_one_writer(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    words, folder, replaced = COMMANDS[command](tmp_path)
    with FolderLock(folder, replaced=replaced):
        assert main(words) == 1
        assert f"{folder} is being written (process " in capsys.readouterr().err
        assert not folder.exists() or [path.name for path in folder.iterdir()] == [".data2vec.lock"]
    assert main(words) == 0
    assert list(folder.iterdir())
    assert not list(tmp_path.rglob("*.lock"))


@pytest.mark.parametrize("to", ["hf", "fairseq"])
def test_so_has_what_is_converted(tmp_path: Path, capsys: pytest.CaptureFixture[str], to: str) -> None:
    pytest.importorskip("safetensors")
    write_dictionary(tmp_path / "dict.txt", ())
    text_checkpoint(tmp_path / "model.pt")
    write_sentencepiece(tmp_path / "pieces")
    pieces = f"--sentencepiece={tmp_path / 'pieces' / 'spm.model'}"
    words = ["convert", str(tmp_path / "model.pt"), "--to=hf", f"--out={tmp_path / 'hf'}", pieces]
    folder = tmp_path / "hf"
    if to == "fairseq":
        assert main(words) == 0
        folder = tmp_path / "back"
        words = ["convert", str(tmp_path / "hf"), "--to=fairseq", f"--out={folder / 'model.pt'}"]
    with FolderLock(folder, replaced=to == "hf"):
        assert main(words) == 1
        assert f"{folder} is being written" in capsys.readouterr().err
    assert main(words) == 0
