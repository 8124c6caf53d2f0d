"""Archives whose headers are not what they say, and kept indexes that are not of their archive."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest

pytest.importorskip("PIL")

from images import samples, write_shard

from data2vec_plugin.data.image.shards import ImageShards
from data2vec_plugin.files.media import kept_index
from data2vec_plugin.files.media.tar_index import LONGEST_HEADER, read_index
from data2vec_plugin.files.unusable import UnusableFileError


def pax(path: Path, headers: Dict[str, str], size: int = 3) -> Path:
    """An archive with one picture that has extended headers."""
    member = tarfile.TarInfo("0000.jpg")
    member.size, member.pax_headers = size, headers
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(member, io.BytesIO(b"x" * size))
    return path


@pytest.mark.parametrize("size", ["-512", "-1024", "99999999999999", "9" * 30])
def test_a_size_that_cannot_be_true_is_told(tmp_path: Path, size: str) -> None:
    path = pax(tmp_path / "train-0.tar", {"size": size})
    with pytest.raises(UnusableFileError, match=r"train-0\.tar: is not a complete tar archive"):
        read_index(path)


def test_a_header_that_claims_gigabytes_is_not_read(tmp_path: Path) -> None:
    member = tarfile.TarInfo("pax")
    member.type, member.size = tarfile.XHDTYPE, 8 << 30
    path = tmp_path / "train-0.tar"
    path.write_bytes(member.tobuf(tarfile.USTAR_FORMAT if member.size < 8**11 else tarfile.GNU_FORMAT))
    os.truncate(path, 9 << 30)  # sparse on the disk
    with pytest.raises(UnusableFileError, match=r"the headers of a member are longer than 1 MB"):
        read_index(path)
    assert LONGEST_HEADER < 8 << 30


def test_what_is_stored_sparse_is_told(tmp_path: Path) -> None:
    path = tmp_path / "train-0.tar"
    member = tarfile.TarInfo("0000.jpg")
    member.size = 512
    data = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    data[156:157] = tarfile.GNUTYPE_SPARSE
    data[386:410] = b"%011o\0%011o\0" % (0, 512)
    data[483:495] = b"%011o\0" % 1024
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data)
    path.write_bytes(bytes(data) + b"x" * 512 + b"\0" * 1024)
    with pytest.raises(UnusableFileError, match=r"0000\.jpg is stored sparse; write the archive without --sparse"):
        read_index(path)


def test_an_archive_that_is_none_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "train-0.tar")
    with pytest.raises(UnusableFileError, match=r"train-0\.tar: is a pipe"):
        kept_index.kept_index(tmp_path / "train-0.tar", tmp_path / "index")


@pytest.mark.parametrize(
    ("label", "fault"),
    [
        (b"9" * 19, r"0000\.cls holds 9{19}…; the largest number of a class is 9223372036854775807"),
        (b"1" * 5000, r"0000\.cls has 5 KB; expected at most 4 KB"),
        (b"caf\xe9", r"0000\.cls holds b'caf\\xe9', which is not UTF-8"),
    ],
)
def test_classes_that_no_label_can_be_are_told(tmp_path: Path, label: bytes, fault: str) -> None:
    path = write_shard(tmp_path / "train-0.tar", [{**samples(1)[0], "cls": label}])
    with pytest.raises(UnusableFileError, match=rf"train-0\.tar: {fault}"):
        ImageShards([path], True, tmp_path / "index")


def labels(path: Path) -> Any:
    found = ImageShards([path], True, path.parent / "index").labels
    assert found is not None
    return found.tolist()


def test_another_archive_of_the_same_size_and_time_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = samples(3)
    path = write_shard(tmp_path / "train-0.tar", rows)
    before = path.stat()
    assert labels(path) == [0, 1, 2]
    write_shard(path, [{**row, "cls": b"7"} for row in rows])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert labels(path) == [7, 7, 7]
    assert "has changed since it was indexed" in caplog.text
    assert "is created again" in caplog.text


def test_the_index_of_a_copy_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_shard(tmp_path / "train-0.tar", samples(3))
    expected = labels(path)
    shutil.copy2(path, tmp_path / "copy")
    os.replace(tmp_path / "copy", path)
    monkeypatch.setattr(kept_index, "read_index", None)
    assert labels(path) == expected


@pytest.mark.parametrize(
    "poison",
    [
        {"offsets": np.array([-5, 0, 0])},
        {"sizes": np.array([1 << 40] * 3)},
        {"sizes": np.array([2**62] * 3), "offsets": np.array([2**62] * 3)},
        {"offsets": np.array([1.5, 2, 3])},
        {"name_ends": np.array([9, 3, 27])},
        {"class_ends": np.array([1, 2])},
        {"marks": np.array([0])},
        {"names": np.array([b"a"], dtype=object)},
        {"stamp": np.array([["x"]])},
    ],
)
def test_a_poisoned_index_is_made_anew(
    tmp_path: Path, poison: Dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    path = write_shard(tmp_path / "train-0.tar", samples(3))
    expected = labels(path)
    (kept,) = (tmp_path / "index").iterdir()
    with np.load(kept) as arrays:
        content = dict(arrays)
    np.savez(kept, **{**content, **poison})
    assert labels(path) == expected
    assert f"{kept} cannot be used" in caplog.text
    caplog.clear()
    assert labels(path) == expected
    assert "cannot be used" not in caplog.text


def test_a_packed_index_is_not_unpacked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_shard(tmp_path / "train-0.tar", samples(3))
    expected = labels(path)
    (kept,) = (tmp_path / "index").iterdir()
    np.savez_compressed(kept, names=np.zeros(1 << 24, dtype=np.uint8))
    assert labels(path) == expected
    assert "names.npy is compressed" in caplog.text
