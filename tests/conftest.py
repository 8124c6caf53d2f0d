"""One thread a worker: the tests are small, and several workers share the machine."""

import torch

torch.set_num_threads(1)
