"""What all tests share: one thread a process, bytecode, and the process that forks their programs.

One thread, because the tests are small, and several workers, with what they start, share the machine. Bytecode, also
where the environment wants none, because hundreds of processes would compile the same modules.
"""

import gc
import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the commands that tests start
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

import forks  # noqa: E402, F401  # by which pytest's first process says that it is the first
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402

from data2vec_compat.patches.torch import GARBAGE  # noqa: E402

torch.set_num_threads(1)
if torch.__version__.startswith(GARBAGE):  # as in every training
    torch.backends.mkldnn.enabled = False
settings.register_profile("any machine", deadline=None)  # how busy one is says nothing of an example
settings.load_profile("any machine")


def pytest_collection_finish() -> None:
    """What has been imported by now stays, and need not be searched for garbage again and again."""
    if "hydra.core.config_store" in sys.modules:
        from quick_hydra import keep_one_config_store

        keep_one_config_store()
    gc.freeze()
