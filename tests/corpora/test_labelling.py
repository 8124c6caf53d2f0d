"""`data2vec labels`: letters, words and dictionary, and the messages for what is wrong."""

import argparse
import shutil
from pathlib import Path

import pytest

from data2vec_plugin.cli import labels

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "tables"
TEXTS = {
    "train": {"7-1-0000": "THE DOG", "7-1-0001": "don\u2019t go"},
    "dev": {"7-1-0000": "GO ON"},
}


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    labels.add_arguments(parser)
    return labels.run(parser.parse_args([str(argument) for argument in arguments]))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Manifests with transcripts beside the (absent) audio, which `labels` never opens."""
    (tmp_path / "data").mkdir()
    for split, texts in TEXTS.items():
        folder = tmp_path / "corpus" / split / "7" / "1"
        folder.mkdir(parents=True)
        lines = "".join(f"{name} {text}\n" for name, text in texts.items())
        (folder / "7-1.trans.txt").write_text(lines, encoding="utf-8")
        clips = "".join(f"{split}/7/1/{name}.flac\t16000\n" for name in texts)
        (tmp_path / "data" / f"{split}.tsv").write_text(f"{tmp_path / 'corpus'}\n{clips}")
    return tmp_path / "data"


def test_letters_words_and_dictionary(data: Path) -> None:
    assert run(data) == 0
    assert (data / "train.ltr").read_text() == "T H E | D O G |\nD O N ' T | G O |\n"
    assert (data / "train.wrd").read_text() == "THE DOG\nDON'T GO\n"
    assert (data / "dev.ltr").read_text() == "G O | O N |\n"
    assert (data / "dict.ltr.txt").read_text().splitlines() == [
        "| 4", "O 3", "D 2", "G 2", "T 2", "' 1", "E 1", "H 1", "N 1",
    ]  # fmt: skip


@pytest.mark.parametrize("odd", ["\u2028", "\x0b", "\x0c", "\x85"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_only_a_line_break_ends_a_line(tmp_path: Path, odd: str, end: str) -> None:
    """A name, a transcript and a dictionary that hold what `str.splitlines` would end a line at."""
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "1.trans.txt").write_bytes(f"a{odd}b GO{odd}ON{end}c NO{end}".encode())
    lines = [str(tmp_path / "corpus"), f"a{odd}b.flac\t16000", "c.flac\t16000"]
    manifest = tmp_path / "train.tsv"
    manifest.write_bytes("".join(f"{line}{end}" for line in lines).encode())
    assert run(manifest, "--out", tmp_path) == 0
    assert (tmp_path / "train.wrd").read_text() == "GO ON\nNO\n"
    (tmp_path / "odd.txt").write_bytes(f"| 4{end}O 4{end}N 2{end}G 1{end}{odd} 1{end}".encode())
    assert run(manifest, "--out", tmp_path, "--dict", tmp_path / "odd.txt") == 0


def test_fairseq_reads_the_dictionary(data: Path) -> None:
    dictionary = pytest.importorskip("fairseq.data").Dictionary
    run(data)
    loaded = dictionary.load(str(data / "dict.ltr.txt"))
    line = (data / "train.ltr").read_text().splitlines()[0]
    tokens = loaded.encode_line(line, append_eos=False, add_if_not_exist=False)
    assert loaded.string(tokens) == line
    assert loaded.unk() not in tokens.tolist()


def test_out_holds_labels_and_manifests(data: Path, tmp_path: Path) -> None:
    run(data / "train.tsv", "--out", tmp_path / "new", "--case", "lower")
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["dict.ltr.txt", "train.ltr", "train.tsv", "train.wrd"]
    assert (tmp_path / "new" / "train.wrd").read_text() == "the dog\ndon't go\n"
    assert (tmp_path / "new" / "train.tsv").read_text() == (data / "train.tsv").read_text()


def test_dropped_characters_are_counted(data: Path, capsys: pytest.CaptureFixture) -> None:
    file = data.parent / "corpus/train/7/1/7-1.trans.txt"
    file.write_text("7-1-0000 the well-known dog, no. 1!\n7-1-0001 on' \ufb01t - '\n")
    run(data / "train.tsv")
    assert (data / "train.wrd").read_text() == "THE WELL KNOWN DOG NO\nON' FIT\n"
    said = capsys.readouterr().err
    assert "dropped 6 characters: '-' 2, ',' 1, '.' 1, '1' 1, '!' 1" in said
    assert "write numbers as words" in said


def test_a_missing_transcript_names_line_and_file(data: Path) -> None:
    (data.parent / "corpus/train/7/1/7-1.trans.txt").write_text("7-1-0000 THE DOG\n")
    message = r"train\.tsv, line 3: no transcript.* for train/7/1/7-1-0001\.flac \(1 of 2 clips\)"
    with pytest.raises(ValueError, match=message):
        run(data)
    assert not (data / "train.ltr").exists()


def test_an_empty_transcript_is_a_missing_one(data: Path) -> None:
    (data.parent / "corpus/train/7/1/7-1.trans.txt").write_text("7-1-0000\n7-1-0001 GO\n")
    with pytest.raises(ValueError, match=r"train\.tsv, line 2: no transcript, or an empty one"):
        run(data / "train.tsv")


def test_skip_missing_rewrites_the_manifest(data: Path, capsys: pytest.CaptureFixture) -> None:
    (data.parent / "corpus/train/7/1/7-1.trans.txt").write_text("7-1-0001 GO\n")
    run(data / "train.tsv", "--skip-missing")
    assert (data / "train.tsv").read_text().splitlines()[1:] == ["train/7/1/7-1-0001.flac\t16000"]
    assert (data / "train.ltr").read_text() == "G O |\n"
    assert "skipped 1 clips without transcript: train/7/1/7-1-0000.flac" in capsys.readouterr().err


def test_a_split_without_any_transcript_is_refused_even_then(data: Path) -> None:
    (data.parent / "corpus/dev/7/1/7-1.trans.txt").unlink()
    with pytest.raises(ValueError, match="name only the manifests that have labels"):
        run(data, "--skip-missing")


def test_a_letter_outside_the_dictionary_is_named(data: Path) -> None:
    (data.parent / "corpus/dev/7/1/7-1.trans.txt").write_text("7-1-0000 GO QUICK\n")
    message = r"dev\.tsv, line 2: the letter 'Q' of dev/7/1/7-1-0000\.flac"
    with pytest.raises(ValueError, match=message):
        run(data)
    run(data, "--dict-from", "train,dev")
    with pytest.raises(ValueError, match="no split test to build the dictionary from; got dev"):
        run(data, "--dict-from", "test")


def test_a_dictionary_that_is_there_is_checked_and_kept(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no split named train"):
        run(data / "dev.tsv")
    known = tmp_path / "dict.txt"
    known.write_text("| 1\nG 1\nO 1\n")
    with pytest.raises(ValueError, match=r"the letter 'N'.*dict\.txt"):
        run(data / "dev.tsv", "--dict", known)
    known.write_text("| 1\nG 1\nO 1\nN 1\n")
    run(data / "dev.tsv", "--dict", known)
    assert not (data / "dict.ltr.txt").exists()
    known.write_text("| 1\nG\n")
    with pytest.raises(ValueError, match=r"dict\.txt, line 2: got 'G'"):
        run(data / "dev.tsv", "--dict", known)


def test_transcripts_from_a_table_or_a_file_beside(data: Path, tmp_path: Path) -> None:
    table = tmp_path / "texts.csv"
    table.write_text("path,text\ndev/7/1/7-1-0000.wav,from the table\n")
    run(data / "dev.tsv", "--csv", table, "--dict-from", "dev")
    assert (data / "dev.wrd").read_text() == "FROM THE TABLE\n"
    folder = data.parent / "corpus/dev/7/1"
    (folder / "7-1.trans.txt").unlink()
    (folder / "7-1-0000.txt").write_text("from the\nfile\n")
    run(data / "dev.tsv", "--dict-from", "dev")
    assert (data / "dev.wrd").read_text() == "FROM THE FILE\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,words\na.wav,x\n", r"texts\.csv, line 1: no column `text`"),
        ("path,text\na.wav,\n", r"texts\.csv, line 2: the `text` is empty"),
        ("path,text\na.wav,x\na.wav,y\n", r"texts\.csv, line 3: a has a text already"),
    ],
)
def test_a_faulty_table_is_refused(data: Path, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "texts.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        run(data, "--csv", tmp_path / "texts.csv")


def test_an_id_with_two_transcripts_is_refused(data: Path) -> None:
    (data.parent / "corpus/dev/7/1/7-1.trans.txt").write_text("7-1-0000 GO\n7-1-0000 ON\n")
    with pytest.raises(ValueError, match=r"7-1\.trans\.txt, line 2: 7-1-0000 already has a transcript"):
        run(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("/root\na.flac 16000\n", r"bad\.tsv, line 2: got 'a\.flac 16000'"),
        ("/root\na.flac\t1\nb.flac\tlong\n", r"bad\.tsv, line 3"),
        ("/root\n", "lists no audio"),
        ("", "lists no audio"),
    ],
)
def test_a_faulty_manifest_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.tsv").write_text(text)
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "bad.tsv")
    with pytest.raises(ValueError, match="no such manifest; create it with"):
        run(tmp_path / "none.tsv")


def listed(folder: Path, *names: str) -> Path:
    """A manifest of clips, which `labels` never opens."""
    manifest = folder / "train.tsv"
    manifest.write_text("".join(f"{line}\n" for line in [str(folder), *(f"{name}\t16000" for name in names)]))
    return manifest


def words(manifest: Path, table: Path, *options: str) -> "list[str]":
    run(manifest, "--csv", table, *options)
    return manifest.with_suffix(".wrd").read_text().splitlines()


def test_quotes_of_a_tab_separated_table_are_text(tmp_path: Path) -> None:
    manifest = listed(tmp_path, *(f"clip_{n}.flac" for n in (1, 2, 3, 4)))
    table = FIXTURES / "common_voice_quotes.tsv"
    assert words(manifest, table) == ["HELLO THERE HE SAID", "GOOD MORNING", "SHE LEFT", "THE END"]


def test_a_bare_name_that_fits_clips_of_several_folders_is_refused(tmp_path: Path) -> None:
    table = shutil.copy(FIXTURES / "bare_names.csv", tmp_path / "first_session.csv")
    manifest = listed(tmp_path, "s1/0001.flac", "s2/0001.flac")
    message = r"first_session\.csv, line 2: '0001\.flac' matches 2 clips \(s1/0001\.flac, s2/0001\.flac\); add"
    with pytest.raises(ValueError, match=message):
        run(manifest, "--csv", table)
    assert not manifest.with_suffix(".wrd").exists()
    second = tmp_path / "more" / "train2.tsv"
    second.parent.mkdir()
    second.write_text(f"{tmp_path}\ns2/0001.flac\t16000\n")
    with pytest.raises(ValueError, match="matches 2 clips"):  # of several manifests, too
        run(listed(tmp_path, "s1/0001.flac"), second, "--csv", table)


def test_a_bare_name_that_fits_one_clip_is_its(tmp_path: Path) -> None:
    table = Path(shutil.copy(FIXTURES / "bare_names.csv", tmp_path / "first_session.csv"))
    assert words(listed(tmp_path, "s1/0001.wav"), table) == ["HELLO THERE"]
    # the same clip in two manifests is one clip; a clip whose folder the table says is another's no more
    subset = tmp_path / "small.tsv"
    shutil.copy(tmp_path / "train.tsv", subset)
    run(tmp_path / "train.tsv", subset, "--csv", table)
    assert subset.with_suffix(".wrd").read_text() == "HELLO THERE\n"
    table.write_text(table.read_text() + "s2/0001.flac,good night\n")
    assert words(listed(tmp_path, "s1/0001.flac", "s2/0001.flac"), table) == ["HELLO THERE", "GOOD NIGHT"]


def test_a_row_of_a_whole_path_is_of_that_clip_alone(tmp_path: Path) -> None:
    table = Path(shutil.copy(FIXTURES / "bare_names.csv", tmp_path / "table.csv"))
    with pytest.raises(ValueError, match=r"no transcript, or an empty one, for s1/0001\.flac \(1 of 2 clips\)"):
        run(listed(tmp_path, "0001.flac", "s1/0001.flac"), "--csv", table)


def test_ids_keep_their_dots(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes(b"\xef\xbb\xbfpath,text\r\nrec.2021.03,go\r\nrec.2021.04,on\r\nrec.2021.05.FLAC,no\r\n")
    manifest = listed(tmp_path, "rec.2021.03.wav", "rec.2021.04.flac", "rec.2021.05.wav")
    assert words(manifest, table) == ["GO", "ON", "NO"]


@pytest.mark.parametrize(
    ("case", "text", "written", "told"),
    [
        (
            "upper",
            "k\u0131r\u0131k i\u015f",
            "KIRIK I\u015e",
            "merged letters with others: ı became I 2",
        ),
        ("upper", "stra\u00dfe", "STRASSE", "ß became SS 1 times"),
        ("keep", "k\u0131r\u0131k i\u015f", "k\u0131r\u0131k i\u015f", ""),
        ("upper", "\u00e9t\u00e9", "\u00c9T\u00c9", ""),
    ],
)
def test_letters_that_a_case_makes_one_are_told(
    tmp_path: Path, case: str, text: str, written: str, told: str, capsys: pytest.CaptureFixture
) -> None:
    table = tmp_path / "table.csv"
    table.write_text(f"path,text\na.wav,{text}\n", encoding="utf-8")
    assert words(listed(tmp_path, "a.wav"), table, "--case", case) == [written]
    said = capsys.readouterr().err
    assert told in said
    assert ("merged letters" in said) == bool(told)


def test_a_table_that_is_not_utf8_names_itself_and_its_line(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"path,text\na.wav,go\nb.wav,caf\xe9\n")
    with pytest.raises(ValueError, match=r"table\.csv, line 3: byte 10 \(0xe9\) is not UTF-8"):
        run(listed(tmp_path, "a.wav"), "--csv", tmp_path / "table.csv")


def test_a_dictionary_of_windows_is_read(data: Path, tmp_path: Path) -> None:
    known = tmp_path / "dict.txt"
    known.write_bytes(b"\xef\xbb\xbf|\t1\r\nG\t1\r\nO\t1\r\nN\t1\r\n\r\n")
    run(data / "dev.tsv", "--dict", known)
    assert (data / "dev.ltr").read_text() == "G O | O N |\n"
