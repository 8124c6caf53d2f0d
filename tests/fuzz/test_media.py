"""Any audio, picture, archive, array or pickle: a result, or a ValueError that names the file."""

from __future__ import annotations

import io
import tarfile
import warnings
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
import pytest
import torch
from fuzz.bounds import bounded, settled
from hypothesis import given
from hypothesis import strategies as st
from multimodal_files import write_pickle
from speech import write_clip

from data2vec_plugin.files.media import audio
from data2vec_plugin.files.media.kept_index import kept_index
from data2vec_plugin.files.media.pictures import decode, read_picture
from data2vec_plugin.files.media.tar_index import read_index
from data2vec_plugin.files.multimodal.mult_pickle import read_mult_pickle
from data2vec_plugin.files.multimodal.sequences import Sample, read_features, read_stats
from data2vec_plugin.models.meme_classifier.kept_files import packed, unpacked

Changes = List[Tuple[int, bytes]]
changes = st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6)
early = st.lists(st.tuples(st.integers(0, 200), st.binary(min_size=1, max_size=2)), min_size=1, max_size=6)
"""Changes of the first bytes, where headers are."""


def changed(whole: Path, name: str, made: Changes, cut: int, within: int = 1 << 30) -> Path:
    """A copy of a file with bytes written over, and its end cut off."""
    data = bytearray(whole.read_bytes())
    for place, content in made:
        place %= min(len(data), within)
        data[place : place + len(content)] = content
    path = whole.with_name(name)
    path.write_bytes(data[: max(len(data) - cut, 0)])
    return path


def once(path: Path, make: Callable[[Path], Any]) -> Path:
    """A file that all examples of a test begin with."""
    if not path.exists():
        make(path)
    return path


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "aiff", "mp3"])
@bounded(25)
@given(made=early, cut=st.integers(0, 900))
def test_any_audio(tmp_path: Path, ending: str, made: Changes, cut: int) -> None:
    whole = once(tmp_path / f"whole.{ending}", lambda path: write_clip(path, 900))
    path = changed(whole, f"changed.{ending}", made, cut)
    settled(path, lambda path: audio.read_info(str(path)))
    settled(path, lambda path: audio.read_samples(str(path)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "PPM"])
@bounded(25)
@given(made=early, cut=st.integers(0, 400))
def test_any_picture(tmp_path: Path, kind: str, made: Changes, cut: int) -> None:
    from images import encoded, photograph

    whole = once(tmp_path / f"whole.{kind}", lambda path: path.write_bytes(encoded(photograph(0), kind)))
    path = changed(whole, "changed.jpg", made, cut)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settled(path, lambda path: decode(read_picture(path), str(path)).getpixel((0, 0)))


def archive(path: Path) -> None:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, size in (("é" * 90 + ".jpg", 700), ("1.cls", 2), ("1.png", 30)):
            member = tarfile.TarInfo(name)
            member.size = size
            tar.addfile(member, io.BytesIO(b"1" * size))


@bounded(60)
@given(made=changes, cut=st.integers(0, 3000))
def test_any_archive(tmp_path: Path, made: Changes, cut: int) -> None:
    path = changed(once(tmp_path / "whole.tar", archive), "train-0.tar", made, cut, within=4096)

    def use(path: Path) -> None:
        fault = read_index(path).fault(path.stat().st_size)
        if fault:
            raise AssertionError(fault)

    settled(path, use)


@bounded(40)
@given(made=changes, cut=st.integers(0, 3000))
def test_any_index_that_was_kept(tmp_path: Path, made: Changes, cut: int) -> None:
    """It is made anew where it is damaged, whatever it says, and the right one is the result."""
    whole = once(tmp_path / "train-0.tar", archive)
    folder = tmp_path / "kept"
    expected = kept_index(whole, folder)
    for kept in folder.iterdir():
        changed(kept, kept.name, made, cut)

    def use(path: Path) -> None:
        if list(kept_index(path, folder).names) != list(expected.names):
            raise AssertionError("another archive's")

    settled(whole, use)


@bounded(60)
@given(made=changes, cut=st.integers(0, 400))
def test_any_array(tmp_path: Path, made: Changes, cut: int) -> None:
    arrays = {"text": np.ones((3, 4), np.float32), "audio": np.ones((2, 5), np.float32)}
    whole = once(tmp_path / "whole.npz", lambda path: np.savez(path, **arrays))
    path = changed(whole, "changed.npz", made, cut)
    settled(path, lambda path: read_features(Sample("1", path, (0, 3, 2), 1)))
    path.rename(tmp_path / "stats.npz")
    settled(tmp_path / "stats.npz", lambda path: read_stats(path.parent, ["text", "audio"]))


PICKLES: Dict[str, Callable[[Path], Any]] = {"mosi.pkl": read_mult_pickle}


@pytest.mark.parametrize("name", PICKLES)
@bounded(60)
@given(made=changes, cut=st.integers(0, 2000))
def test_any_pickle(tmp_path: Path, name: str, made: Changes, cut: int) -> None:
    settled(changed(once(tmp_path / "whole.pkl", write_pickle), name, made, cut), PICKLES[name])


@bounded(60)
@given(made=changes, cut=st.integers(0, 100))
def test_any_files_that_a_checkpoint_keeps(tmp_path: Path, made: Changes, cut: int) -> None:
    """They are bytes in a tensor, so that the message names the checkpoint by these words alone."""
    files = {"dict.txt": b"a 1\n" * 40, "spm.model": bytes(range(256))}
    whole = once(tmp_path / "whole.bin", lambda path: path.write_bytes(bytes(packed(files).tolist())))
    content = changed(whole, "files kept in the checkpoint", made, cut).read_bytes()
    settled(whole.with_name("files kept in the checkpoint"), lambda _: unpacked(torch.tensor(list(content)).byte()))
