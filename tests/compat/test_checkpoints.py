"""Loading: what fairseq saves is taken, what could run code is refused."""

import collections
import inspect
import io
import os
import pickle
from argparse import Namespace
from pathlib import Path
from typing import Any, List, Optional

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from data2vec_compat import allowed

checkpoint_utils = pytest.importorskip("fairseq.checkpoint_utils")

TENSORS_ONLY = checkpoint_utils.torch is not torch
needs_check = pytest.mark.skipif(not TENSORS_ONLY, reason="this torch loads anything")


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
def test_takes_what_fairseq_saves(part: Any, zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"part": part, "w": torch.ones(2)}, path, _use_new_zipfile_serialization=zipped)
    with path.open("rb") as f:
        loaded = checkpoint_utils.torch.load(f, map_location=torch.device("cpu"))
    assert type(loaded["part"]) is type(part)


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
    """Unpickled without a check, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


HOST_LOADS_ANYTHING = "weights_only=False" in inspect.getsource(checkpoint_utils.load_checkpoint_to_cpu)


@needs_check
@pytest.mark.skipif(HOST_LOADS_ANYTHING, reason="this fairseq asks torch to load anything; its choice is left alone")
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_refuses_what_could_run_code(tmp_path: Path, zipped: bool) -> None:
    path, trace = tmp_path / "evil.pt", tmp_path / "trace"
    torch.save({"model": Evil(trace)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(pickle.UnpicklingError, match=r"mkdir.*could run code") as caught:
        checkpoint_utils.load_checkpoint_to_cpu(str(path))
    assert str(path) in str(caught.value)
    assert not trace.exists()


class Borrowed:
    """Reaches for a function through a callable that checkpoints may hold."""

    def __init__(self, reach: Any, *args: Any) -> None:
        self.call = reach, args

    def __reduce__(self) -> Any:
        return self.call


@needs_check
@pytest.mark.parametrize(
    "gadget",
    [Borrowed(getattr, Namespace, "__init__"), Borrowed(getattr, [], "append")],
    ids=["method", "attribute"],
)
def test_getattr_reaches_members_of_enums_only(gadget: Borrowed) -> None:
    buffer = io.BytesIO()
    torch.save(gadget, buffer)
    buffer.seek(0)
    with pytest.raises((pickle.UnpicklingError, ValueError), match="no enum member"):
        checkpoint_utils.torch.load(buffer)


def test_stand_ins_check_what_they_are_given() -> None:
    with pytest.raises(ValueError, match="no enum member"):
        allowed.enum_member(os, "system")
    with pytest.raises(ValueError, match="no generic of typing"):
        allowed.type_argument({"a": 1}, "a")
    with pytest.raises(ValueError, match="makes a new one"):
        allowed.type_of_none("Made", (), {})
    assert allowed.type_argument(Optional, int) == Optional[int]


def test_harmless_is_neither_imported_nor_called() -> None:
    assert allowed.harmless_globals(["os.system", "antigravity.Enum", "subprocess.Popen"]) == []
    names = [name for _, name in allowed.harmless_globals(["fairseq.dataclass.FairseqDataclass"])]
    assert names == ["fairseq.dataclass.FairseqDataclass"]


@needs_check
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


def test_the_callers_own_choice_is_left_alone() -> None:
    buffer = io.BytesIO()
    torch.save(Evil(Path("unused")).path, buffer)
    buffer.seek(0)
    assert checkpoint_utils.torch.load(buffer, weights_only=False) == Path("unused")
