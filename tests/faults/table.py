"""All faults that are put back, each as the change to our code that would bring it back, and who must notice."""

from faults.in_files import IN_FILES
from faults.in_runs import IN_RUNS
from faults.masks import MASKS
from faults.memes import MEMES
from faults.method import METHOD
from faults.multimodal import MULTIMODAL
from faults.upstream import UPSTREAM
from faults.visible import VISIBLE

FAULTS = (*UPSTREAM, *IN_FILES, *IN_RUNS, *MULTIMODAL, *MEMES, *MASKS, *METHOD, *VISIBLE)
