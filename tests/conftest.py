"""One thread a process: the tests are small, and several workers, with what they start, share the machine."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the commands that tests start

import torch

torch.set_num_threads(1)
