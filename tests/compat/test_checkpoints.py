"""Loading: what fairseq saves is taken, what could run code is refused."""

import collections
import io
import os
import pickle
import subprocess
import tarfile
from argparse import Namespace
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from data2vec_compat import allowed, safe_load
from data2vec_compat.safe_load import RefusedCheckpointError, UnreadableCheckpointError

checkpoint_utils = pytest.importorskip("fairseq.checkpoint_utils")


@pytest.fixture(params=["torch's", "ours"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the two ways to read: torch's weights-only loader where it will do, and our unpickler."""
    if request.param == "ours":
        monkeypatch.setattr(safe_load, "takes_named_classes", lambda torch: False)
    elif not safe_load.takes_named_classes(torch):
        pytest.skip("this torch's weights-only loader cannot be told of other classes")
    return str(request.param)


def enum_of_host() -> Any:
    """An enum that a checkpoint may hold under its own name."""
    from hydra.types import RunMode

    return RunMode.RUN


def parts() -> List[Any]:
    """What is found in checkpoints of fairseq, old and new."""
    from fairseq.data import Dictionary
    from fairseq.distributed.utils import _TensorPlaceholder
    from fairseq.logging.meters import AverageMeter, MetersDict
    from fairseq.optim.adam import FairseqAdamConfig

    return [
        Namespace(arch="wav2vec", layers=[1, 2]),
        Dictionary(),
        OmegaConf.create({"a": {"b": [1, 2.5, None, "x", True]}}),
        OmegaConf.structured(FairseqAdamConfig()),
        OmegaConf.create({"mode": enum_of_host()}),
        FairseqAdamConfig(),
        enum_of_host(),
        _TensorPlaceholder(3),
        AverageMeter(),
        MetersDict(),
        np.float32(1.5),
        np.float64(2.5),
        np.int64(3),
        np.bool_(True),
        np.arange(4),
        Optional[int],
        List[str],
        collections.OrderedDict(a=1),
        collections.defaultdict(dict),
        {1, 2},
        (torch.float16, torch.Size([2]), torch.device("cpu")),
    ]


@pytest.mark.parametrize("part", parts(), ids=lambda part: type(part).__name__)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.usefixtures("loader")
def test_takes_what_fairseq_saves(part: Any, zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"part": part, "w": torch.ones(2)}, path, _use_new_zipfile_serialization=zipped)
    with path.open("rb") as f:
        loaded = checkpoint_utils.torch.load(f, map_location=torch.device("cpu"))
    assert type(loaded["part"]) is type(part)


@pytest.mark.usefixtures("loader")
def test_one_whole_checkpoint(tmp_path: Path) -> None:
    path = str(tmp_path / "checkpoint.pt")
    config = OmegaConf.create({"task": {"_name": "audio_pretraining"}, "model": {"_name": "x"}})
    state = {
        "args": None,
        "cfg": config,
        "model": {"w": torch.ones(2)},
        "criterion": None,
        "optimizer_history": [
            {
                "num_updates": np.int64(3),
                "optimizer_name": "FairseqAdam",
                "lr_scheduler_state": {"best": None},
            }
        ],
        "task_state": {},
        "extra_state": {"train_iterator": {"epoch": 1}, "best": np.float64(0.5)},
        "last_optimizer_state": None,
    }
    torch.save(state, path)
    loaded = checkpoint_utils.load_checkpoint_to_cpu(path)
    assert loaded["optimizer_history"][0]["num_updates"] == 3
    assert loaded["cfg"].task._name == "audio_pretraining"


class Evil:
    """Unpickled without a check, it calls something that leaves a trace."""

    def __init__(self, call: Any, *args: Any) -> None:
        self.call = call, args

    def __reduce__(self) -> Any:
        return self.call


def saved(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def attacks(trace: str) -> Dict[str, Any]:
    """What a checkpoint may try, by what the refusal names."""
    mkdir = Evil(os.mkdir, trace)
    array = np.empty(1, dtype=object)  # its state would hold the call
    array[0] = mkdir
    return {
        "mkdir": mkdir,
        "system": Evil(os.system, f"mkdir {trace}"),
        "eval": Evil(eval, f"__import__('os').mkdir({trace!r})"),
        "exec": Evil(exec, f"__import__('os').mkdir({trace!r})"),
        "call": Evil(subprocess.call, ["mkdir", trace]),
        "ObjectDType of an array": array,
        "mkdir in a namespace": Namespace(deep=[{"er": mkdir}]),
        "_load_from_bytes": Evil(torch.storage._load_from_bytes, saved(mkdir)),
    }


@pytest.mark.parametrize("name", attacks(""))
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.usefixtures("loader")
def test_refuses_what_could_run_code(tmp_path: Path, zipped: bool, name: str) -> None:
    path, trace = tmp_path / "evil.pt", tmp_path / "trace"
    torch.save({"model": attacks(str(trace))[name]}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(RefusedCheckpointError, match=rf"{name.split()[0]}.*could run code") as caught:
        checkpoint_utils.load_checkpoint_to_cpu(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not trace.exists()


def test_the_attacks_work_where_nothing_is_checked(tmp_path: Path) -> None:
    for name in attacks(""):
        trace, path = tmp_path / name.replace(" ", "_"), tmp_path / "evil.pt"
        torch.save(attacks(str(trace))[name], path)
        torch.load(path, weights_only=False)
        assert trace.exists(), name


@pytest.mark.usefixtures("loader")
def test_a_program_is_no_checkpoint(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "model.pt")
    with pytest.raises(UnreadableCheckpointError, match="TorchScript archive, which is a program"):
        checkpoint_utils.load_checkpoint_to_cpu(str(tmp_path / "model.pt"))


@pytest.mark.usefixtures("loader")
def test_the_oldest_format_is_refused(tmp_path: Path) -> None:
    """Before 0.1.10 torch wrote tar archives, whose members are pickles."""
    path, trace = tmp_path / "old.pt", tmp_path / "trace"
    with tarfile.open(path, "w") as archive:
        for name in ("storages", "tensors", "pickle"):
            content = pickle.dumps(Evil(os.mkdir, str(trace)), 2)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    with pytest.raises(UnreadableCheckpointError, match="a tar archive"):
        checkpoint_utils.load_checkpoint_to_cpu(str(path))
    assert not trace.exists()


@pytest.mark.parametrize(
    "gadget",
    [Evil(getattr, Namespace, "__init__"), Evil(getattr, [], "append")],
    ids=["method", "attribute"],
)
@pytest.mark.usefixtures("loader")
def test_getattr_reaches_members_of_enums_only(gadget: Evil) -> None:
    buffer = io.BytesIO()
    torch.save(gadget, buffer)
    buffer.seek(0)
    with pytest.raises(RefusedCheckpointError, match="not an enum member"):
        checkpoint_utils.torch.load(buffer)


def test_stand_ins_check_what_they_are_given() -> None:
    with pytest.raises(ValueError, match="not an enum member"):
        allowed.enum_member(os, "system")
    with pytest.raises(ValueError, match="not a generic type of typing"):
        allowed.type_argument({"a": 1}, "a")
    with pytest.raises(ValueError, match="creates a new one"):
        allowed.type_of_none("Made", (), {})
    assert allowed.type_argument(Optional, int) == Optional[int]


def test_harmless_is_neither_imported_nor_called() -> None:
    assert allowed.harmless_globals(["os.system", "antigravity.Enum", "subprocess.Popen"]) == []
    names = [name for _, name in allowed.harmless_globals(["fairseq.dataclass.FairseqDataclass"])]
    assert names == ["fairseq.dataclass.FairseqDataclass"]


@pytest.mark.skipif(not safe_load.takes_named_classes(torch), reason="this torch loads anything")
def test_torch_itself_stays_strict() -> None:
    buffer = io.BytesIO()
    torch.save(Namespace(), buffer)
    buffer.seek(0)
    before = set(torch.serialization.get_safe_globals())  # torch lists a set, in any order
    checkpoint_utils.torch.load(buffer)
    assert set(torch.serialization.get_safe_globals()) == before
    buffer.seek(0)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(buffer)


@pytest.mark.usefixtures("loader")
def test_fairseq_cannot_ask_to_load_anything_but_the_user_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its main branch does ask."""
    torch.save(tmp_path, tmp_path / "path.pt")
    with pytest.raises(
        RefusedCheckpointError, match=r"PosixPath.*TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 for this run only"
    ):
        checkpoint_utils.torch.load(tmp_path / "path.pt", weights_only=False)
    monkeypatch.setenv(safe_load.TRUST, "1")
    assert checkpoint_utils.torch.load(tmp_path / "path.pt") == tmp_path


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
@pytest.mark.usefixtures("loader")
def test_a_file_without_its_end_is_told(tmp_path: Path, zipped: bool, kept: float) -> None:
    path = tmp_path / "cut.pt"
    torch.save({"model": {"w": torch.zeros(5000)}}, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(UnreadableCheckpointError, match=rf"{path} cannot be read .*truncated or damaged"):
        checkpoint_utils.load_checkpoint_to_cpu(str(path))


@pytest.mark.usefixtures("loader")
def test_tensors_may_stay_in_the_file(tmp_path: Path) -> None:
    torch.save({"w": torch.arange(1000), "name": Namespace(a=1)}, tmp_path / "big.pt")
    loaded = safe_load.load_allowed(torch, str(tmp_path / "big.pt"), map_location="cpu", mmap=True)
    assert torch.equal(loaded["w"], torch.arange(1000))
