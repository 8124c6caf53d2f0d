"""The commands that `data2vec inspect` prints for a checkpoint, run as they stand once their capitals are filled in."""

from __future__ import annotations

import re
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import List, Mapping, Sequence

from end_to_end_commands import CONFIGS
from forked_commands import run

from data2vec_plugin.checkpoints.inspection import next_steps
from data2vec_plugin.checkpoints.summary import summarise


def follow(checkpoint: Path, filled: Mapping[str, object], cwd: Path, *overrides: str) -> List[str]:
    """What each prints; trainings are given ``overrides`` besides, that make them a matter of seconds."""
    cwd.mkdir(parents=True, exist_ok=True)
    steps = next_steps(asdict(summarise(checkpoint)))
    assert steps, "there is nothing to do with it"
    return [run(_complete(step, filled, overrides), cwd=cwd) for step in steps]


def _complete(step: str, filled: Mapping[str, object], overrides: Sequence[str]) -> List[str]:
    words = [re.sub(r"(?<![^=])[A-Z]+$", lambda match: str(filled[match[0]]), word) for word in shlex.split(step)]
    words = [CONFIGS if word == "configs" else word for word in words]
    if words[0] == "fairseq-hydra-train":
        return [*words, "+run=smoke", "common.log_format=json", "hydra.run.dir=.", *overrides]
    return [*words, "--device=cpu" if words[0] == "data2vec" else "--cpu"]
