"""A training on a CPU keeps what it frees."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from data2vec_plugin.host.training.freed_memory import OF_USERS

GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc" or "LD_PRELOAD" in os.environ, reason="another allocator")
FAULTS = """
import resource, sys
import torch
from data2vec_plugin.host.training.freed_memory import keep_freed_memory
kept = keep_freed_memory() if "keep" in sys.argv else None
def update():
    torch.zeros(24 << 20)  # 96 MiB
for _ in range(3):
    update()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    update()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*argv: str, **environment: str) -> list[str]:
    clean = {name: value for name, value in os.environ.items() if name not in (*OF_USERS, "GLIBC_TUNABLES")}
    command = [sys.executable, "-c", FAULTS, *argv]
    return subprocess.check_output(command, text=True, env={**clean, **environment}).split()


@GLIBC
def test_a_tensor_gets_the_pages_of_the_last_one() -> None:
    kept, count = faults("keep")
    assert kept == "True"
    assert int(count) < 100
    assert int(faults()[1]) > 100


@GLIBC
@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("MALLOC_TRIM_THRESHOLD_", "131072", False),
        ("GLIBC_TUNABLES", "glibc.malloc.trim_threshold=131072", False),
        ("GLIBC_TUNABLES", "glibc.rtld.optional_static_tls=1024", True),
    ],
)
def test_settings_of_users_win(name: str, value: str, kept: bool) -> None:
    assert faults("keep", **{name: value})[0] == str(kept)
