"""What cannot be a checkpoint, or must not be followed, is told in one line that names the file, at once."""

import io
import resource
import time
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("fairseq")

import torch
from compat.hostile import HOSTILE, RESOLVED, configured

from data2vec_compat import safe_load
from data2vec_compat.loaded_state import UnbelievableError, check_loaded, leaves

MEGABYTES = 512
SECONDS = 10


@pytest.mark.parametrize("ours", [False, True], ids=["torch's", "ours"])
@pytest.mark.parametrize("name", HOSTILE)
def test_is_told_in_a_line(name: str, ours: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if ours:  # as with torch before 2.6
        monkeypatch.setattr(safe_load, "takes_named_classes", lambda torch: False)
    path = tmp_path / "hostile.pt"
    HOSTILE[name](path)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(ValueError, match=r"hostile\.pt") as caught:
        safe_load.load_allowed(torch, str(path), map_location="cpu")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000 + len(str(path))
    assert time.monotonic() - started < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEGABYTES * 1024


def test_an_error_names_both_numbers(tmp_path: Path) -> None:
    layers = {f"encoder.layers.{n}.fc1.weight": torch.zeros(1) for n in range(3)}
    state = {**configured(model={"_name": "wav2vec2", "encoder_layers": 10**6}), "model": layers}
    with pytest.raises(UnbelievableError, match=r"`cfg\.model\.encoder_layers` is 1,000,000 .* have 3 layers"):
        check_loaded(state)


def test_what_is_kept_within_a_configuration_stays() -> None:
    linked = {"a": "${task.data}", "b": ["$x", "${.c}"], "layers": 999, "decoder_layers": None, "depth": True}
    shared = [linked, linked]
    check_loaded({**configured(common=linked, more=shared), "optimizer_history": [RESOLVED]})
    assert ("cfg.more.1.a", "${task.data}") in list(leaves({"more": [{"a": 1}, {"a": "${task.data}"}]}, "cfg"))


def test_tensors_may_share_and_expand_a_little() -> None:
    whole = torch.zeros(100)
    check_loaded(
        {"model": {"a": whole, "b": whole[:10], "c": torch.zeros(1).expand(512), "d": torch.zeros(2).to_sparse()}}
    )
    check_loaded([1, 2])


def test_tensors_have_no_more_bytes_than_their_file() -> None:
    whole = torch.zeros(100)
    state = {"model": {"a": whole, "b": whole[:10], "c": torch.zeros(50)}}
    check_loaded(state, 600)
    with pytest.raises(UnbelievableError, match="tensors take 600 bytes, of which the file has 599"):
        check_loaded(state, 599)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_tensor_may_hold_an_archive(zipped: bool, tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a", "abc")
    state = {"model": {"w": torch.ones(1000), "z": torch.tensor(list(inner.getvalue()), dtype=torch.uint8)}}
    torch.save(state, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
    loaded = safe_load.load_allowed(torch, str(tmp_path / "model.pt"))
    assert torch.equal(loaded["model"]["z"], state["model"]["z"])
