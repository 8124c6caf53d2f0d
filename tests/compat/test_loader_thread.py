"""A process that ends while fairseq's thread loads ends well."""

import subprocess
import sys

import pytest

pytest.importorskip("fairseq")

ENDS_WITHIN_AN_EPOCH = """
import torch
from fairseq.data.iterators import BufferedIterator
torch.set_num_threads(1)

class Source:
    def __len__(self):
        return 100_000
    def __iter__(self):
        for _ in range(len(self)):
            yield [torch.rand(50, 50) @ torch.rand(50, 50) for _ in range(20)]

buffered = BufferedIterator(10, Source())
for _ in range(5):
    next(buffered)
print("done")
"""


@pytest.mark.parametrize("run", range(3))
def test_a_run_that_stops_within_an_epoch_ends_well(run: int) -> None:
    done = subprocess.run([sys.executable, "-c", ENDS_WITHIN_AN_EPOCH], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
